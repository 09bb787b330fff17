import { createScorer, floatAtMost } from "@emotion-service/core/anomaly/scorer";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reference, referenceRows, referenceTrees } from "./reference.ts";

const forest = {
  trees: referenceTrees,
  nFeatures: referenceRows.columns,
  maxSamples: reference.max_samples,
  contamination: "auto",
  offset: -0.5,
} as const;

describe("floatAtMost", () => {
  it("parts 32-bit floats as the 64-bit number does", () => {
    const double = fc.oneof(
      fc.double({ noNaN: true }),
      fc.float({ noNaN: true }),
      fc.constant(-1e-60),
    );
    fc.assert(
      fc.property(double, fc.integer({ min: -3, max: 3 }), (value, steps) => {
        const limit = floatAtMost(value);
        expect(Math.fround(limit)).toBe(limit);
        // A float near the number: its bits some steps away from the nearest one's.
        const near = new Float32Array([value]);
        const bits = new Int32Array(near.buffer);
        bits[0] = bits[0]! + steps;
        const x = near[0]!;
        fc.pre(!Number.isNaN(x));
        expect(x <= limit).toBe(x <= value);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("a scorer", () => {
  it.each([1, 7, 8, 127, 128, 129])("scores %i rows as they score among others", (rows) => {
    const scorer = createScorer(forest);
    const all = scorer.scoreSamples(referenceRows);
    const data = referenceRows.data.slice(0, rows * referenceRows.columns);
    const some = scorer.scoreSamples({ ...referenceRows, data, rows });
    expect(some).toEqual(all.slice(0, rows));
    scorer.dispose();
  });

  it("refuses a chain that would be too large if it were whole", () => {
    const steps = 27;
    const chain = {
      feature: Int32Array.from({ length: 2 * steps + 1 }, (_, node) => (node % 2 === 0 ? 0 : -2)),
      threshold: new Float64Array(2 * steps + 1),
      left: Int32Array.from({ length: 2 * steps + 1 }, (_, node) =>
        node % 2 === 0 && node < 2 * steps ? node + 1 : -1,
      ),
      right: Int32Array.from({ length: 2 * steps + 1 }, (_, node) =>
        node % 2 === 0 && node < 2 * steps ? node + 2 : -1,
      ),
      nNodeSamples: new Int32Array(2 * steps + 1).fill(1),
    };
    expect(() => createScorer({ ...forest, trees: [chain] })).toThrow(
      expect.objectContaining({
        code: "E_LAYOUT",
        message: expect.stringContaining("27 steps deep"),
      }),
    );
  });

  it("refuses nodes that are no tree", () => {
    const tree = referenceTrees[0]!;
    const twoParents = { ...tree, right: tree.right.with(0, tree.left[0]!) };
    const last = tree.left.length - 1;
    const leafWithChild = {
      ...tree,
      left: tree.left.with(last, 1),
      right: tree.right.with(last, 1),
    };
    for (const broken of [twoParents, leafWithChild])
      expect(() => createScorer({ ...forest, trees: [broken] })).toThrow("no parent, or two");
  });
});
