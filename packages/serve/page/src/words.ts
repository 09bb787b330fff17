import type { ModalityFacts } from "./answer.ts";

/** 0.8134 → "81.3 %" */
export function percent(probability: number): string {
  return `${(100 * probability).toFixed(1)} %`;
}

/** Seconds as read on an axis of `span` seconds: "2.5", from two minutes on "2:30". */
export function clock(seconds: number, span = seconds): string {
  if (span < 120) return String(Math.round(seconds * 10) / 10);
  const whole = Math.round(seconds);
  return `${Math.floor(whole / 60)}:${String(whole % 60).padStart(2, "0")}`;
}

/** The same with its unit: "2.5 s", "2:30 min". */
export function duration(seconds: number): string {
  return `${clock(seconds)} ${seconds < 120 ? "s" : "min"}`;
}

/** 2,300,000 → "2.3 MB" */
export function fileSize(bytes: number): string {
  return bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}

/** +0.031, with a true minus. */
export function signed(score: number): string {
  return `${score < 0 ? "−" : "+"}${Math.abs(score).toFixed(3)}`;
}

export function capitalized(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}

/** "the file: is empty" → "The file: is empty." */
export function sentence(text: string): string {
  return `${capitalized(text)}${/[.…!?]$/.test(text) ? "" : "."}`;
}

/** What was found of the face; undefined where no picture was given. */
export function faceWords(facts: ModalityFacts): { found: boolean; text: string } | undefined {
  if (facts.cause === "not given") return undefined;
  const { frames, faces } = facts;
  if (!facts.present) return { found: false, text: `No face. ${reason(facts)}` };
  if (typeof frames !== "number") return { found: true, text: "A face was found." };
  if (typeof faces !== "number") return { found: true, text: `${frames} frames were looked at.` };
  return { found: true, text: `A face was found in ${faces} of ${frames} frames.` };
}

/** What was found of the voice; undefined where no sound was given. */
export function voiceWords(facts: ModalityFacts): { found: boolean; text: string } | undefined {
  if (facts.cause === "not given") return undefined;
  const { duration_seconds: all, used_seconds: used } = facts;
  if (!facts.present) return { found: false, text: `No voice. ${reason(facts)}` };
  if (typeof all !== "number" || typeof used !== "number")
    return { found: true, text: "Sound was found." };
  const part =
    used < all ? `the middle ${duration(used)} of ${duration(all)}` : `all ${duration(all)}`;
  return { found: true, text: `Sound was found, ${part} used.` };
}

function reason({ cause = "" }: ModalityFacts): string {
  return sentence(cause);
}
