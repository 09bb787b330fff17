import type { RgbImage } from "./image.ts";

/** A part of a picture, whole pixels. */
export interface Region {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/**
 * A region of a picture as a square of `size` pixels, bilinear: output pixel i lies at i · side / size (TensorFlow's
 * resize without half-pixel centres, in its float32), between two pixels and no more, whatever the scale. The shorter side
 * is filled up with black: behind the picture, or on both sides (the odd pixel behind) where it is `centred`.
 * @returns [size, size, 3], 0 to 255
 */
export function resizeToSquare(
  image: RgbImage,
  region: Region,
  size: number,
  centred: boolean,
): Float32Array {
  const { x, y, width, height } = region;
  const side = Math.max(width, height);
  const before = (pixels: number): number => (centred ? Math.floor((side - pixels) / 2) : 0);
  const [left, top] = [before(width), before(height)];
  const places = samplePlaces(side, size);
  const out = new Float32Array(size * size * 3);
  const upper = new Uint8Array(side * 3);
  const lower = new Uint8Array(side * 3);
  const readRow = (line: Uint8Array, row: number): boolean => {
    const isInside = row >= top && row < top + height;
    const start = ((y + row - top) * image.width + x) * 3;
    if (isInside) line.set(image.data.subarray(start, start + width * 3), left * 3);
    else line.fill(0);
    return isInside;
  };
  for (let row = 0; row < size; row += 1) {
    const hasUpper = readRow(upper, places.first[row] ?? 0);
    const hasLower = readRow(lower, places.second[row] ?? 0);
    if (hasUpper || hasLower)
      blendRows(upper, lower, places.part[row] ?? 0, places, out.subarray(row * size * 3));
  }
  return out;
}

/** Between which two pixels the outputs lie along an axis, and how far towards the second. */
interface SamplePlaces {
  readonly first: Int32Array;
  readonly second: Int32Array;
  readonly part: Float32Array;
}

function samplePlaces(side: number, size: number): SamplePlaces {
  const scale = Math.fround(side / size);
  const places = {
    first: new Int32Array(size),
    second: new Int32Array(size),
    part: new Float32Array(size),
  };
  for (let i = 0; i < size; i += 1) {
    const place = Math.fround(i * scale);
    const first = Math.floor(place);
    places.first[i] = first;
    places.second[i] = Math.min(first + 1, side - 1);
    places.part[i] = place - first;
  }
  return places;
}

/** One output row: along both rows first, then from the upper to the lower by `down`. */
function blendRows(
  upper: Uint8Array,
  lower: Uint8Array,
  down: number,
  { first, second, part }: SamplePlaces,
  out: Float32Array,
): void {
  for (let i = 0; i < first.length; i += 1) {
    const a = (first[i] ?? 0) * 3;
    const b = (second[i] ?? 0) * 3;
    const right = part[i] ?? 0;
    for (let channel = 0; channel < 3; channel += 1) {
      const over = upper[a + channel] ?? 0;
      const under = lower[a + channel] ?? 0;
      const high = over + ((upper[b + channel] ?? 0) - over) * right;
      const low = under + ((lower[b + channel] ?? 0) - under) * right;
      out[i * 3 + channel] = high + (low - high) * down;
    }
  }
}
