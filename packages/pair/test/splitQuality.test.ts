import { createRandom, shuffle } from "@emotion-service/core/random";
import { describe, expect, test } from "vitest";
import { PARTS, type Sample } from "../src/parts.ts";
import { type Plan, planPairs } from "../src/planPairs.ts";
import { items } from "./fixtures.ts";

const CODES = ["ANG", "DIS", "FEA", "HAP", "NEU", "SAD"];
const FRACTIONS = { train: 0.8, val: 0.1, test: 0.1 };

/** CREMA-D as it is: 91 speakers, about 82 clips each, neutral a seventh fewer; some clips lack. */
function cremadLike(): string[] {
  const random = createRandom(5);
  return Array.from({ length: 91 }, (_, speaker) =>
    CODES.flatMap((code) =>
      Array.from({ length: code === "NEU" ? 12 : 14 }, (__, take) => {
        const sentence = `A${String.fromCharCode(65 + take)}A`;
        return `${1001 + speaker}_${sentence}_${code}_XX.wav`;
      }),
    ),
  )
    .flat()
    .filter(() => random() > 0.05);
}

function planOf(clips: readonly string[], seed: number): Plan {
  const images = clips.map((clip) => clip.replace(".wav", ".jpg"));
  return planPairs(items("image", images), items("audio", clips), {
    matchBy: "name",
    classes: undefined,
    keepUnmatched: false,
    pairsPerClass: undefined,
    seed,
    fractions: FRACTIONS,
    splitRequired: true,
    groupNoun: "speakers",
  });
}

const pathsOf = (rows: readonly Sample[] = []): string[] =>
  rows.map(({ audio }) => audio?.path ?? "");

describe("the split of 91 speakers over 20 seeds", () => {
  const clips = cremadLike();
  const seeds = Array.from({ length: 20 }, (_, seed) => seed);

  test("every class has its share within a point, and no speaker stands in two parts", () => {
    const total = new Map(
      CODES.map((code) => [code, clips.filter((c) => c.includes(code)).length]),
    );
    for (const seed of seeds) {
      const { parts } = planOf(clips, seed);
      const speakers = PARTS.map(
        (part) => new Set(pathsOf(parts.get(part)).map((p) => p.slice(0, 4))),
      );
      expect(speakers.reduce((sum, { size }) => sum + size, 0)).toBe(91);
      for (const part of PARTS)
        for (const [code, all] of total) {
          const own = pathsOf(parts.get(part)).filter((path) => path.includes(code)).length;
          expect(Math.abs(own / all - FRACTIONS[part])).toBeLessThan(0.01);
        }
    }
  });

  test("every seed tests other speakers, and most speakers are tested by some seed", () => {
    const tests = seeds.map((seed) => {
      const paths = pathsOf(planOf(clips, seed).parts.get("test"));
      return [...new Set(paths.map((path) => path.slice(0, 4)))];
    });
    expect(new Set(tests.map((speakers) => speakers.join())).size).toBe(seeds.length);
    // 20 draws of 9 of 91, were they independent, would meet 91 (1 - (1 - 9/91)^20) = 80 of them
    expect(new Set(tests.flat()).size).toBeGreaterThan(70);
  });

  test("the order of rows does not matter", () => {
    const shuffled = shuffle([...clips], createRandom(9));
    const [one, other] = [planOf(clips, 3), planOf(shuffled, 3)];
    for (const part of PARTS)
      expect(pathsOf(other.parts.get(part))).toEqual(pathsOf(one.parts.get(part)));
  });
});
