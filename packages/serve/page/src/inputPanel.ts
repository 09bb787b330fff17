import { announce, make, makeButton } from "./dom.ts";
import { makeRecordPanel } from "./recordPanel.ts";
import { type Kind, KINDS, type Selection, addFiles, isEmpty, without } from "./selection.ts";
import { fileSize } from "./words.ts";

const KIND_NAMES: Readonly<Record<Kind, string>> = {
  image: "Picture",
  audio: "Sound",
  video: "Video",
};

interface InputPanelOptions {
  /** Seconds that a recording may take. */
  readonly longestRecording: number;
  readonly onAnalyse: (selection: Selection) => void;
}

/** Where files are dropped, pasted, chosen and recorded, and what is chosen of them. */
export function fillInputPanel(
  panel: HTMLElement,
  optionsForm: HTMLElement,
  { longestRecording, onAnalyse }: InputPanelOptions,
): void {
  let selection: Selection = {};
  const list = make("ul", { class: "chosen", "aria-label": "Chosen files" });
  const problem = make("p", { class: "input-problem", role: "alert" });
  const analyse = makeButton("Analyse", () => onAnalyse(selection), { class: "primary analyse" });
  const show = (): void => {
    list.replaceChildren(
      ...KINDS.flatMap((kind) => makeItem(kind, selection[kind], () => remove(kind))),
    );
    list.hidden = isEmpty(selection);
    analyse.disabled = isEmpty(selection);
  };
  const remove = (kind: Kind): void => {
    announce(`${selection[kind]?.name ?? ""} was removed.`);
    selection = without(selection, kind);
    show();
    chooser.focus();
  };
  const add = (files: readonly File[]): void => {
    const added = addFiles(selection, files);
    selection = added.selection;
    problem.textContent = added.refused.join(". ");
    show();
    if (isEmpty(selection)) return;
    announce(`Chosen: ${KINDS.flatMap((kind) => selection[kind]?.name ?? []).join(", ")}.`);
    analyse.focus();
  };
  const chooser = makeChooser(add);
  listenToPage(add);
  const onProblem = (message: string): void => void (problem.textContent = message);
  const recorder = makeRecordPanel({
    longest: longestRecording,
    onFile: (file) => add([file]),
    onProblem,
  });
  show();
  panel.append(
    make("div", { class: "ways" }, makeDropZone(chooser, add), recorder),
    problem,
    list,
    make("div", { class: "go" }, analyse, optionsForm),
  );
}

function makeItem(kind: Kind, file: File | undefined, onRemove: () => void): HTMLElement[] {
  if (file === undefined) return [];
  const remove = makeButton("Remove", onRemove, {
    "aria-label": `Remove ${file.name}`,
    class: "quiet",
  });
  const name = make("span", { class: "chosen-name" }, file.name);
  const kindName = make("span", { class: "chosen-kind" }, KIND_NAMES[kind]);
  const size = make("span", { class: "chosen-size" }, fileSize(file.size));
  return [make("li", {}, kindName, name, size, remove)];
}

function makeChooser(add: (files: readonly File[]) => void): HTMLInputElement {
  const input = make("input", {
    type: "file",
    id: "files",
    class: "visually-hidden",
    multiple: true,
    accept: "image/*,audio/*,video/*,.flac,.amr,.mkv,.opus",
    "aria-describedby": "drop-hint",
  });
  input.addEventListener("change", () => {
    add([...(input.files ?? [])]);
    input.value = ""; // the same file may be chosen again
  });
  return input;
}

function makeDropZone(input: HTMLElement, add: (files: readonly File[]) => void): HTMLElement {
  const zone = make(
    "div",
    { class: "drop-zone" },
    input,
    make("label", { for: "files", class: "choose" }, "Choose files"),
    make(
      "p",
      { id: "drop-hint" },
      "or drop them here, or paste. A picture and a sound together are taken for one person.",
    ),
  );
  for (const event of ["dragenter", "dragover"] as const)
    zone.addEventListener(event, () => zone.classList.add("drop-over"));
  for (const event of ["dragleave", "drop"] as const)
    zone.addEventListener(event, () => zone.classList.remove("drop-over"));
  zone.addEventListener("drop", (event) => add([...(event.dataTransfer?.files ?? [])]));
  return zone;
}

/** A file that misses the zone must not take the page's place; what is pasted anywhere counts. */
function listenToPage(add: (files: readonly File[]) => void): void {
  for (const event of ["dragover", "drop"] as const)
    document.addEventListener(event, (drag) => drag.preventDefault());
  document.addEventListener("paste", (event) => {
    const files = [...(event.clipboardData?.files ?? [])];
    if (files.length > 0) add(files);
  });
}
