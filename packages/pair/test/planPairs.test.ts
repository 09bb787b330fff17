import { UserError } from "@emotion-service/core/errors";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { checkSplit } from "../src/checkSplit.ts";
import { FRAME_RULES, type Item, type Modality, itemsOf } from "../src/parts.ts";
import { type Plan, type PlanOptions, planPairs } from "../src/planPairs.ts";
import { manifestRows } from "../src/writePairs.ts";
import { cremadClips, facePaths, items } from "./fixtures.ts";

const defaults: PlanOptions = {
  matchBy: "auto",
  classes: undefined,
  keepUnmatched: false,
  pairsPerClass: undefined,
  seed: 1234,
  fractions: { train: 0.8, val: 0.1, test: 0.1 },
  splitRequired: false,
  groupNoun: "speakers",
};

describe("by label", () => {
  const faces = items("image", facePaths(30));
  const clips = items("audio", cremadClips(10));

  test("every class has equally many rows in a part, each row is used evenly", () => {
    const { parts } = planPairs(faces, clips, defaults);
    expect([...parts.keys()]).toEqual(["train", "val", "test"]);
    for (const samples of parts.values()) {
      const perClass = new Map<string, number>();
      const uses = new Map<Item, number>();
      for (const sample of samples) {
        perClass.set(sample.label, (perClass.get(sample.label) ?? 0) + 1);
        for (const row of itemsOf(sample)) uses.set(row, (uses.get(row) ?? 0) + 1);
      }
      expect(new Set(perClass.values()).size).toBe(1);
      expect(perClass.size).toBe(6);
      for (const [modality, label] of [
        ["image", "angry"],
        ["audio", "sad"],
      ]) {
        const own = [...uses]
          .filter(([row]) => row.modality === modality && row.label === label)
          .map(([, n]) => n);
        expect(Math.max(...own) - Math.min(...own)).toBeLessThanOrEqual(1);
      }
    }
  });

  test("--pairs_per_class is for train, the other parts get their share", () => {
    const { parts } = planPairs(faces, clips, { ...defaults, pairsPerClass: 40 });
    expect([...parts].map(([part, rows]) => [part, rows.length])).toEqual([
      ["train", 240],
      ["val", 30],
      ["test", 30],
    ]);
  });

  test("the speaker of a clip and of an image are one speaker", () => {
    const frames = ["05", "06", "07", "08"].flatMap((actor) =>
      ["03", "04", "05"].map((emotion) => `01-01-${emotion}-01-01-01-${actor}_f01.png`),
    );
    const sounds = ["05", "06", "07", "08"].flatMap((actor) =>
      ["03", "04", "05"].map((emotion) => `03-01-${emotion}-01-02-02-${actor}.wav`),
    );
    const plan = planPairs(items("image", frames), items("audio", sounds), {
      ...defaults,
      matchBy: "label",
    });
    expect(plan.notSplit).toBeUndefined();
    const contents = checkSplit(plan.parts);
    expect([...contents.values()].reduce((sum, { groups }) => sum + groups, 0)).toBe(4);
  });
});

describe("--split", () => {
  const faces = items("image", ["1001_IEO_ANG_XX.jpg", "1001_IEO_HAP_XX.jpg"]);
  const clips = items("audio", ["1001_IEO_ANG_XX.wav", "1001_IEO_HAP_XX.wav"]);

  test("one speaker stays whole by default, with the reason", () => {
    const { parts, notSplit } = planPairs(faces, clips, defaults);
    expect([...parts.keys()]).toEqual(["all"]);
    expect(notSplit).toContain("1 speaker (cremad:1001) cannot be split into 3 parts");
  });

  test("one speaker is an error when the split was asked for", () => {
    expect(() => planPairs(faces, clips, { ...defaults, splitRequired: true })).toThrow(
      "1 speaker (cremad:1001)",
    );
  });
});

/** Paths as they come: speakers, class folders, shared names, the same name twice. */
function anyPaths(modality: Modality) {
  const extension = modality === "image" ? fc.constantFrom("jpg", "png") : fc.constant("wav");
  const stem = fc.oneof(
    fc
      .tuple(fc.integer({ min: 1001, max: 1008 }), fc.constantFrom("ANG", "HAP", "SAD"))
      .map(([actor, code]) => `${actor}_IEO_${code}_XX`),
    fc
      .tuple(
        fc.constantFrom("03", "05"),
        fc.integer({ min: 1, max: 4 }),
        fc.constantFrom("", "_f01", "_f02"),
      )
      .map(
        ([emotion, actor, frame]) =>
          `${modality === "image" ? "01" : "03"}-01-${emotion}-01-01-01-0${actor}${modality === "image" ? frame : ""}`,
      ),
    fc
      .tuple(
        fc.constantFrom("happy", "sad", "angry", "calm", "other"),
        fc.integer({ min: 0, max: 9 }),
      )
      .map(([folder, number]) => `${folder}/${number}`),
  );
  const path = fc.tuple(stem, extension).map(([name, ending]) => `${name}.${ending}`);
  return fc.array(path, { minLength: 1, maxLength: 40 }).map((paths) => items(modality, paths));
}

/** undefined where nothing pairs, which is said as an error. */
function planOrNothing(...input: Parameters<typeof planPairs>): Plan | undefined {
  try {
    return planPairs(...input);
  } catch (error) {
    const isSaid = /^nothing pairs|^--frames: needs matching/;
    if (error instanceof UserError && isSaid.test(error.message)) return undefined;
    throw error;
  }
}

test("where nothing pairs, the commonest cause is told", () => {
  const images = items("image", ["sad/a.png", "happy/b.png"]);
  const audio = items("audio", ["angry/1.wav", "angry/2.wav", "angry/3.wav"]);
  expect(() => planPairs(images, audio, { ...defaults, matchBy: "label" })).toThrow(
    /most often: no image of the class angry$/,
  );
});

describe("whatever the input", () => {
  const options = fc.record({
    matchBy: fc.constantFrom("auto", "name", "id", "label" as const),
    keepUnmatched: fc.boolean(),
    seed: fc.nat(1000),
    frames: fc.constantFrom(undefined, ...FRAME_RULES),
    classes: fc.constantFrom(undefined, ["angry", "sad"]),
    fractions: fc.constantFrom(defaults.fractions, { train: 0.5, val: 0.5, test: 0 }, undefined),
  });

  test("parts share nothing, and every input row is accounted for once", () => {
    let split = 0;
    fc.assert(
      fc.property(anyPaths("image"), anyPaths("audio"), options, (images, audio, chosen) => {
        const plan = planOrNothing(images, audio, { ...defaults, ...chosen });
        if (plan === undefined) return;
        checkSplit(plan.parts);
        if (plan.parts.size > 1) split += 1;
        const rows = manifestRows(plan);
        expect(rows).toHaveLength(images.length + audio.length);
        for (const { status, split: part, cause, pairs } of rows) {
          expect(part === "").toBe(status === "dropped");
          expect(cause !== "").toBe(status === "dropped");
          expect(pairs > 0).toBe(status === "paired");
        }
        for (const sample of [...plan.parts.values()].flat()) {
          const labels = itemsOf(sample).map(({ label }) => label);
          expect(labels.every((label) => label === sample.label || label === "unknown")).toBe(true);
          expect(chosen.classes ?? [sample.label]).toContain(sample.label);
        }
      }),
      { numRuns: 400, seed: 1 },
    );
    expect(split).toBeGreaterThan(50);
  });
});
