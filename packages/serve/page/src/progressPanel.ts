import type { Progress } from "./analysis.ts";
import { announce, make, makeButton } from "./dom.ts";
import { duration } from "./words.ts";

/** What an analysis does, while it runs, and a way to end it. */
export interface ProgressPanel {
  readonly element: HTMLElement;
  readonly show: (progress: Progress) => void;
}

export function makeProgressPanel(onCancel: () => void): ProgressPanel {
  const words = make("p", { class: "progress-words", id: "progress-words" });
  const bar = make("progress", { "aria-labelledby": "progress-words", max: 1 });
  const cancel = makeButton("Cancel", onCancel);
  const element = make(
    "div",
    { class: "progress-panel" },
    words,
    make("div", { class: "progress-line" }, bar, cancel),
  );
  let announced = "";
  const show = (progress: Progress): void => {
    const { text, part } = describeProgress(progress);
    words.textContent = text;
    if (part === undefined) bar.removeAttribute("value");
    else bar.value = part;
    // A screen reader is told each quarter, not each second.
    const key = part === undefined ? text : `${Math.floor(4 * part)}`;
    if (key !== announced) announce(text);
    announced = key;
  };
  show({ phase: "sending" });
  return { element, show };
}

/** @returns the part that is done, [0, 1]; undefined while that is not known */
function describeProgress(progress: Progress): {
  readonly text: string;
  readonly part?: number;
} {
  if (progress.phase === "busy")
    return { text: `The server is busy (${progress.why}). Trying again in ${progress.seconds} s.` };
  if (progress.phase === "sending") return { text: "Looking at it …" };
  const { position, done, total, unit } = progress;
  if (done === undefined)
    return {
      text:
        position === undefined || position === 0
          ? "It is next …"
          : `Waiting: ${position} before it.`,
    };
  const isTime = unit === undefined || unit.startsWith("second");
  if (!total && done === 0) return { text: "Looking at it …" };
  if (!total) return { text: `${isTime ? duration(done) : done} looked at.` };
  const of = isTime ? `${duration(done)} of ${duration(total)}` : `${done} of ${total} ${unit}`;
  return { text: `${of} looked at.`, part: Math.min(1, done / total) };
}
