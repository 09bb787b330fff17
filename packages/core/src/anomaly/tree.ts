import type { Matrix } from "../hdf5/file.ts";
import type { RandomState } from "../random.ts";
import {
  type Address,
  allocateFloats,
  floatsAt,
  growTreeBy,
  integersAt,
  kernel,
} from "../audio/kernel.ts";

/** `left` and `right` of a leaf, as in scikit-learn's `tree_`. */
export const TREE_LEAF = -1;
/** `feature` and `threshold` of a leaf, as in scikit-learn's `tree_`. */
export const TREE_UNDEFINED = -2;

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
  return kernel.averagePathLength(n);
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

/** Grows trees of a forest, one after the other, in memory that it keeps for them. */
export interface Grower {
  /**
   * Grows one tree on the rows `samples` [n] of a matrix [N, D], as scikit-learn's ExtraTree with splitter "random" and
   * max_features 1 does: a node draws features until one is not constant in it, then a threshold uniformly between that
   * feature's least and greatest value. A node is a leaf at `maxDepth`, with one row, or when all its rows are alike.
   * @param state where the tree's own stream of random numbers stands
   */
  growTree(matrix: Matrix, samples: Int32Array, maxDepth: number, state: RandomState): Tree;
  /** Gives the memory back. */
  dispose(): void;
}

/** Room for the arrays of a tree of `most` nodes in the kernel's memory. */
export function allocateArrays(most: number): Address {
  return kernel.allocate(
    most * (Float64Array.BYTES_PER_ELEMENT + 4 * Int32Array.BYTES_PER_ELEMENT),
  );
}

/** Views of them, [most]. They are dead after the next `allocate`. */
export function arraysAt(address: Address, most: number): Tree {
  const integers = (k: number): Int32Array => integersAt(address + most * (8 + 4 * k), most);
  return {
    threshold: new Float64Array(kernel.memory.buffer, address, most),
    feature: integers(0),
    left: integers(1),
    right: integers(2),
    nNodeSamples: integers(3),
  };
}

function sliceOfEach(tree: Tree, count: number): Tree {
  return {
    threshold: tree.threshold.slice(0, count),
    feature: tree.feature.slice(0, count),
    left: tree.left.slice(0, count),
    right: tree.right.slice(0, count),
    nNodeSamples: tree.nNodeSamples.slice(0, count),
  };
}

/** A grower of trees on `n` rows of `columns` values each. */
export function createGrower(n: number, columns: number): Grower {
  const most = Math.max(1, 2 * n - 1);
  const places = {
    rows: kernel.allocate(n * 4),
    values: allocateFloats(n),
    numbers: kernel.allocate(columns * 4),
    state: kernel.allocate(16),
    arrays: allocateArrays(most),
  };
  return {
    growTree: ({ data }, samples, maxDepth, state) => {
      const rows = integersAt(places.rows, n);
      const values = floatsAt(places.values, n);
      rows.set(samples);
      integersAt(places.state, 4).set(state);
      const gather = (column: number, start: number, end: number): void => {
        for (let i = start; i < end; i += 1) values[i] = data[rows[i]! * columns + column]!;
      };
      const count = growTreeBy(
        gather,
        places.rows,
        n,
        places.values,
        places.numbers,
        columns,
        maxDepth,
        places.state,
        places.arrays,
      );
      return sliceOfEach(arraysAt(places.arrays, most), count);
    },
    dispose: () => {
      for (const address of Object.values(places)) kernel.release(address);
    },
  };
}
