import type { Matrix } from "../hdf5/file.ts";
import { type Address, floatsAt, kernel } from "../audio/kernel.ts";
import { UserError } from "../errors.ts";
import type { IsolationForest } from "./forest.ts";
import { TREE_LEAF, type Tree, averagePathLength, nodeDepths } from "./tree.ts";

/** Rows scored together, a multiple of 8: with D = 640 they stay in a core's cache while every tree passes over them. */
const ROWS_AT_ONCE = 128;
const ROWS_PER_STEP = 8;
/** Of a node as kernel/isolation.ts has it, and of a path length. */
const NODE_BYTES = 8;
const LENGTH_BYTES = 8;

/**
 * A tree in the kernel's memory, whole: node 1 is the root, 2n and 2n + 1 are the children of n, and every leaf is `depth` steps
 * from the root. A leaf that is nearer goes on to the left.
 */
interface PlacedTree {
  /** Where node 0 would be. */
  readonly nodes: Address;
  readonly lengths: Address;
  readonly depth: number;
}

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
 * Lays a forest out for the kernel. Rows are 32-bit floats, so that the greatest 32-bit float that is not above a threshold
 * parts them as the threshold itself does.
 */
export function createScorer(forest: IsolationForest): Scorer {
  const { trees, nFeatures, maxSamples } = forest;
  const shapes = trees.map(shapeOf);
  const leaves = shapes.reduce((sum, { depth }) => sum + 2 ** depth, 0);
  if (leaves > MOST_LEAVES) throw tooDeep(shapes);
  const places = {
    nodes: kernel.allocate(leaves * NODE_BYTES),
    lengths: kernel.allocate(leaves * LENGTH_BYTES),
    rows: kernel.allocate(ROWS_AT_ONCE * nFeatures * Float32Array.BYTES_PER_ELEMENT),
    sums: kernel.allocate(ROWS_AT_ONCE * LENGTH_BYTES),
  };
  floatsAt(places.rows, ROWS_AT_ONCE * nFeatures).fill(0); // what lies behind the last row is walked too
  const placed = placeTrees(shapes, places.nodes, places.lengths);
  const denominator = trees.length * averagePathLength(maxSamples);
  return {
    scoreSamples: ({ data, rows }) => {
      const sums = sumPathLengths(placed, data, { rows, columns: nFeatures }, places);
      // One training row a tree leaves nothing to divide by; scikit-learn then takes the exponent as 1.
      return sums.map((sum) => -(2 ** -(denominator === 0 ? 1 : sum / denominator)));
    },
    dispose: () => {
      for (const address of Object.values(places)) kernel.release(address);
    },
  };
}

function sumPathLengths(
  trees: readonly PlacedTree[],
  data: Float32Array,
  { rows, columns }: { readonly rows: number; readonly columns: number },
  places: { readonly rows: Address; readonly sums: Address },
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
    for (const { nodes, depth, lengths } of trees)
      kernel.addPathLengths(nodes, depth, lengths, places.rows, stride, walked, places.sums);
    result.set(sums.subarray(0, count), start);
  }
  return result;
}

/** A tree, the steps from its root to each node, and to the deepest one. */
interface Shape {
  readonly tree: Tree;
  readonly depths: Int32Array;
  readonly depth: number;
}

function shapeOf(tree: Tree): Shape {
  const depths = nodeDepths(tree);
  let depth = 0;
  for (let node = 0; node < depths.length; node += 1)
    if (depths[node]! > depth) depth = depths[node]!;
  return { tree, depths, depth };
}

function tooDeep(shapes: readonly Shape[]): UserError {
  const deepest = Math.max(...shapes.map(({ depth }) => depth));
  return new UserError(
    "E_LAYOUT",
    `the forest: its ${shapes.length} trees must have at most ${MOST_LEAVES} leaves together if all were as deep as their deepest, which is ${deepest} steps down`,
    { hint: "grow it with a smaller --max_samples: 256 rows a tree are enough for most data" },
  );
}

function placeTrees(shapes: readonly Shape[], nodes: Address, lengths: Address): PlacedTree[] {
  const memory = kernel.memory.buffer;
  const views: NodeViews = {
    floats: new Float32Array(memory),
    integers: new Uint32Array(memory),
    doubles: new Float64Array(memory),
    words: new BigUint64Array(memory),
  };
  const lengthOf = memoisedPathLength();
  let before = 0;
  return shapes.map((shape) => {
    const placed = {
      nodes: nodes + before * NODE_BYTES,
      lengths: lengths + before * LENGTH_BYTES,
      depth: shape.depth,
    };
    before += 2 ** shape.depth;
    placeTree(shape, views, placed, lengthOf);
    return placed;
  });
}

/** The whole memory by type. */
interface NodeViews {
  readonly floats: Float32Array;
  readonly integers: Uint32Array;
  readonly doubles: Float64Array;
  readonly words: BigUint64Array;
}

/** A node that sends every value to the left: column 0, and infinity as a float. */
const ABOVE_ALL = 0x7f80_0000n;

/** Writes the nodes of a tree and the path lengths at its leaves. */
function placeTree(
  { tree, depths, depth }: Shape,
  { floats, integers, doubles, words }: NodeViews,
  { nodes, lengths }: PlacedTree,
  lengthOf: (rows: number) => number,
): void {
  const { feature, threshold, left, right, nNodeSamples } = tree;
  const [firstWord, firstLength] = [nodes / 4, lengths / LENGTH_BYTES];
  const leaves = 2 ** depth;
  words.fill(ABOVE_ALL, nodes / NODE_BYTES, nodes / NODE_BYTES + leaves); // what lies below a leaf
  const place = new Int32Array(left.length);
  place[0] = 1;
  for (let node = 0; node < left.length; node += 1) {
    const at = place[node]!;
    if (at === 0) throw notATree();
    if (left[node] === TREE_LEAF) {
      const leaf = (at << (depth - depths[node]!)) - leaves;
      doubles[firstLength + leaf] = depths[node]! + lengthOf(nNodeSamples[node]!);
      continue;
    }
    floats[firstWord + 2 * at] = floatAtMost(threshold[node]!);
    integers[firstWord + 2 * at + 1] = feature[node]! * Float32Array.BYTES_PER_ELEMENT;
    if (place[left[node]!] !== 0 || place[right[node]!] !== 0) throw notATree();
    place[left[node]!] = 2 * at;
    place[right[node]!] = 2 * at + 1;
  }
}

function notATree(): RangeError {
  return new RangeError("a node of the tree has no parent, or two");
}

/** {@link averagePathLength}, whose logarithm is worked out once a number of rows. */
function memoisedPathLength(): (rows: number) => number {
  const known = new Map<number, number>();
  return (rows) => {
    let length = known.get(rows);
    if (length === undefined) known.set(rows, (length = averagePathLength(rows)));
    return length;
  };
}

const float = new Float32Array(1);
const bits = new Int32Array(float.buffer);

/** The greatest 32-bit float that is not above `value`: x <= it exactly when x <= value, for each 32-bit x. */
export function floatAtMost(value: number): number {
  float[0] = value;
  if (float[0] <= value) return float[0];
  // One step down: towards 0 above it, away from it below; below 0 itself comes the least negative number.
  if (float[0] === 0) return -(2 ** -149);
  bits[0] = bits[0]! + (float[0] > 0 ? -1 : 1);
  return float[0];
}
