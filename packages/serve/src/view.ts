import type { PreparedSound, SoundInput } from "@emotion-service/core/audio/prepareSound";
import type { Sound } from "@emotion-service/core/audio/sound";
import type { RgbImage } from "@emotion-service/core/face/image";
import type { Watch } from "@emotion-service/core/predict/embedInput";
import type { View } from "./protocol.ts";

type SeenFace = Parameters<NonNullable<Watch["face"]>>[0];

/** Gathers what the models see of one input: `watch` is handed to the predictor, `finish` tells what came. */
export function createView(): { readonly watch: Watch; finish(): Promise<View> } {
  let face: SeenFace | undefined;
  let sound: Pick<View, "waveform" | "spectrogram"> = {};
  return {
    watch: {
      face: (seen) => {
        face ??= seen;
      },
      sound: async (clip, prepared, input) => {
        sound = { waveform: await waveformOf(clip), ...spectrogramOf(prepared, input) };
      },
    },
    finish: async () => ({ ...(face && { face: await faceOf(face) }), ...sound }),
  };
}

async function faceOf({
  crop,
  box,
  width,
  height,
  seconds,
}: SeenFace): Promise<NonNullable<View["face"]>> {
  return {
    png: await pngOf(crop),
    box: box === undefined ? null : { x: box.x, y: box.y, width: box.width, height: box.height },
    image_width: width ?? null,
    image_height: height ?? null,
    ...(seconds !== undefined && { seconds }),
  };
}

/** A data URL. */
async function pngOf({ data, width, height }: RgbImage): Promise<string> {
  const { default: sharp } = await import("sharp");
  const png = await sharp(data, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}

/** Columns of a waveform or a spectrogram, at most: more than a page shows. */
const COLUMNS = 600;
/** Samples whose least and greatest are kept while the length is not known. */
const PIECE = 128;

async function waveformOf(sound: Sound): Promise<NonNullable<View["waveform"]>> {
  const pieces: [low: number, high: number][] = [];
  let length = 0;
  await sound.read((block) => {
    for (const value of block) {
      if (length % PIECE === 0) pieces.push([value, value]);
      const piece = pieces.at(-1)!;
      if (value < piece[0]) piece[0] = value;
      if (value > piece[1]) piece[1] = value;
      length += 1;
    }
    return true;
  });
  const columns = Math.min(COLUMNS, pieces.length);
  const peaks: number[] = [];
  for (let column = 0; column < columns; column += 1) {
    const [from, to] = columnBounds(column, columns, pieces.length);
    let [low, high] = [Infinity, -Infinity];
    for (let at = from; at < to; at += 1) {
      low = Math.min(low, pieces[at]![0]);
      high = Math.max(high, pieces[at]![1]);
    }
    peaks.push(inFullScale(low), inFullScale(high));
  }
  return { seconds: length / sound.sampleRateHz, peaks };
}

/** The pieces of a column: from `from` on, before `to`. */
function columnBounds(column: number, columns: number, pieces: number): [from: number, to: number] {
  return [Math.floor((column * pieces) / columns), Math.floor(((column + 1) * pieces) / columns)];
}

/** Files of floating point may exceed full scale; four digits are more than a page shows. */
function inFullScale(value: number): number {
  return Math.round(Math.max(-1, Math.min(1, value)) * 1e4) / 1e4;
}

const LOWEST_DB = -80;

/** The log-mel that the encoder takes, a long one made narrower by the loudest of neighbouring frames; none of a waveform. */
function spectrogramOf(
  { values, steps }: PreparedSound,
  input: SoundInput,
): Pick<View, "spectrogram"> {
  if (input.kind !== "logmel" || steps === 0) return {};
  const { n_mels: mels, hop_length: hop, sr } = input.config;
  const frames = Math.min(COLUMNS, steps);
  const bytes = new Uint8Array(frames * mels);
  for (let frame = 0; frame < frames; frame += 1) {
    const [from, to] = columnBounds(frame, frames, steps);
    for (let mel = 0; mel < mels; mel += 1) {
      let loudest = LOWEST_DB;
      for (let at = from; at < to; at += 1)
        loudest = Math.max(loudest, values[mel * steps + at] ?? LOWEST_DB);
      bytes[frame * mels + mel] = Math.round(255 * Math.min(1, 1 - loudest / LOWEST_DB));
    }
  }
  const seconds = (steps * hop) / sr;
  const base64 = Buffer.from(bytes).toString("base64");
  return { spectrogram: { mels, frames, seconds, top_hz: sr / 2, values: base64 } };
}
