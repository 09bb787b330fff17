import { createRandom } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { evenPairs, labelCandidates, matchByLabel } from "../src/matchLabel.ts";
import { facePaths, item, items, sampleText } from "./fixtures.ts";

function usesOf(values: readonly number[], count: number): number[] {
  return Array.from(
    { length: count },
    (_, value) => values.filter((used) => used === value).length,
  );
}

describe("evenPairs", () => {
  const size = fc.integer({ min: 1, max: 12 });
  test("uses each element as often as any other, and no combination twice before all were used", () => {
    fc.assert(
      fc.property(size, size, fc.integer({ min: 0, max: 400 }), fc.nat(), (a, b, count, seed) => {
        const first = Array.from({ length: a }, (_, i) => i);
        const second = Array.from({ length: b }, (_, i) => i);
        const pairs = evenPairs(first, second, count, createRandom(seed));
        expect(pairs).toHaveLength(count);
        const lists = [
          usesOf(
            pairs.map(([left]) => left),
            a,
          ),
          usesOf(
            pairs.map(([, right]) => right),
            b,
          ),
          usesOf(
            pairs.map(([left, right]) => left * b + right),
            a * b,
          ),
        ];
        for (const uses of lists)
          expect(Math.max(...uses) - Math.min(...uses)).toBeLessThanOrEqual(1);
      }),
    );
  });

  test("another seed pairs otherwise", () => {
    const list = [0, 1, 2, 3, 4, 5, 6, 7];
    const [one, same, other] = [1, 1, 2].map((seed) =>
      evenPairs(list, list, 8, createRandom(seed)),
    );
    expect(same).toEqual(one);
    expect(other).not.toEqual(one);
  });
});

describe("matchByLabel", () => {
  const audio = items("audio", ["sad/a.wav", "sad/b.wav", "sad/c.wav", "happy/d.wav"]);
  const faces = items("image", facePaths(2, ["happy", "sad"]));

  test("makes as many pairs of each class as the largest class has rows", () => {
    const { samples, leftovers } = matchByLabel([...faces, ...audio], undefined, createRandom(1));
    expect(samples.filter(({ label }) => label === "sad")).toHaveLength(3);
    expect(samples.filter(({ label }) => label === "happy")).toHaveLength(3);
    expect(leftovers).toEqual([]);
    for (const {
      images: [image],
      audio: clip,
      label,
    } of samples)
      expect([image?.label, clip?.label]).toEqual([label, label]);
  });

  test("--pairs_per_class sets that number, and says which rows it leaves", () => {
    const { samples, leftovers } = matchByLabel([...faces, ...audio], 1, createRandom(1));
    expect(samples.map(({ label }) => label)).toEqual(["happy", "sad"]);
    expect(new Set(samples.map(sampleText)).size).toBe(2);
    expect(leftovers.map(({ cause }) => cause)).toEqual(
      leftovers.map(() => "not needed for --pairs_per_class"),
    );
    expect(leftovers).toHaveLength(8 - 4);
  });

  test("a class that lacks a modality, and rows without a label, are set aside", () => {
    const images = [...faces, item("image", "calm/1.jpg"), item("image", "x.jpg")];
    const { items: usable, leftovers } = labelCandidates(images, audio);
    expect(usable).toHaveLength(8);
    expect(leftovers.map(({ items: [row], cause }) => `${row?.path}: ${cause}`)).toEqual([
      "calm/1.jpg: no audio of the class calm",
      "x.jpg: has no label",
    ]);
  });
});
