import type { Matrix } from "../hdf5/file.ts";
import { createRandom } from "../random.ts";
import { percentile } from "./percentile.ts";
import { TREE_LEAF, type Tree, averagePathLength, growTree } from "./tree.ts";

/** The offset of contamination "auto": the threshold of the original paper. */
const AUTO_OFFSET = -0.5;
/** The most rows that a tree is grown on with max_samples "auto". */
const AUTO_MAX_SAMPLES = 256;
/** Rows scored together: with D = 640 they stay in a core's cache while every tree passes over them. */
const ROWS_AT_ONCE = 64;

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

/** The defaults of train-anomaly; those of scikit-learn but for contamination ("auto" there). */
export const FOREST_DEFAULTS: ForestOptions = {
  nEstimators: 100,
  maxSamples: "auto",
  contamination: 0.01,
  randomState: 42,
};

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

/**
 * Fits an isolation forest on rows [N, D], N >= 1, as sklearn.ensemble.IsolationForest does (bootstrap off, all features):
 * each tree on its own rows drawn without replacement, to depth ceil(log2(max_samples)). Same rows and seed, same forest.
 */
export function fit(matrix: Matrix, options: ForestOptions): IsolationForest {
  const maxSamples = rowsPerTree(matrix.rows, options.maxSamples);
  const maxDepth = Math.ceil(Math.log2(Math.max(maxSamples, 2)));
  const random = createRandom(options.randomState);
  const order = Int32Array.from({ length: matrix.rows }, (_, row) => row);
  const trees: Tree[] = [];
  for (let t = 0; t < options.nEstimators; t += 1)
    trees.push(growTree(matrix, drawRows(order, maxSamples, random), maxDepth, random));
  const { contamination } = options;
  const grown = { trees, nFeatures: matrix.columns, maxSamples, contamination };
  const offset = thresholdOf(contamination, () =>
    scoreSamples({ ...grown, offset: AUTO_OFFSET }, matrix),
  );
  return { ...grown, offset };
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

/** `count` of the rows in `order`, without replacement (the first steps of a Fisher–Yates shuffle of `order`). */
function drawRows(order: Int32Array, count: number, random: () => number): Int32Array {
  for (let i = 0; i < count; i += 1) {
    const j = i + Math.floor(random() * (order.length - i));
    const held = order[i]!;
    order[i] = order[j]!;
    order[j] = held;
  }
  return order.slice(0, count);
}

/**
 * -2^(-E[h(x)] / c(max_samples)) of each row, [N], in [-1, 0]: lower is stranger. h is the depth of the leaf that a row
 * reaches plus c(training rows in it); c is {@link averagePathLength}.
 */
export function scoreSamples(forest: IsolationForest, matrix: Matrix): Float64Array {
  const { data, rows, columns } = matrix;
  const sums = new Float64Array(rows);
  const lengths = forest.trees.map(pathLengths);
  for (let start = 0; start < rows; start += ROWS_AT_ONCE) {
    const end = Math.min(rows, start + ROWS_AT_ONCE);
    for (const [t, tree] of forest.trees.entries())
      addPathLengths(tree, lengths[t]!, data, columns, sums, start, end);
  }
  const denominator = forest.trees.length * averagePathLength(forest.maxSamples);
  // One training row a tree leaves nothing to divide by; scikit-learn then takes the exponent as 1.
  return sums.map((sum) => -(2 ** -(denominator === 0 ? 1 : sum / denominator)));
}

/** What reaching each node as a leaf counts: its depth (root 0) plus c(rows in it), [nodes]. */
function pathLengths(tree: Tree): Float64Array {
  const depths = new Int32Array(tree.left.length);
  for (let node = 0; node < depths.length; node += 1) {
    if (tree.left[node] === TREE_LEAF) continue;
    depths[tree.left[node]!] = depths[node]! + 1;
    depths[tree.right[node]!] = depths[node]! + 1;
  }
  return Float64Array.from(
    depths,
    (depth, node) => depth + averagePathLength(tree.nNodeSamples[node]!),
  );
}

/** Adds to `sums` the path length in one tree of the rows [start, end). */
function addPathLengths(
  { feature, threshold, left, right }: Tree,
  lengths: Float64Array,
  data: Float32Array,
  columns: number,
  sums: Float64Array,
  start: number,
  end: number,
): void {
  for (let row = start; row < end; row += 1) {
    const first = row * columns;
    let node = 0;
    for (let child = left[0]!; child !== TREE_LEAF; child = left[node]!)
      node = data[first + feature[node]!]! <= threshold[node]! ? child : right[node]!;
    sums[row]! += lengths[node]!;
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
