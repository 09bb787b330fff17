import { expect, test } from "vitest";
import { alignFace } from "../../src/face/alignFace.ts";
import type { RgbImage } from "../../src/face/image.ts";

const SIZE = 112;
/** Where alignFace puts the eyes, in pixels of its output. */
const LEFT = { x: 0.311 * SIZE, y: 0.297 * SIZE };
const RIGHT = { x: 0.704 * SIZE, y: 0.297 * SIZE };

function picture(size: number, value: (x: number, y: number) => number): RgbImage {
  const data = new Uint8Array(size * size * 3);
  for (let y = 0; y < size; y += 1)
    for (let x = 0; x < size; x += 1)
      data.fill(value(x, y), (y * size + x) * 3, (y * size + x) * 3 + 3);
  return { data, width: size, height: size };
}

/** The brightest pixel's centre within a half of the picture. */
function brightest({ data, width, height }: RgbImage, half: "left" | "right") {
  let best = { x: 0, y: 0, value: -1 };
  for (let y = 0; y < height; y += 1)
    for (let x = 0; x < width; x += 1) {
      const value = data[(y * width + x) * 3] ?? 0;
      if (x < width / 2 === (half === "left") && value > best.value)
        best = { x: x + 0.5, y: y + 0.5, value };
    }
  return best;
}

test("eyes that lie in their places already leave the picture as it is", () => {
  const image = picture(SIZE, (x, y) => (x * 7 + y * 13) % 256);
  expect(alignFace(image, LEFT, RIGHT, SIZE).data).toEqual(image.data);
});

test.each([
  ["level", 0],
  ["tilted by 20 degrees", (20 * Math.PI) / 180],
  ["tilted the other way", (-35 * Math.PI) / 180],
])("eyes of a larger face, %s, come out level in their places", (_, angle) => {
  const centre = { x: 200, y: 180 };
  const reach = 60;
  const left = { x: centre.x - reach * Math.cos(angle), y: centre.y - reach * Math.sin(angle) };
  const right = { x: centre.x + reach * Math.cos(angle), y: centre.y + reach * Math.sin(angle) };
  const blob = (x: number, y: number, eye: { x: number; y: number }): number =>
    255 * Math.exp(-((x + 0.5 - eye.x) ** 2 + (y + 0.5 - eye.y) ** 2) / 40);
  const image = picture(400, (x, y) => Math.round(blob(x, y, left) + blob(x, y, right)));
  const aligned = alignFace(image, left, right, SIZE);
  for (const [half, place] of [["left", LEFT] as const, ["right", RIGHT] as const]) {
    const found = brightest(aligned, half);
    expect(Math.hypot(found.x - place.x, found.y - place.y)).toBeLessThan(1);
  }
});

test("what lies outside the picture is black", () => {
  const aligned = alignFace(
    picture(40, () => 200),
    { x: 5, y: 5 },
    { x: 35, y: 5 },
    SIZE,
  );
  expect(aligned.data.subarray(0, 3)).toEqual(Uint8Array.of(0, 0, 0));
});
