import type { Matrix } from "../hdf5/file.ts";
import { integersAt, kernel } from "../audio/kernel.ts";
import { type RandomState, createRandom } from "../random.ts";
import { percentile } from "./percentile.ts";
import { createScorer } from "./scorer.ts";
import { type Tree, createGrower } from "./tree.ts";

/** The offset of contamination "auto": the threshold of the original paper. */
const AUTO_OFFSET = -0.5;
/** The most rows that a tree is grown on with max_samples "auto". */
const AUTO_MAX_SAMPLES = 256;

/** Rows a tree is grown on: a whole number of rows (>= 1), a share of them (in (0, 1)), or min(256, N). */
export type MaxSamples = number | "auto";
/** Share of anomalous rows in the training data, in (0, 0.5], or the original paper's fixed threshold. */
export type Contamination = number | "auto";

export interface ForestOptions {
  /** Trees, at least 1. */
  readonly nEstimators: number;
  readonly maxSamples: MaxSamples;
  readonly contamination: Contamination;
  /** Seed, a whole number in [0, 2^32). */
  readonly randomState: number;
}

/** A fitted forest. */
export interface IsolationForest {
  readonly trees: readonly Tree[];
  /** Columns of a row, D. */
  readonly nFeatures: number;
  /** Rows each tree was grown on. */
  readonly maxSamples: number;
  readonly contamination: Contamination;
  /** `score_samples` of a row below it: the row is an anomaly. In [-1, 0]. */
  readonly offset: number;
}

/** What one tree is grown on. */
export interface TreePlan {
  /** Rows drawn without replacement, [max_samples]. */
  readonly samples: Int32Array;
  /** Where the tree's own stream of random numbers stands. */
  readonly state: RandomState;
}

/** Draws the rows of each tree from `rows` rows (at least 1): same count and options, same rows. */
export function drawSamples(
  rows: number,
  options: Pick<ForestOptions, "nEstimators" | "maxSamples" | "randomState">,
): TreePlan[] {
  const maxSamples = rowsPerTree(rows, options.maxSamples);
  const seeds = createRandom(options.randomState);
  const [order, stream] = [kernel.allocate(rows * 4), kernel.allocate(16)];
  kernel.countUp(order, rows);
  const plans = Array.from({ length: options.nEstimators }, (): TreePlan => {
    const state = integersAt(stream, 4);
    state.set(createRandom(Math.floor(seeds() * 2 ** 32)).state());
    kernel.drawToFront(order, rows, maxSamples, stream);
    const samples = integersAt(order, maxSamples).slice();
    return { samples, state: [state[0]!, state[1]!, state[2]!, state[3]!] };
  });
  kernel.release(order);
  kernel.release(stream);
  return plans;
}

/** Grows a tree a plan on the rows [N, D] that the plans name, to depth ceil(log2(max_samples)). */
export function growForest(
  matrix: Matrix,
  plans: readonly TreePlan[],
  contamination: Contamination,
): IsolationForest {
  const maxSamples = plans[0]?.samples.length ?? 0;
  const maxDepth = Math.ceil(Math.log2(Math.max(maxSamples, 2)));
  const nFeatures = matrix.columns;
  const grower = createGrower(maxSamples, nFeatures);
  const trees = plans.map(({ samples, state }) =>
    grower.growTree(matrix, samples, maxDepth, state),
  );
  grower.dispose();
  return { trees, nFeatures, maxSamples, contamination, offset: AUTO_OFFSET };
}

/**
 * Fits an isolation forest on rows [N, D], N >= 1, as sklearn.ensemble.IsolationForest does (bootstrap off, all features):
 * each tree on its own rows drawn without replacement. Same rows and seed, same forest.
 */
export function fit(matrix: Matrix, options: ForestOptions): IsolationForest {
  const { contamination } = options;
  const forest = growForest(matrix, drawSamples(matrix.rows, options), contamination);
  return { ...forest, offset: thresholdOf(contamination, () => scoreSamples(forest, matrix)) };
}

/** The threshold on `score_samples`: the training scores' percentile at 100 · contamination, or -0.5 for "auto". */
export function thresholdOf(
  contamination: Contamination,
  trainingScores: () => ArrayLike<number>,
): number {
  return contamination === "auto" ? AUTO_OFFSET : percentile(trainingScores(), 100 * contamination);
}

/** How many of `rows` rows a tree is grown on. */
export function rowsPerTree(rows: number, maxSamples: MaxSamples): number {
  if (maxSamples === "auto") return Math.min(AUTO_MAX_SAMPLES, rows);
  if (maxSamples < 1) return Math.max(1, Math.floor(maxSamples * rows));
  return Math.min(maxSamples, rows);
}

/**
 * -2^(-E[h(x)] / c(max_samples)) of each row, [N], in [-1, 0]: lower is stranger. h is the depth of the leaf that a row
 * reaches plus c(training rows in it); c is `averagePathLength`.
 */
export function scoreSamples(forest: IsolationForest, matrix: Matrix): Float64Array {
  const scorer = createScorer(forest);
  try {
    return scorer.scoreSamples(matrix);
  } finally {
    scorer.dispose();
  }
}

/** `score_samples - offset` of each row, [N]: negative is an anomaly. What we report is its negative. */
export function decisionFunction(forest: IsolationForest, matrix: Matrix): Float64Array {
  return scoreSamples(forest, matrix).map((score) => score - forest.offset);
}

/** -1 for an anomaly (decision < 0), 1 for other rows, [N]. */
export function predict(forest: IsolationForest, matrix: Matrix): Int8Array {
  return Int8Array.from(decisionFunction(forest, matrix), (decision) => (decision < 0 ? -1 : 1));
}
