import type { Matrix } from "../hdf5/file.ts";
import { type Address, floatsAt, integersAt, kernel } from "../audio/kernel.ts";
import { UserError } from "../errors.ts";
import type { IsolationForest } from "./forest.ts";
import { type Tree, allocateArrays, arraysAt, averagePathLength } from "./tree.ts";

/** Rows scored together, a multiple of 8: with D = 640 they stay in a core's cache while every tree passes over them. */
const ROWS_AT_ONCE = 128;
const ROWS_PER_STEP = 8;
/** As kernel/isolation.ts has them: of a node, of a path length, and of what tells where a tree's are. */
const NODE_BYTES = 8;
const LENGTH_BYTES = 8;
const TREE_WORDS = 3;

/** The most leaves of a forest's whole trees: they take 16 bytes each. */
const MOST_LEAVES = 2 ** 26;

/** A forest that is ready to score. */
export interface Scorer {
  /** `score_samples` of rows [N, D] of finite values, [N], in [-1, 0]: lower is stranger. */
  readonly scoreSamples: (matrix: Matrix) => Float64Array;
  /** Gives the memory back. */
  readonly dispose: () => void;
}

/**
 * Lays a forest out for the kernel, each tree whole: node 1 is the root, 2n and 2n + 1 are the children of n, and every leaf is
 * as deep as the deepest. Rows are 32-bit floats, so that the greatest 32-bit float that is not above a threshold parts them as the
 * threshold itself does.
 * @throws UserError E_LAYOUT: its whole trees would take more than 1 GiB
 */
export function createScorer(forest: IsolationForest): Scorer {
  const { trees, nFeatures, maxSamples } = forest;
  const depths = depthsOf(trees);
  const leaves = depths.reduce((sum, depth) => sum + 2 ** depth, 0);
  if (leaves > MOST_LEAVES) throw tooLarge(depths);
  const places = {
    trees: kernel.allocate(trees.length * TREE_WORDS * 4),
    nodes: kernel.allocate(leaves * NODE_BYTES),
    lengths: kernel.allocate(leaves * LENGTH_BYTES),
    rows: kernel.allocate(ROWS_AT_ONCE * nFeatures * Float32Array.BYTES_PER_ELEMENT),
    sums: kernel.allocate(ROWS_AT_ONCE * LENGTH_BYTES),
  };
  placeTrees(trees, depths, places);
  floatsAt(places.rows, ROWS_AT_ONCE * nFeatures).fill(0); // what lies behind the last row is walked too
  const denominator = trees.length * averagePathLength(maxSamples);
  return {
    scoreSamples: ({ data, rows }) => {
      const sums = sumPathLengths(trees.length, data, { rows, columns: nFeatures }, places);
      // One training row a tree leaves nothing to divide by; scikit-learn then takes the exponent as 1.
      return sums.map((sum) => -(2 ** -(denominator === 0 ? 1 : sum / denominator)));
    },
    dispose: () => {
      for (const address of Object.values(places)) kernel.release(address);
    },
  };
}

type Places = Readonly<Record<"trees" | "nodes" | "lengths" | "rows" | "sums", Address>>;

function sumPathLengths(
  trees: number,
  data: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  places: Places,
): Float64Array {
  const result = new Float64Array(rows);
  const values = floatsAt(places.rows, ROWS_AT_ONCE * columns);
  const sums = new Float64Array(kernel.memory.buffer, places.sums, ROWS_AT_ONCE);
  const stride = columns * Float32Array.BYTES_PER_ELEMENT;
  for (let start = 0; start < rows; start += ROWS_AT_ONCE) {
    const count = Math.min(ROWS_AT_ONCE, rows - start);
    values.set(data.subarray(start * columns, (start + count) * columns));
    sums.fill(0);
    const walked = Math.ceil(count / ROWS_PER_STEP) * ROWS_PER_STEP;
    kernel.addForestLengths(places.trees, trees, places.rows, stride, walked, places.sums);
    result.set(sums.subarray(0, count), start);
  }
  return result;
}

/** Steps from the root to the deepest leaf of each. */
function depthsOf(trees: readonly Tree[]): number[] {
  return withRoomFor(trees, (arrays, most, numbers) =>
    trees.map((tree) => {
      copyTree(tree, arraysAt(arrays, most));
      const depth = kernel.depthOf(arrays, most, tree.left.length, numbers);
      if (depth < 0) throw notATree();
      return depth;
    }),
  );
}

function placeTrees(
  trees: readonly Tree[],
  depths: readonly number[],
  { trees: table, nodes, lengths }: Places,
): void {
  withRoomFor(trees, (arrays, most, numbers) => {
    let before = 0;
    for (const [i, tree] of trees.entries()) {
      const depth = depths[i]!;
      const place = [nodes + before * NODE_BYTES, lengths + before * LENGTH_BYTES, depth] as const;
      integersAt(table, trees.length * TREE_WORDS).set(place, i * TREE_WORDS);
      before += 2 ** depth;
      copyTree(tree, arraysAt(arrays, most));
      const count = tree.left.length;
      if (!kernel.placeTree(arrays, most, count, depth, place[0], place[1], numbers))
        throw notATree();
    }
  });
}

/** Calls with memory for the arrays of the largest tree and for a number a node of it, and takes it back. */
function withRoomFor<T>(
  trees: readonly Tree[],
  use: (arrays: Address, most: number, numbers: Address) => T,
): T {
  const most = trees.reduce((largest, { left }) => Math.max(largest, left.length), 1);
  const [arrays, numbers] = [allocateArrays(most), kernel.allocate(most * 4)];
  try {
    return use(arrays, most, numbers);
  } finally {
    kernel.release(arrays);
    kernel.release(numbers);
  }
}

function copyTree(tree: Tree, to: Tree): void {
  to.threshold.set(tree.threshold);
  to.feature.set(tree.feature);
  to.left.set(tree.left);
  to.right.set(tree.right);
  to.nNodeSamples.set(tree.nNodeSamples);
}

function tooLarge(depths: readonly number[]): UserError {
  return new UserError(
    "E_LAYOUT",
    `the forest: its ${depths.length} trees, were each as deep everywhere as its deepest leaf, must have at most ${MOST_LEAVES} leaves together; one is ${Math.max(...depths)} steps deep`,
    { hint: "grow it with a smaller --max_samples: 256 rows a tree are enough for most data" },
  );
}

function notATree(): RangeError {
  return new RangeError("a node of the tree has no parent, or two");
}

/** The greatest 32-bit float that is not above `value`: x <= it exactly when x <= value, for each 32-bit x. */
export function floatAtMost(value: number): number {
  return kernel.floatAtMost(value);
}
