import { runFfmpeg } from "../audio/ffmpeg.ts";
import { tooLong } from "../audio/sound.ts";
import { UserError, causeOf } from "../errors.ts";
import { statOf } from "../files/listFiles.ts";
import type { RgbImage } from "../face/image.ts";

/** Frames of a video that are looked at, per second, unless said. */
export const DEFAULT_FPS = 2;
/** A larger frame is scaled down to it, pixels: the face in it stays larger than what the encoder wants. */
const MAX_SIDE = 960;
/** Containers keep times in whole milliseconds: a frame this early (seconds) is on time. */
const EARLY = 0.0005;

/** What keeps ffmpeg from repeating or dropping frames after the filters: its name since 5.1, and the one until 8. */
const EVERY_FRAME = ["-fps_mode", "-vsync"] as const;

/** What is looked at in a video. */
export interface FrameOptions {
  /** Frames a second, at most. */
  readonly fps: number;
  readonly signal?: AbortSignal | undefined;
  /** Told how long the video is, seconds, where its file says so. */
  readonly onDuration?: (seconds: number) => void;
  readonly limits?: { readonly seconds: number; readonly pixels: number } | undefined;
}

/** A picture of a video, and its time. */
export interface VideoFrame extends RgbImage {
  /** From the first frame on. */
  readonly seconds: number;
}

/**
 * Frames of a video, upright and of square pixels, in order, one at a time. Time is cut into pieces of 1/fps seconds, from the first
 * frame on, and the first frame that begins in a piece is taken: at a constant rate those at 0, 1/fps, 2/fps … seconds. A frame that
 * stays on for longer is taken once, so that a video of fewer frames than `fps` gives each of them once.
 * @throws UserError E_INPUT_BROKEN when ffmpeg cannot read it or it has no picture; E_ABORTED
 */
export async function* videoFrames(
  path: string,
  options: FrameOptions,
): AsyncGenerator<VideoFrame> {
  if (statOf(path)?.size === 0)
    throw new UserError("E_INPUT_BROKEN", `${path}: is empty (0 bytes)`);
  const [name, formerName] = EVERY_FRAME;
  try {
    yield* decode(path, options, name);
  } catch (error) {
    if (!causeOf(error).includes("Option not found")) throw error;
    yield* decode(path, options, formerName);
  }
}

async function* decode(
  path: string,
  { fps, signal, onDuration, limits }: FrameOptions,
  everyFrame: (typeof EVERY_FRAME)[number],
): AsyncGenerator<VideoFrame> {
  const times = createTimes();
  const firstThatIsNoCover = ["-map", "0:V:0"];
  const filters = [
    "-vf",
    `${sample(fps)},${TELL_TIMES},${squarePixels()}`,
    everyFrame,
    "passthrough",
  ];
  const asPpm = ["-c:v", "ppm", "-pix_fmt", "rgb24"];
  const output = {
    format: "image2pipe",
    options: [...firstThatIsNoCover, ...filters, ...asPpm],
    onLine: (line: string) => {
      times.read(line);
      const [, ...parts] = TOLD_DURATION.exec(line) ?? [];
      if (parts.length > 0) onDuration?.(parts.reduce((sum, part) => sum * 60 + Number(part), 0));
    },
  };
  const stream = await runFfmpeg(path, output, { signal, pixels: limits?.pixels });
  stream.on("close", times.end);
  for await (const picture of ppmPictures(stream)) {
    const seconds = await times.next();
    if (limits !== undefined && seconds > limits.seconds) throw tooLong(path, limits.seconds);
    yield { ...picture, seconds };
  }
}

/** What ffmpeg says of an input: hours, minutes and seconds. */
const TOLD_DURATION = /^\s*Duration: (\d+):(\d+):([\d.]+),/;

/** Has ffmpeg say the time of each frame, in microseconds: a PPM picture has none. */
const TELL_TIMES = "settb=1/1000000,showinfo";
const TOLD_TIME = /^\[Parsed_showinfo_\d+ @ \w+\] n: *\d+ pts: *(\S+)/; // a title may have any words, further in

/** The times of frames, seconds from the first one on, as ffmpeg says them beside the pictures: earlier or later than these come. */
function createTimes() {
  const told: number[] = [];
  let start: number | undefined;
  let last = 0;
  let isOver = false;
  let wake = (): void => {};
  return {
    read: (line: string): void => {
      const [, time] = TOLD_TIME.exec(line) ?? [];
      if (time === undefined) return;
      told.push(Number(time) / 1e6);
      wake();
    },
    /** No more will come: ffmpeg has ended, or was ended. */
    end: (): void => {
      isOver = true;
      wake();
    },
    /** That of the next frame; of one that has none, that of the frame before it. */
    next: async (): Promise<number> => {
      while (told.length === 0 && !isOver) await new Promise<void>((settle) => (wake = settle));
      const time = told.shift() ?? NaN;
      if (Number.isFinite(time)) last = time - (start ??= time);
      return last;
    },
  };
}

/**
 * ffmpeg's filter that takes the first frame of each piece of 1/fps seconds. Its own filter `fps` repeats frames, and gives none of a
 * video that is shorter than half a piece.
 */
function sample(fps: number): string {
  const piece = (time: string): string => `floor((${time}-start_t+${EARLY})*${fps})`;
  return `select='isnan(prev_selected_t)+not(eq(${piece("t")},${piece("prev_selected_t")}))'`;
}

/** Pixels of anamorphic video are not square: what was squeezed is widened again. */
function squarePixels(): string {
  const shrink = `min(1,${MAX_SIDE}/max(iw*sar,ih))`;
  return `scale='max(1,round(iw*sar*${shrink}))':'max(1,round(ih*${shrink}))'`;
}

/** A PPM picture's head: "P6", width, height, 255. */
const HEAD = /^P6\s(\d+)\s(\d+)\s255\s/;
const LONGEST_HEAD = 64;

/** Reads PPM pictures one after another. */
async function* ppmPictures(stream: AsyncIterable<Buffer>): AsyncGenerator<RgbImage> {
  let head = Buffer.alloc(0);
  let picture: RgbImage | undefined;
  let filled = 0;
  for await (const chunk of stream) {
    let bytes = chunk;
    while (bytes.length > 0) {
      if (picture === undefined) {
        head = Buffer.concat([head, bytes]);
        const found = HEAD.exec(head.toString("latin1", 0, LONGEST_HEAD));
        if (found === null) break;
        const [width, height] = [Number(found[1]), Number(found[2])];
        picture = { data: new Uint8Array(width * height * 3), width, height };
        filled = 0;
        bytes = head.subarray(found[0].length);
        head = Buffer.alloc(0);
      }
      const part = bytes.subarray(0, picture.data.length - filled);
      picture.data.set(part, filled);
      filled += part.length;
      bytes = bytes.subarray(part.length);
      if (filled < picture.data.length) continue;
      yield picture;
      picture = undefined;
    }
  }
}
