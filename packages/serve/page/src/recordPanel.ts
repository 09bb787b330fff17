import { announce, make, makeButton } from "./dom.ts";
import {
  type RecordKind,
  followLevel,
  openDevices,
  startRecording,
  takePhoto,
} from "./recorder.ts";

const NAMES: Readonly<Record<RecordKind, string>> = {
  photo: "Photo",
  sound: "Sound",
  video: "Video",
};

interface RecordPanelOptions {
  /** A recording ends by itself then, seconds. */
  readonly longest: number;
  readonly onFile: (file: File) => void;
  readonly onProblem: (message: string) => void;
}

/** Buttons that open the camera and the microphone, and what runs while they are open. */
export function makeRecordPanel(options: RecordPanelOptions): HTMLElement {
  const stage = make("div", { class: "record-stage" });
  const buttons = Object.entries(NAMES).map(([kind, name]) =>
    makeButton(name, () => void open(kind as RecordKind), {
      class: "record-button",
      "data-kind": kind,
    }),
  );
  const open = async (kind: RecordKind): Promise<void> => {
    for (const button of buttons) button.disabled = true;
    try {
      const stream = await openDevices(kind);
      await runStage(stage, stream, kind, options);
    } catch (error) {
      options.onProblem(error instanceof Error ? error.message : String(error));
    } finally {
      for (const button of buttons) button.disabled = false;
      stage.replaceChildren();
      if (document.activeElement === document.body)
        buttons.find((button) => button.dataset["kind"] === kind)?.focus();
    }
  };
  const title = make("p", { id: "record-title", class: "record-title" }, "or record here");
  const group = make(
    "div",
    { class: "record-buttons", role: "group", "aria-labelledby": "record-title" },
    ...buttons,
  );
  return make("div", { class: "record" }, title, group, stage);
}

/** Until the person stops it, or its time is over. The devices are closed then, whatever happened. */
async function runStage(
  stage: HTMLElement,
  stream: MediaStream,
  kind: RecordKind,
  options: RecordPanelOptions,
): Promise<void> {
  try {
    const file = await (kind === "photo"
      ? runPhoto(stage, stream)
      : runRecording(stage, stream, kind, options.longest));
    if (file !== undefined) options.onFile(file);
  } finally {
    for (const track of stream.getTracks()) track.stop();
  }
}

/** The file, or undefined where the person left it. */
async function runPhoto(stage: HTMLElement, stream: MediaStream): Promise<File | undefined> {
  const preview = makePreview(stream);
  const chosen = new Promise<"take" | "leave">((done) => {
    const take = makeButton("Take the photo", () => done("take"), { class: "primary" });
    const leave = makeButton("Cancel", () => done("leave"));
    stage.replaceChildren(preview, make("div", { class: "stage-buttons" }, take, leave));
    take.focus();
  });
  announce("The camera is on.");
  if ((await chosen) === "leave") return undefined;
  return takePhoto(preview);
}

async function runRecording(
  stage: HTMLElement,
  stream: MediaStream,
  kind: "sound" | "video",
  longest: number,
): Promise<File | undefined> {
  const recording = startRecording(stream, kind);
  let isLeft = false;
  const stop = makeButton("Stop", () => recording.stop(), { class: "primary stop" });
  const leave = makeButton("Cancel", () => {
    isLeft = true;
    recording.stop();
  });
  const meter = makeMeter();
  const left = make("p", { class: "time-left", role: "timer" });
  const status = make(
    "div",
    { class: "stage-status" },
    make("p", { class: "recording-mark" }, "Recording"),
    left,
  );
  const preview = kind === "video" ? makePreview(stream) : undefined;
  const buttons = make("div", { class: "stage-buttons" }, stop, leave);
  stage.replaceChildren(
    ...(preview === undefined ? [] : [preview]),
    status,
    meter.element,
    buttons,
  );
  stop.focus();
  announce(`Recording. It ends by itself after ${longest} seconds.`);
  const endLevel = followLevel(stream, meter.show);
  const endClock = countDown(longest, left, recording.stop);
  const file = await recording.file;
  endLevel();
  endClock();
  announce(isLeft ? "The recording was left." : "The recording is done.");
  return isLeft ? undefined : file;
}

function makePreview(stream: MediaStream): HTMLVideoElement {
  const preview = make("video", {
    class: "preview",
    "aria-label": "What the camera sees",
    playsinline: true,
  });
  preview.muted = true;
  preview.srcObject = stream;
  void preview.play();
  return preview;
}

function makeMeter(): { readonly element: HTMLElement; readonly show: (level: number) => void } {
  const bar = make("span", { class: "meter-bar" });
  const meter = make(
    "div",
    {
      class: "meter",
      role: "meter",
      "aria-label": "Sound level",
      "aria-valuemin": 0,
      "aria-valuemax": 100,
      "aria-valuenow": 0,
    },
    bar,
  );
  const show = (level: number): void => {
    bar.style.width = `${100 * level}%`;
    bar.classList.toggle("meter-loud", level > 0.95);
    meter.setAttribute("aria-valuenow", String(Math.round(100 * level)));
  };
  return {
    element: make(
      "div",
      { class: "meter-line" },
      make("span", { class: "meter-name" }, "Level"),
      meter,
    ),
    show,
  };
}

/** Shows how much is left, and stops at the end. */
function countDown(longest: number, shown: HTMLElement, onEnd: () => void): () => void {
  const started = performance.now();
  const tick = (): void => {
    const left = Math.max(0, longest - (performance.now() - started) / 1000);
    shown.textContent = `${Math.ceil(left)} s left of ${longest} s`;
    if (left <= 0) onEnd();
  };
  tick();
  const timer = setInterval(tick, 250);
  return () => clearInterval(timer);
}
