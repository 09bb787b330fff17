import { InvalidArgumentError } from "@commander-js/extra-typings";
import { EMOTIONS, canonicalEmotion } from "@emotion-service/core/labels";
import { type Fractions, PARTS } from "./parts.ts";

/** How far from 1 three fractions may add up: 0.33,0.33,0.33 is meant as thirds. */
const ROUNDING = 0.0101;

/** Parser of `--split`: "0.8,0.1,0.1" → the three fractions, scaled to add up to exactly 1; "none" as it is. */
export function parseSplit(text: string): Fractions | "none" {
  if (text.trim() === "none") return "none";
  const words = text.split(",").map((word) => word.trim());
  const numbers = words.map(Number);
  const sum = numbers.reduce((total, number) => total + number, 0);
  if (
    numbers.length !== PARTS.length ||
    words.includes("") ||
    !numbers.every((number) => number >= 0 && number <= 1) ||
    Math.abs(sum - 1) > ROUNDING
  )
    throw new InvalidArgumentError(
      `must be 'none' or three fractions of at least 0 that add up to 1 (train,val,test; e.g. 0.8,0.2,0), got '${text}'.`,
    );
  const [train = 0, val = 0, test = 0] = numbers.map((number) => number / sum);
  return { train, val, test };
}

/** Parser of `--classes`: "happy,ANG" → canonical emotions, in the order of EMOTIONS. */
export function parseClasses(text: string): readonly string[] {
  const wanted = new Set<string>();
  for (const word of text.split(",")) {
    const emotion = /^\s*\d+\s*$/.test(word) ? undefined : canonicalEmotion(word);
    if (emotion === undefined)
      throw new InvalidArgumentError(
        `must be emotions with commas between (${EMOTIONS.join(", ")}), got '${word.trim()}'.`,
      );
    wanted.add(emotion);
  }
  return EMOTIONS.filter((emotion) => wanted.has(emotion));
}

/** Parser of a regular expression with exactly one group, which it keeps: what it finds in a text, or undefined. */
export function parsePattern(text: string): (subject: string) => string | undefined {
  let pattern: RegExp;
  let groups: number;
  try {
    pattern = new RegExp(text, "u");
    groups = (new RegExp(`${text}|`, "u").exec("")?.length ?? 1) - 1;
  } catch (error) {
    throw new InvalidArgumentError(
      `must be a regular expression (JavaScript's), got '${text}': ${String(error)}.`,
    );
  }
  if (groups !== 1)
    throw new InvalidArgumentError(
      `must have one group in round brackets, as in '^(\\d{4})_', has ${groups}: '${text}'.`,
    );
  return (subject) => pattern.exec(subject)?.[1];
}
