import type { Answer, FaceView } from "./answer.ts";
import { make } from "./dom.ts";
import type { Selection } from "./selection.ts";
import { duration } from "./words.ts";

const SVG = "http://www.w3.org/2000/svg";

/** The input as it is, and the face that was cut out of it. */
export interface MediaViews {
  readonly element: HTMLElement;
  /** Of a video or a sound. */
  readonly player: HTMLMediaElement | undefined;
}

export function makeMedia(answer: Answer, selection: Selection, signal: AbortSignal): MediaViews {
  const { face } = answer.view ?? {};
  const element = make("div", { class: "media" });
  const { image, audio, video } = selection;
  if (image !== undefined) element.append(makePicture(image, face, signal));
  const lasting = video ?? audio;
  const player = lasting && makePlayer(lasting, video === undefined ? "audio" : "video", signal);
  if (player !== undefined) element.append(player);
  if (face !== undefined) element.append(makeFaceCrop(face));
  return { element, player };
}

function urlOf(file: File, signal: AbortSignal): string {
  const url = URL.createObjectURL(file);
  signal.addEventListener("abort", () => URL.revokeObjectURL(url));
  return url;
}

function makePlayer(file: File, kind: "audio" | "video", signal: AbortSignal): HTMLMediaElement {
  const name = kind === "audio" ? "The sound" : "The video";
  const player = make(kind, {
    controls: true,
    playsinline: true,
    preload: "auto",
    class: "player",
    "aria-label": name,
  });
  player.src = urlOf(file, signal);
  player.addEventListener("error", () =>
    player.after(
      make("p", { class: "hint" }, "This browser cannot play the file; the server can read it."),
    ),
  );
  return player;
}

function makePicture(file: File, face: FaceView | undefined, signal: AbortSignal): HTMLElement {
  const picture = make("img", { alt: `The picture ${file.name}`, src: urlOf(file, signal) });
  const frame = make("div", { class: "picture" }, picture);
  picture.addEventListener("error", () =>
    frame.replaceChildren(
      make("p", { class: "hint" }, "This browser cannot show the picture; the server can read it."),
    ),
  );
  if (face !== undefined && face.box !== null) frame.append(makeBox(face, face.box));
  return frame;
}

/** A rectangle over the picture, in its pixels. */
function makeBox(
  { image_width: width, image_height: height }: FaceView,
  box: NonNullable<FaceView["box"]>,
): Element {
  const overlay = document.createElementNS(SVG, "svg");
  overlay.setAttribute("viewBox", `0 0 ${width ?? 1} ${height ?? 1}`);
  overlay.setAttribute("class", "face-box");
  overlay.setAttribute("aria-hidden", "true");
  for (const name of ["face-box-edge", "face-box-line"]) {
    const rectangle = document.createElementNS(SVG, "rect");
    rectangle.setAttribute("class", name);
    for (const [key, value] of Object.entries(box)) rectangle.setAttribute(key, String(value));
    overlay.append(rectangle);
  }
  return overlay;
}

function makeFaceCrop({ png, seconds, box }: FaceView): HTMLElement {
  const when = seconds === undefined ? "" : ` at ${duration(seconds)}`;
  const how = box === null ? "The picture as the model saw it" : "The face as the model saw it";
  const crop = make("img", { src: png, alt: `${how}${when}`, class: "crop" });
  return make("figure", { class: "crop-figure" }, crop, make("figcaption", {}, `${how}${when}`));
}
