import { UserError, throwIfAborted } from "../errors.ts";
import { type Embedded, type InputEncoders, NOT_USED, type Watch } from "./embedInput.ts";
import type { EmbeddedFrame } from "../video/meanEmbedding.ts";
import type { Models } from "./models.ts";
import {
  type Input,
  type Parts,
  type Prediction,
  type TimelineEntry,
  scoreInput,
  scoreParts,
} from "./scoreInput.ts";
import {
  type WindowParts,
  type Windows,
  createFrameWindows,
  embedSoundWindows,
} from "./timeline.ts";

/** An input of which nothing is told, and why. */
export interface FailedInput extends Input {
  readonly error: string;
}

/** How inputs are looked at, and what is told of them. */
export interface InputOptions {
  /** Frames of a video that are looked at, per second. */
  readonly fps: number;
  readonly top: number | undefined;
  readonly minConfidence: number | undefined;
  readonly window: number | undefined;
  readonly step: number | undefined;
  readonly signal?: AbortSignal | undefined;
  /** Whether an input that can be read but has neither face nor voice is told of like others, with emotion null: else it has failed. */
  readonly tellEmpty?: boolean;
  readonly watch?: Watch;
  /** Told how far a video has been looked at, seconds, and how long it is, where its file says that. */
  readonly onSeconds?: (done: number, total: number | undefined) => void;
}

/** An input's prediction, or why there is none. */
export async function predictInput(
  input: Input,
  models: Models,
  encoders: InputEncoders,
  options: InputOptions,
): Promise<Prediction | FailedInput> {
  const { fps, window, step = window, signal, watch } = options;
  const windows = window === undefined || step === undefined ? undefined : { window, step };
  const frames = windows && createFrameWindows(windows, fps);
  const seen = input.image ?? input.video;
  const image = await embedPart(seen, (path) =>
    input.video === undefined
      ? encoders.image(path, watch)
      : encoders.videoFaces(path, lookOf(options, frames?.add)),
  );
  throwIfAborted(signal); // Ctrl-C ends ffmpeg too, and what it left undone is no missing modality
  const heard = input.audio ?? input.video;
  const audio = await embedPart(heard, (path) => encoders.audio(path, watch));
  throwIfAborted(signal);
  if (options.tellEmpty === true ? isUnreadable([image, audio]) : isEmpty([image, audio])) {
    const causes = [
      ...(seen === undefined ? [] : [`face: ${causeOfPart(image)}`]),
      ...(heard === undefined ? [] : [`voice: ${causeOfPart(audio)}`]),
    ];
    const names = Object.values(input).join(", ");
    return { ...input, error: `${names}: holds nothing to predict on (${causes.join("; ")})` };
  }
  const prediction = await scoreInput(input, { image, audio }, models, options);
  if (windows === undefined || frames === undefined) return prediction;
  const sound =
    heard === undefined ? NOTHING : await soundWindows(heard, windows, encoders, signal);
  const found = { image: frames.finish(), audio: sound };
  const timeline = await scoreWindows(found, windows, models, options);
  return timeline.length === 0 ? prediction : { ...prediction, timeline };
}

async function embedPart(
  path: string | undefined,
  embed: (path: string) => Promise<Embedded>,
): Promise<Embedded> {
  return path === undefined ? NOT_GIVEN : embed(path);
}

const NOT_GIVEN: Embedded = { embedding: undefined, cause: "not given" };

const isEmpty = (parts: readonly Embedded[]): boolean =>
  parts.every(({ embedding }) => embedding === undefined);

const causeOfPart = (part: Embedded): string => ("cause" in part ? part.cause : "found");

/** Whether all that was looked at cannot be read: a video without sound can. */
function isUnreadable(parts: readonly Embedded[]): boolean {
  const looked = parts.filter((part) => part !== NOT_GIVEN && part !== NOT_USED);
  return looked.length > 0 && looked.every((part) => "unreadable" in part);
}

/** How a video is looked at, and whom it tells of each frame. */
function lookOf(
  { fps, signal, watch, onSeconds }: InputOptions,
  addToWindows: ((frame: EmbeddedFrame) => void) | undefined,
): Parameters<InputEncoders["videoFaces"]>[1] {
  let total: number | undefined;
  return {
    fps,
    signal,
    watch,
    onDuration: (seconds) => (total = seconds),
    onFrame: (frame) => {
      addToWindows?.(frame);
      onSeconds?.(frame.seconds, total);
    },
  };
}

const NOTHING: WindowParts = { parts: [], seconds: 0 };
const ABSENT: Embedded = { embedding: undefined, cause: "not there" };

/** Sound that cannot be read is missing; the summary says why. */
async function soundWindows(
  path: string,
  windows: Windows,
  encoders: InputEncoders,
  signal: AbortSignal | undefined,
): Promise<WindowParts> {
  try {
    const sound = await encoders.openSound(path);
    return await embedSoundWindows(sound, windows, (clip) => encoders.sound(clip), signal);
  } catch (error) {
    if (error instanceof UserError && error.code === "E_INPUT_BROKEN") return NOTHING;
    throw error;
  }
}

/** The models' word on each window, in order. */
async function scoreWindows(
  { image, audio }: { readonly image: WindowParts; readonly audio: WindowParts },
  { window, step }: Windows,
  models: Models,
  { minConfidence, signal }: InputOptions,
): Promise<TimelineEntry[]> {
  const seconds = Math.max(image.seconds, audio.seconds);
  const timeline: TimelineEntry[] = [];
  for (let k = 0; k < Math.max(image.parts.length, audio.parts.length); k += 1) {
    throwIfAborted(signal);
    const parts: Parts = { image: image.parts[k] ?? ABSENT, audio: audio.parts[k] ?? ABSENT };
    timeline.push({
      start: inMicroseconds(k * step),
      end: inMicroseconds(Math.min(k * step + window, seconds)),
      ...(await scoreParts(parts, models, minConfidence)),
      face: parts.image.embedding !== undefined,
      voice: parts.audio.embedding !== undefined,
    });
  }
  return timeline;
}

/** 3 · 0.1 is 0.30000000000000004. */
function inMicroseconds(seconds: number): number {
  return Math.round(seconds * 1e6) / 1e6;
}
