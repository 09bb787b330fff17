import type { RgbImage } from "./image.ts";

export interface Point {
  readonly x: number;
  readonly y: number;
}

/**
 * Where the eyes lie in an aligned face, as parts of its width and height: the median over aligned FER2013 faces of
 * face-api's own landmarks, so that a face cut from a photograph is framed as those that the network learnt from.
 */
export const LEFT_EYE = { x: 0.311, y: 0.297 };
export const RIGHT_EYE = { x: 0.704, y: 0.297 };

/**
 * Cuts a face out, turned and scaled so that its eyes lie level and in their places (a similarity transform), bilinear,
 * averaged over the source pixels that an output pixel covers. What lies outside the picture is black.
 * @param leftEye pixels; the eye on the left of the picture
 * @param rightEye pixels
 * @returns [size, size, 3]
 */
export function alignFace(
  image: RgbImage,
  leftEye: Point,
  rightEye: Point,
  size: number,
): RgbImage {
  const span = (RIGHT_EYE.x - LEFT_EYE.x) * size;
  const a = (rightEye.x - leftEye.x) / span; // source pixels for one output pixel to the right
  const b = (rightEye.y - leftEye.y) / span;
  const samples = Math.max(1, Math.ceil(Math.hypot(a, b))); // along each axis of an output pixel
  const data = new Uint8Array(size * size * 3);
  const sum = new Float64Array(3);
  for (let y = 0; y < size; y += 1)
    for (let x = 0; x < size; x += 1) {
      sum.fill(0);
      for (let j = 0; j < samples; j += 1)
        for (let i = 0; i < samples; i += 1) {
          const dx = x + (i + 0.5) / samples - LEFT_EYE.x * size;
          const dy = y + (j + 0.5) / samples - LEFT_EYE.y * size;
          addBilinear(sum, image, leftEye.x + a * dx - b * dy, leftEye.y + b * dx + a * dy);
        }
      for (let channel = 0; channel < 3; channel += 1)
        data[(y * size + x) * 3 + channel] = Math.round((sum[channel] ?? 0) / samples ** 2);
    }
  return { data, width: size, height: size };
}

/** Adds the value at a place in pixels (the first pixel's centre lies at 0.5, 0.5) to `sum`, [3]. */
function addBilinear(
  sum: Float64Array,
  { data, width, height }: RgbImage,
  x: number,
  y: number,
): void {
  const left = Math.floor(x - 0.5);
  const top = Math.floor(y - 0.5);
  if (left < -1 || top < -1 || left >= width || top >= height) return;
  const right = x - 0.5 - left;
  const down = y - 0.5 - top;
  const at = (top * width + left) * 3;
  // Of the four pixels around the place, those that lie in the picture; the others are black.
  const hasLeft = left >= 0;
  const hasRight = left + 1 < width;
  const hasTop = top >= 0;
  const hasBottom = top + 1 < height;
  const below = at + width * 3;
  for (let channel = 0; channel < 3; channel += 1) {
    const topLeft = hasTop && hasLeft ? (data[at + channel] ?? 0) : 0;
    const topRight = hasTop && hasRight ? (data[at + 3 + channel] ?? 0) : 0;
    const bottomLeft = hasBottom && hasLeft ? (data[below + channel] ?? 0) : 0;
    const bottomRight = hasBottom && hasRight ? (data[below + 3 + channel] ?? 0) : 0;
    sum[channel] =
      (sum[channel] ?? 0) +
      ((1 - down) * ((1 - right) * topLeft + right * topRight) +
        down * ((1 - right) * bottomLeft + right * bottomRight));
  }
}
