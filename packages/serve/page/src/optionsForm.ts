import { FPS, MIN_CONFIDENCE, WINDOW_SECONDS } from "@emotion-service/core/predict/ranges";
import { make } from "./dom.ts";

interface NumberOption {
  /** As the server, and predict's flag, has it. */
  readonly name: string;
  readonly label: string;
  readonly hint: string;
  readonly initial: string;
  readonly range: readonly [least: number, most: number];
  /** Of the arrow keys. */
  readonly step: number | "any";
}

/** An empty field leaves the option out. */
const OPTIONS: readonly NumberOption[] = [
  {
    name: "min_confidence",
    label: "Least confidence",
    hint: "0 to 1. Below it the answer is “uncertain”.",
    initial: "",
    range: MIN_CONFIDENCE,
    step: 0.01,
  },
  {
    name: "window",
    label: "Window, s",
    hint: "Length of a part of the timeline, 0.1 to 600. Empty: no timeline.",
    initial: "2",
    range: WINDOW_SECONDS,
    step: "any",
  },
  {
    name: "step",
    label: "Step, s",
    hint: "From one window to the next, at most the window.",
    initial: "1",
    range: WINDOW_SECONDS,
    step: "any",
  },
  {
    name: "fps",
    label: "Frames a second",
    hint: "Of a video, that are looked at.",
    initial: "2",
    range: FPS,
    step: "any",
  },
];

/** What may be asked for beside the input. */
export interface OptionsForm {
  readonly element: HTMLElement;
  /** Name → number, as text; undefined where a field is wrong, which it has shown then. */
  readonly read: () => Readonly<Record<string, string>> | undefined;
}

export function makeOptionsForm(): OptionsForm {
  const fields = OPTIONS.map((option) => ({ name: option.name, input: makeInput(option), option }));
  const boxes = fields.map(({ name, input, option }) =>
    make(
      "div",
      { class: "option" },
      make("label", { for: `option-${name}` }, option.label),
      input,
      make("p", { id: `hint-${name}`, class: "hint" }, option.hint),
    ),
  );
  const details = make(
    "details",
    { class: "options" },
    make("summary", {}, "Options"),
    make("div", { class: "option-grid" }, ...boxes),
  );
  const read = (): Record<string, string> | undefined => {
    const wrong = fields.find(({ input }) => !input.checkValidity());
    if (wrong !== undefined) {
      details.open = true;
      wrong.input.reportValidity();
      return undefined;
    }
    const values = Object.fromEntries(fields.map(({ name, input }) => [name, input.value]));
    return withinWindow(
      Object.fromEntries(Object.entries(values).filter(([, value]) => value !== "")),
    );
  };
  return { element: details, read };
}

/** A step needs a window, and is at most as long. */
function withinWindow({ step, ...others }: Record<string, string>): Record<string, string> {
  const { window } = others;
  if (window === undefined || step === undefined) return others;
  return { ...others, step: String(Math.min(Number(step), Number(window))) };
}

function makeInput({ name, initial, range, step }: NumberOption): HTMLInputElement {
  return make("input", {
    type: "number",
    id: `option-${name}`,
    value: initial,
    min: range[0],
    max: range[1],
    step,
    inputmode: "decimal",
    "aria-describedby": `hint-${name}`,
  });
}
