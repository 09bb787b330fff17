import {
  type ForestOptions,
  type IsolationForest,
  fit,
  rowsPerTree,
  scoreSamples,
  thresholdOf,
} from "@emotion-service/core/anomaly/forest";
import { fitNpmEngine } from "@emotion-service/core/anomaly/npmEngine";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import type { Imported } from "./importDetector.ts";

export type Engine = "native" | "isolation-forest";

/** A fitted engine. */
export interface Detector {
  /** `score_samples` in scikit-learn's sign, [N]: lower is stranger. */
  readonly scoreSamples: (matrix: Matrix) => Float64Array;
  /** A row whose `score_samples` is below it is an anomaly. */
  readonly offset: number;
  readonly maxSamples: number;
  /** What can be saved; absent with the npm engine. */
  readonly forest?: IsolationForest;
  /** Of a forest that was not fitted here. */
  readonly imported?: Imported;
}

/** Fits the chosen engine on the training rows [N, D]. */
export async function fitDetector(
  engine: Engine,
  matrix: Matrix,
  options: ForestOptions,
): Promise<Detector> {
  if (engine === "native") {
    const forest = fit(matrix, options);
    const { offset, maxSamples } = forest;
    return { scoreSamples: (rows) => scoreSamples(forest, rows), offset, maxSamples, forest };
  }
  const npmScores = await fitNpmEngine(matrix, options);
  const offset = thresholdOf(options.contamination, () => npmScores(matrix));
  return {
    scoreSamples: npmScores,
    offset,
    maxSamples: rowsPerTree(matrix.rows, options.maxSamples),
  };
}

/** Scores of one set of rows. */
export interface Scored {
  /** offset - `score_samples` (the negative of scikit-learn's decision function), [N]: higher is stranger. */
  readonly scores: Float64Array;
  /** 1 where the score is above 0, [N]. */
  readonly anomaly: Uint8Array;
}

export function scoreRows(detector: Detector, matrix: Matrix): Scored {
  const scores = detector.scoreSamples(matrix).map((score) => detector.offset - score);
  return { scores, anomaly: Uint8Array.from(scores, (score) => (score > 0 ? 1 : 0)) };
}
