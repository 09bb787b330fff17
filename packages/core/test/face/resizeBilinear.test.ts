import { expect, test } from "vitest";
import type { RgbImage } from "../../src/face/image.ts";
import { resizeToSquare } from "../../src/face/resizeBilinear.ts";

/** A picture whose red is the column, green the row, and blue 200. */
function ramp(width: number, height: number): RgbImage {
  const data = new Uint8Array(width * height * 3);
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) data.set([x, y, 200], (y * width + x) * 3);
  return { data, width, height };
}

function pixel(square: Float32Array, size: number, x: number, y: number): number[] {
  return [...square.subarray((y * size + x) * 3, (y * size + x) * 3 + 3)];
}

test("a square region of the size wanted is copied", () => {
  const square = resizeToSquare(ramp(20, 20), { x: 3, y: 5, width: 4, height: 4 }, 4, true);
  expect(pixel(square, 4, 0, 0)).toEqual([3, 5, 200]);
  expect(pixel(square, 4, 3, 2)).toEqual([6, 7, 200]);
});

test.each([
  ["larger", 16, 64],
  ["smaller", 90, 30],
])("output pixel i of a picture made %s lies at i · side / size", (_, side, size) => {
  const whole = { x: 0, y: 0, width: side, height: side };
  const square = resizeToSquare(ramp(side, side), whole, size, true);
  for (const i of [0, 1, 7, size - 1]) {
    const place = Math.min((i * side) / size, side - 1); // beyond the last pixel's place it is that pixel
    expect(pixel(square, size, i, 2)).toBeAllClose([place, (2 * side) / size, 200], { rtol: 1e-6 });
  }
});

test.each([
  ["behind a wide picture", 8, 4, false, [0, 0, 0, 0, 1, 1, 1, 1]],
  ["around a wide picture", 8, 5, true, [1, 0, 0, 0, 0, 0, 1, 1]],
  ["behind a tall picture", 4, 8, false, [0, 0, 0, 0, 1, 1, 1, 1]],
  ["around a tall picture", 5, 8, true, [1, 0, 0, 0, 0, 0, 1, 1]],
])("black fills the shorter side: %s", (_, width, height, centred, isBlack) => {
  const square = resizeToSquare(ramp(width, height), { x: 0, y: 0, width, height }, 8, centred);
  const along = isBlack.map((_black, i) =>
    width > height ? pixel(square, 8, 2, i) : pixel(square, 8, i, 2),
  );
  expect(along.map(([, , blue]) => (blue === 0 ? 1 : 0))).toEqual(isBlack);
});
