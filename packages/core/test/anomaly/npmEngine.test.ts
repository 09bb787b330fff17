import { FOREST_DEFAULTS } from "@emotion-service/core/anomaly/forestDefaults";
import { fitNpmEngine } from "@emotion-service/core/anomaly/npmEngine";
import { auroc } from "@emotion-service/core/metrics/auroc";
import { expect, it } from "vitest";
import { reference, referenceRows } from "./reference.ts";

it("scores in scikit-learn's sign and range, planted outliers lower", async () => {
  const scoreSamples = await fitNpmEngine(referenceRows, FOREST_DEFAULTS);
  const scores = scoreSamples(referenceRows);
  expect(scores.every((score) => score >= -1 && score <= 0)).toBe(true);
  const isPlanted = reference.rows.map(
    (_, row) => row >= reference.rows.length - reference.outliers,
  );
  // Unseeded: in 300 runs it lay between 0.97 and 1.
  expect(
    auroc(
      scores.map((score) => -score),
      isPlanted,
    ),
  ).toBeGreaterThan(0.9);
});
