import type { Answer } from "./answer.ts";
import { announce, make, makeButton } from "./dom.ts";

/** The server's answer to copy, to keep as a file, and to read. */
export function makeJsonActions(answer: Answer): HTMLElement {
  const { view: _, ...prediction } = answer; // pictures as text are of no use to a reader
  const json = `${JSON.stringify(prediction, undefined, 2)}\n`;
  const copy = makeButton("Copy JSON", () => void copyText(json, copy));
  const save = makeButton("Download JSON", () =>
    saveText(json, `${nameOf(answer)}.prediction.json`),
  );
  const text = make(
    "pre",
    { class: "json", tabindex: 0, "aria-label": "The prediction as JSON" },
    make("code", {}, json),
  );
  return make(
    "div",
    { class: "json-actions" },
    make("div", { class: "buttons" }, copy, save),
    make("details", {}, make("summary", {}, "The JSON"), text),
  );
}

function nameOf({ video, image, audio }: Answer): string {
  return (video ?? image ?? audio ?? "input").replace(/\.[^.]+$/, "");
}

async function copyText(text: string, button: HTMLButtonElement): Promise<void> {
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "Copied";
    announce("The JSON was copied.");
  } catch {
    announce("The browser did not allow the copy. Open the JSON below and copy it there.");
    button.textContent = "Not allowed here";
  }
  setTimeout(() => (button.textContent = "Copy JSON"), 2000);
}

function saveText(text: string, name: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
  make("a", { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 10_000);
}
