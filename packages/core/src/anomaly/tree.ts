import type { Matrix } from "../hdf5/file.ts";
import { firstIntegers } from "../random.ts";

/** `left` and `right` of a leaf, as in scikit-learn's `tree_`. */
export const TREE_LEAF = -1;
/** `feature` and `threshold` of a leaf, as in scikit-learn's `tree_`. */
export const TREE_UNDEFINED = -2;
/** A feature is constant in a node when max <= min + this, in 32-bit floats (scikit-learn's FEATURE_THRESHOLD). */
const FEATURE_THRESHOLD = Math.fround(1e-7);

/** One isolation tree: arrays of a value a node, [nodes]; node 0 is the root, children come after their parent. */
export interface Tree {
  /** Column that an inner node tests, in [0, D); {@link TREE_UNDEFINED} at a leaf. */
  readonly feature: Int32Array;
  /** A row goes left when its (32-bit) value is <= the (64-bit) threshold, else right. */
  readonly threshold: Float64Array;
  /** Child nodes; {@link TREE_LEAF} at a leaf. */
  readonly left: Int32Array;
  readonly right: Int32Array;
  /** Training rows that reached the node, at least 1. */
  readonly nNodeSamples: Int32Array;
}

/**
 * Whether the arrays are equally long, inner nodes test one of the columns, and each node but the first has one parent, which
 * comes before it.
 */
export function isTree(tree: Tree, nFeatures: number): boolean {
  const { feature, left, right } = tree;
  const nodes = feature.length;
  const isKnown = new Uint8Array(nodes);
  const isChild = (child: number, parent: number): boolean => {
    const isNew = child > parent && child < nodes && isKnown[child] === 0;
    isKnown[child] = 1;
    return isNew;
  };
  const arrays = [tree.threshold, left, right, tree.nNodeSamples];
  if (nodes === 0 || arrays.some(({ length }) => length !== nodes)) return false;
  const isFitting = left.every((child, node) => {
    const column = feature[node]!;
    if (child === TREE_LEAF) return true;
    return isChild(child, node) && isChild(right[node]!, node) && column >= 0 && column < nFeatures;
  });
  return isFitting && isKnown.subarray(1).every((known) => known === 1);
}

/**
 * Mean path length of an unsuccessful search in a binary search tree of n keys: what a leaf of n rows adds to its depth.
 * 0 for n <= 1, 1 for n = 2, else 2 (ln(n - 1) + γ) - 2 (n - 1) / n (Liu, Ting and Zhou 2008, eq. 1; scikit-learn's
 * `_average_path_length`).
 */
export function averagePathLength(n: number): number {
  if (n <= 1) return 0;
  if (n === 2) return 1;
  const EULER_GAMMA = 0.5772156649015329;
  return 2 * (Math.log(n - 1) + EULER_GAMMA) - (2 * (n - 1)) / n;
}

/** Steps from the root to each node, [nodes]. */
export function nodeDepths({ left, right }: Tree): Int32Array {
  const depths = new Int32Array(left.length);
  for (let node = 0; node < depths.length; node += 1) {
    if (left[node] === TREE_LEAF) continue;
    depths[left[node]!] = depths[node]! + 1;
    depths[right[node]!] = depths[node]! + 1;
  }
  return depths;
}

/**
 * Grows one tree on the rows `samples` of `matrix` (their order changes), as scikit-learn's ExtraTree with splitter
 * "random" and max_features 1 does: a node draws features until one is not constant in it, then a threshold uniformly
 * between that feature's least and greatest value. A node is a leaf at `maxDepth`, with one row, or when all its rows
 * are alike.
 */
export function growTree(
  matrix: Matrix,
  samples: Int32Array,
  maxDepth: number,
  random: () => number,
): Tree {
  const most = 2 * samples.length - 1;
  const feature = new Int32Array(most).fill(TREE_UNDEFINED);
  const threshold = new Float64Array(most).fill(TREE_UNDEFINED);
  const left = new Int32Array(most).fill(TREE_LEAF);
  const right = new Int32Array(most).fill(TREE_LEAF);
  const nNodeSamples = new Int32Array(most);
  const features = firstIntegers(matrix.columns);
  let count = 0;
  const grow = (start: number, end: number, depth: number): number => {
    const node = count;
    count += 1;
    nNodeSamples[node] = end - start;
    if (depth >= maxDepth || end - start < 2) return node;
    const split = drawSplit(matrix, samples, start, end, features, random);
    if (split === undefined) return node;
    feature[node] = split.feature;
    threshold[node] = split.threshold;
    const middle = partition(matrix, samples, start, end, split);
    left[node] = grow(start, middle, depth + 1);
    right[node] = grow(middle, end, depth + 1);
    return node;
  };
  grow(0, samples.length, 0);
  return {
    feature: feature.slice(0, count),
    threshold: threshold.slice(0, count),
    left: left.slice(0, count),
    right: right.slice(0, count),
    nNodeSamples: nNodeSamples.slice(0, count),
  };
}

interface Split {
  readonly feature: number;
  readonly threshold: number;
}

/**
 * A split of a node's rows, `samples` from `start` to before `end`, or undefined when every feature is constant there.
 * `features`: all columns, any order.
 */
function drawSplit(
  matrix: Matrix,
  samples: Int32Array,
  start: number,
  end: number,
  features: Int32Array,
  random: () => number,
): Split | undefined {
  const range = new Float32Array(2);
  for (let left = features.length; left > 0; left -= 1) {
    const drawn = Math.floor(random() * left);
    const feature = features[drawn]!;
    features[drawn] = features[left - 1]!;
    features[left - 1] = feature;
    findRange(matrix, samples, start, end, feature, range);
    const [min, max] = [range[0]!, range[1]!];
    if (max <= Math.fround(min + FEATURE_THRESHOLD)) continue;
    const threshold = min + (max - min) * random();
    return { feature, threshold: threshold === max ? min : threshold };
  }
  return undefined;
}

/** Puts the least and the greatest value of a feature into `range`: a short function, so that it is soon compiled. */
function findRange(
  { data, columns }: Matrix,
  samples: Int32Array,
  start: number,
  end: number,
  feature: number,
  range: Float32Array,
): void {
  let min = Infinity;
  let max = -Infinity;
  for (let i = start; i < end; i += 1) {
    const value = data[samples[i]! * columns + feature]!;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  range[0] = min;
  range[1] = max;
}

/** Moves the rows that go left to the front; returns where those that go right begin. */
function partition(
  { data, columns }: Matrix,
  samples: Int32Array,
  start: number,
  end: number,
  { feature, threshold }: Split,
): number {
  let middle = start;
  for (let i = start; i < end; i += 1) {
    const sample = samples[i]!;
    if (!(data[sample * columns + feature]! <= threshold)) continue;
    samples[i] = samples[middle]!;
    samples[middle] = sample;
    middle += 1;
  }
  return middle;
}
