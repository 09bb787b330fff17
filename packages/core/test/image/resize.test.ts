import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { resizeBilinear } from "@emotion-service/core/image/resize";
import { describe, expect, it } from "vitest";

type Size = [width: number, height: number];
const reference: { cases: { from: Size; to: Size; sha256: string; base64?: string }[] } =
  JSON.parse(readFileSync(new URL("../reference/pillow_resize.json", import.meta.url), "utf8"));

/** `noise` of scripts/reference/pillow_resize.py. */
function noise([width, height]: Size): { data: Uint8Array; width: number; height: number } {
  const data = Uint8Array.from({ length: width * height * 3 }, (_, i) => {
    const x = Math.imul(i + 1, 0x9e3779b1);
    return Math.imul(x ^ (x >>> 15), 0x85ebca77) >>> 24;
  });
  return { data, width, height };
}

describe("resizeBilinear", () => {
  it.each(reference.cases)("is Pillow's, byte for byte: $from to $to", (expected) => {
    const resized = resizeBilinear(noise(expected.from), ...expected.to);
    expect([resized.width, resized.height]).toEqual(expected.to);
    expect(createHash("sha256").update(resized.data).digest("hex")).toBe(expected.sha256);
  });

  it.each(reference.cases.filter(({ base64 }) => base64 !== undefined))(
    "shows what differs, where the result is small: $from to $to",
    ({ from, to, base64 }) => {
      const resized = resizeBilinear(noise(from), ...to);
      expect([...resized.data]).toEqual([...Buffer.from(base64!, "base64")]);
    },
  );

  it("leaves one colour as it is, whatever the sizes", () => {
    const data = new Uint8Array(37 * 23 * 3).fill(201);
    for (const [width, height] of [
      [224, 224],
      [5, 90],
      [37, 1],
    ] as const)
      expect(
        resizeBilinear({ data, width: 37, height: 23 }, width, height).data.every((v) => v === 201),
      ).toBe(true);
  });

  it("halves by a triangle over the four nearest pixels", () => {
    const data = new Uint8Array(8 * 3);
    data.fill(255, 3 * 3, 4 * 3); // pixel 3 of 8
    const { data: halved } = resizeBilinear({ data, width: 8, height: 1 }, 4, 1);
    // 0.75 · 255 of 0.25 + 0.75 + 0.75 + 0.25 in output 1, whose centre is 0.5 away; 0.25 in output 2, 1.5 away
    expect([0, 1, 2, 3].map((x) => halved[x * 3])).toEqual([0, 96, 32, 0]);
  });

  it("gives memory of its own, also where nothing changes", () => {
    const image = noise([6, 4]);
    const same = resizeBilinear(image, 6, 4);
    expect(same.data).toEqual(image.data);
    expect(same.data.buffer).not.toBe(image.data.buffer);
  });
});
