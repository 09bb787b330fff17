import fc from "fast-check";
import {
  decisionFunction,
  fit,
  predict,
  rowsPerTree,
  scoreSamples,
} from "@emotion-service/core/anomaly/forest";
import { FOREST_DEFAULTS } from "@emotion-service/core/anomaly/forestDefaults";
import { percentile } from "@emotion-service/core/anomaly/percentile";
import { auroc } from "@emotion-service/core/metrics/auroc";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { matrixOf, reference, referenceRows, referenceTrees, treeOf } from "./reference.ts";

const random = createRandom(11);
/** 300 rows of a standard normal; the last 3 far out. */
const planted = matrixOf(
  Array.from({ length: 300 }, (_, row) =>
    Array.from({ length: 8 }, () => (row >= 297 ? 8 : 0) + normal(random)),
  ),
);

describe("as scikit-learn", () => {
  const forest = {
    trees: referenceTrees,
    nFeatures: referenceRows.columns,
    maxSamples: reference.max_samples,
    contamination: reference.contamination,
    offset: reference.offset,
  };

  it("scores its trees as it does, to rounding", () => {
    expect(scoreSamples(forest, referenceRows)).toBeAllClose(reference.score_samples, {
      rtol: 0,
      atol: 1e-12,
    });
    expect(decisionFunction(forest, referenceRows)).toBeAllClose(reference.decision_function, {
      rtol: 0,
      atol: 1e-12,
    });
  });

  it.each(Object.entries(reference.cases))(
    "scores its trees as it does, values at their thresholds too: %s",
    (_name, { rows, trees, max_samples: maxSamples, offset, ...expected }) => {
      const matrix = matrixOf(rows);
      const other = {
        trees: trees.map(treeOf),
        nFeatures: matrix.columns,
        maxSamples,
        contamination: "auto",
        offset,
      } as const;
      const tolerance = { rtol: 0, atol: 1e-12 };
      expect(scoreSamples(other, matrix)).toBeAllClose(expected.score_samples, tolerance);
      expect(decisionFunction(other, matrix)).toBeAllClose(expected.decision_function, tolerance);
    },
  );

  it("takes its offset from its scores", () => {
    expect(percentile(reference.score_samples, 100 * reference.contamination)).toBeCloseTo(
      reference.offset,
      12,
    );
  });

  describe("grows forests like its own, over as many seeds", () => {
    const { seeds } = reference;
    const options = { ...FOREST_DEFAULTS, contamination: "auto" as const };
    const all = Array.from({ length: seeds }, (_, randomState) =>
      scoreSamples(fit(referenceRows, { ...options, randomState }), referenceRows),
    );
    const meanOf = (values: readonly number[]): number =>
      values.reduce((sum, value) => sum + value, 0) / values.length;
    /** How far apart the means are, in standard errors: both are over `seeds` forests. */
    const z = (ours: readonly number[], mean: number, deviation: number): number =>
      Math.abs(meanOf(ours) - mean) / (deviation * Math.sqrt(2 / seeds));

    it("in the mean score of each row", () => {
      // They differ by sampling alone: of 150 rows the greatest z stays below 4.5.
      for (const [row, mean] of reference.mean_scores.entries()) {
        const ours = all.map((scores) => scores[row]!);
        expect(z(ours, mean, reference.score_deviation[row]!)).toBeLessThan(4.5);
      }
    });

    it("in the quantiles of the scores", () => {
      for (const [k, q] of reference.percentiles.entries()) {
        const ours = all.map((scores) => percentile(scores, q));
        const deviation = reference.percentile_deviations[k]!;
        expect(z(ours, reference.mean_percentiles[k]!, deviation)).toBeLessThan(4);
      }
    });

    it("in the AUROC on planted outliers", () => {
      const firstPlanted = reference.rows.length - reference.outliers;
      const areas = all.map((scores) =>
        auroc(
          scores.map((score) => -score),
          Array.from(scores, (_, row) => row >= firstPlanted),
        ),
      );
      expect(Math.abs(meanOf(areas) - reference.auroc)).toBeLessThan(0.005);
    });
  });
});

describe("fit", () => {
  it("gives planted outliers the worst scores, and flags the share asked for", () => {
    const forest = fit(planted, { ...FOREST_DEFAULTS, contamination: 0.01 });
    const decision = decisionFunction(forest, planted);
    const worst = Array.from(decision.keys()).toSorted((a, b) => decision[a]! - decision[b]!);
    expect(worst.slice(0, 3).toSorted((a, b) => a - b)).toEqual([297, 298, 299]);
    const flagged = Array.from(predict(forest, planted).entries()).filter(
      ([, sign]) => sign === -1,
    );
    expect(flagged.map(([row]) => row)).toEqual([297, 298, 299]);
  });

  it("gives the same forest for the same seed, another for another", () => {
    const first = fit(planted, FOREST_DEFAULTS);
    expect(fit(planted, FOREST_DEFAULTS)).toEqual(first);
    expect(fit(planted, { ...FOREST_DEFAULTS, randomState: 43 }).offset).not.toBe(first.offset);
  });

  it("has score - offset = decision, exactly", () => {
    const forest = fit(planted, FOREST_DEFAULTS);
    const scores = scoreSamples(forest, planted);
    expect(decisionFunction(forest, planted)).toEqual(scores.map((score) => score - forest.offset));
  });

  it("keeps the paper's threshold with contamination auto", () => {
    expect(fit(planted, { ...FOREST_DEFAULTS, contamination: "auto" }).offset).toBe(-0.5);
  });

  it("scores rows one at a time as all at once", () => {
    const forest = fit(planted, FOREST_DEFAULTS);
    const row = { data: planted.data.slice(70 * 8, 71 * 8), rows: 1, columns: 8 };
    expect(scoreSamples(forest, row)[0]).toBe(scoreSamples(forest, planted)[70]);
  });

  it("compares 32-bit values with 64-bit thresholds", () => {
    const tree = {
      feature: Int32Array.of(0, -2, -2),
      threshold: Float64Array.of(0.1, -2, -2),
      left: Int32Array.of(1, -1, -1),
      right: Int32Array.of(2, -1, -1),
      nNodeSamples: Int32Array.of(10, 1, 9),
    };
    const forest = {
      trees: [tree],
      nFeatures: 1,
      maxSamples: 10,
      contamination: "auto",
      offset: -0.5,
    } as const;
    // 0.1 as a 32-bit float is 0.10000000149: above the threshold, so it goes right, to the leaf of 9 rows.
    const [rounded, below] = scoreSamples(forest, matrixOf([[0.1], [0.0999]]));
    expect(rounded).toBeGreaterThan(below!);
  });

  it("scores -0.5 with one training row, as scikit-learn", () => {
    const one = matrixOf([[1, 2]]);
    expect(scoreSamples(fit(one, FOREST_DEFAULTS), one)).toEqual(Float64Array.of(-0.5));
  });
});

describe("rowsPerTree", () => {
  it.each([
    [1000, "auto", 256],
    [100, "auto", 100],
    [1000, 500, 500],
    [100, 500, 100],
    [1000, 0.25, 250],
    [3, 0.1, 1],
  ] as const)("of %i rows, max_samples %s", (rows, maxSamples, expected) => {
    expect(rowsPerTree(rows, maxSamples)).toBe(expected);
  });
});

describe("percentile", () => {
  it("is what sorting finds: any values, ties, any order", () => {
    const value = fc.oneof(
      fc.integer({ min: -3, max: 3 }),
      fc.double({ min: -1e9, max: 1e9, noNaN: true }),
    );
    fc.assert(
      fc.property(
        fc.array(value, { minLength: 1, maxLength: 300 }),
        fc.double({ min: 0, max: 100, noNaN: true }),
        (values, q) => {
          const sorted = Float64Array.from(values).sort();
          const place = (sorted.length - 1) * (q / 100);
          const [a, b] = [sorted[Math.floor(place)]!, sorted[Math.ceil(place)]!];
          const t = place - Math.floor(place);
          const expected = t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
          expect(percentile(values, q) + 0).toBe(expected + 0); // one zero is as good as the other
        },
      ),
      { numRuns: 1000 },
    );
  });

  // numpy.percentile
  it.each([
    [[3, 1, 2], 50, 2],
    [[1, 2, 3, 4], 10, 1.3],
    [[1, 2, 3, 4], 0, 1],
    [[1, 2, 3, 4], 100, 4],
    [[5], 1, 5],
  ])("of %j at %i", (values, q, expected) => {
    expect(percentile(values, q)).toBeCloseTo(expected, 14);
  });
});
