import type { LogMelConfig } from "../audio/logMelConfig.ts";
import type { FeatureRow } from "../hdf5/preprocessedAudio.ts";

/** dB of the darkest and the brightest colour. */
export const DB_RANGE = [-80, 0] as const;
const COLOUR_SCHEME = "magma";
/** Where a clip has ended and a longer one goes on. */
const NOTHING_RGB = [236, 236, 236] as const;

/** In pixels. */
interface Size {
  readonly width: number;
  readonly height: number;
}

/** Pixels, row by row from the top. */
export interface Raster extends Size {
  /** [height, width, 3] in 0..255 */
  readonly rgb: Uint8Array;
}

/** The colours of the colour bar, [256, 3] in 0..255, from the quietest to the loudest. */
export async function colourTable(): Promise<Uint8Array> {
  const { scheme } = await import("vega");
  const colourAt: (share: number) => string = scheme(COLOUR_SCHEME);
  return Uint8Array.from(
    Array.from({ length: 256 }, (_, i) => colourAt(i / 255).match(/\d+/g) ?? []).flat(),
    Number,
  );
}

/**
 * A clip's cells as the pixels of a panel that spans [0, seconds] and [0, mel(sr / 2)].
 *
 * Frame t is centred at t · hop_length / sr seconds. Band i is centred at (i + 1) / (n_mels + 1) of the mel scale, and the
 * outermost bands' cells reach to its ends, as their triangles do; likewise the last frame's, where the clip ends with the panel.
 * @param colours [256, 3], of -80 to 0 dB
 */
export function spectrogramRaster(
  { features, frames }: Pick<FeatureRow, "features" | "frames">,
  { sr, hop_length, n_mels }: LogMelConfig,
  seconds: number,
  colours: Uint8Array,
  { width, height }: Size,
): Raster {
  const hops = (seconds * sr) / hop_length;
  const times = cellsUnder(width, 0.5, hops + 0.5).map((time) =>
    frames >= hops ? clamped(time, frames) : time,
  );
  const bands = cellsUnder(height, n_mels + 0.5, -0.5).map((band) => clamped(band, n_mels));
  const rgb = new Uint8Array(width * height * 3);
  for (const [y, band] of bands.entries()) {
    const row = y * width * 3;
    if (String(band) === String(bands[y - 1])) {
      rgb.copyWithin(row, row - width * 3, row); // most rows of pixels are of the same band as the one above
      continue;
    }
    for (const [x, time] of times.entries()) {
      const db = meanOver(features, frames, band, time);
      rgb.set(db === undefined ? NOTHING_RGB : colourOf(db, colours), row + x * 3);
    }
  }
  return { rgb, width, height };
}

/** The colour bar's pixels, the loudest on top. */
export function barRaster(colours: Uint8Array, { width, height }: Size): Raster {
  const [low, high] = DB_RANGE;
  const rgb = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1)
      rgb.set(colourOf(high + ((low - high) * (y + 0.5)) / height, colours), (y * width + x) * 3);
  return { rgb, width, height };
}

/** Indices of cells, both included. */
type Range = readonly [first: number, last: number];

/**
 * The cells that each pixel shows, cell i being [i, i + 1): those whose centres lie in the pixel, else the one that the
 * pixel's centre lies in. So large cells keep sharp edges and many small ones are averaged.
 * @param from where the first pixel begins, in cells; the last ends at `to`, which may be lower
 */
function cellsUnder(pixels: number, from: number, to: number): Range[] {
  const step = (to - from) / pixels;
  return Array.from({ length: pixels }, (_, pixel) => {
    const centre = from + (pixel + 0.5) * step;
    const half = Math.abs(step) / 2;
    const [first, last] = [Math.ceil(centre - half - 0.5), Math.ceil(centre + half - 0.5) - 1];
    return first > last ? [Math.floor(centre), Math.floor(centre)] : [first, last];
  });
}

function clamped([first, last]: Range, count: number): Range {
  return [Math.max(0, Math.min(first, count - 1)), Math.max(0, Math.min(last, count - 1))];
}

/** Mean dB of a box of cells, as far as the clip goes; undefined beyond its end. */
function meanOver(
  features: Float32Array,
  frames: number,
  bands: Range,
  times: Range,
): number | undefined {
  let [sum, count] = [0, 0];
  for (let band = bands[0]; band <= bands[1]; band += 1)
    for (let t = times[0]; t <= Math.min(times[1], frames - 1); t += 1) {
      sum += features[band * frames + t] ?? 0;
      count += 1;
    }
  return count === 0 ? undefined : sum / count;
}

function colourOf(db: number, colours: Uint8Array): Uint8Array {
  const [low, high] = DB_RANGE;
  const share = Math.max(0, Math.min(1, (db - low) / (high - low))) || 0; // of NaN, the darkest
  const at = 3 * Math.round(255 * share);
  return colours.subarray(at, at + 3);
}
