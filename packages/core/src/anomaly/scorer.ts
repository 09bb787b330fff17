import type { Matrix } from "../hdf5/file.ts";
import { type Address, floatsAt, kernel } from "../audio/kernel.ts";
import type { IsolationForest } from "./forest.ts";
import { TREE_LEAF, type Tree, averagePathLength, nodeDepths } from "./tree.ts";

/** Rows scored together, a multiple of 8: with D = 640 they stay in a core's cache while every tree passes over them. */
const ROWS_AT_ONCE = 128;
const ROWS_PER_STEP = 8;
/** As kernel/isolation.ts has it. */
const NODE_BYTES = 16;
const LENGTH_BYTES = 8;

/** A tree in the kernel's memory. */
interface PlacedTree {
  readonly nodes: Address;
  readonly lengths: Address;
  /** Steps from the root to the deepest leaf. */
  readonly depth: number;
}

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
  const nodes = trees.reduce((sum, { left }) => sum + left.length, 0);
  const places = {
    nodes: kernel.allocate(nodes * NODE_BYTES),
    lengths: kernel.allocate(nodes * LENGTH_BYTES),
    rows: kernel.allocate(ROWS_AT_ONCE * nFeatures * Float32Array.BYTES_PER_ELEMENT),
    sums: kernel.allocate(ROWS_AT_ONCE * LENGTH_BYTES),
  };
  floatsAt(places.rows, ROWS_AT_ONCE * nFeatures).fill(0); // what lies behind the last row is walked too
  const placed = placeTrees(trees, places.nodes, places.lengths);
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

function placeTrees(trees: readonly Tree[], nodes: Address, lengths: Address): PlacedTree[] {
  const memory = kernel.memory.buffer;
  const views: NodeViews = {
    floats: new Float32Array(memory),
    integers: new Uint32Array(memory),
    doubles: new Float64Array(memory),
  };
  const lengthOf = memoisedPathLength();
  let before = 0;
  return trees.map((tree) => {
    const [first, firstLength] = [nodes + before * NODE_BYTES, lengths + before * LENGTH_BYTES];
    before += tree.left.length;
    const depth = placeTree(tree, views, first, firstLength, lengthOf);
    return { nodes: first, lengths: firstLength, depth };
  });
}

/** The whole memory by type. */
interface NodeViews {
  readonly floats: Float32Array;
  readonly integers: Uint32Array;
  readonly doubles: Float64Array;
}

/** Writes the nodes of a tree so that siblings lie side by side; returns its depth. */
function placeTree(
  tree: Tree,
  { floats, integers, doubles }: NodeViews,
  nodes: Address,
  lengths: Address,
  lengthOf: (rows: number) => number,
): number {
  const { feature, threshold, left, right, nNodeSamples } = tree;
  const depths = nodeDepths(tree);
  const place = new Int32Array(left.length);
  let deepest = 0;
  let next = 1;
  for (let node = 0; node < left.length; node += 1) {
    const isParentless = node > 0 && place[node] === 0;
    if (isParentless) throw notATree();
    const at = nodes + place[node]! * NODE_BYTES;
    const word = at / 4;
    if (left[node] === TREE_LEAF) {
      floats[word] = Infinity;
      integers[word + 1] = 0;
      integers[word + 2] = at;
      doubles[lengths / LENGTH_BYTES + place[node]!] =
        depths[node]! + lengthOf(nNodeSamples[node]!);
      if (depths[node]! > deepest) deepest = depths[node]!;
      continue;
    }
    if (next + 2 > left.length) throw notATree();
    floats[word] = floatAtMost(threshold[node]!);
    integers[word + 1] = feature[node]! * Float32Array.BYTES_PER_ELEMENT;
    integers[word + 2] = nodes + next * NODE_BYTES;
    place[left[node]!] = next;
    place[right[node]!] = next + 1;
    next += 2;
  }
  return deepest;
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
