import { arrayAt } from "./isolation";

/** A feature is constant in a node when max <= min + this (scikit-learn's FEATURE_THRESHOLD). */
const FEATURE_THRESHOLD: f32 = 1e-7;
/** `left` and `right` of a leaf, its `feature` and `threshold`, as in scikit-learn's `tree_`. */
const LEAF: i32 = -1;
const UNDEFINED: i32 = -2;

/** The next number, in [0, 1), of the stream of src/random.ts (sfc32) whose u32 state [4] is there. */
@inline
function next(state: usize): f64 {
  const b = load<u32>(state, 4);
  const c = load<u32>(state, 8);
  const counter = load<u32>(state, 12);
  const t = load<u32>(state) + b + counter;
  store<u32>(state, b ^ (b >> 9));
  store<u32>(state, c + (c << 3), 4);
  store<u32>(state, rotl(c, 21) + t, 8);
  store<u32>(state, counter + 1, 12);
  return <f64>t / 4294967296.0;
}

/** Writes 0, 1, …, count − 1, i32. */
export function countUp(target: usize, count: i32): void {
  for (let i = 0; i < count; i += 1) store<i32>(target + (<usize>i << 2), i);
}

/** Draws `count` of the i32 `items` [n] to their front, without replacement: the first steps of a Fisher–Yates shuffle. */
export function drawToFront(items: usize, n: i32, count: i32, state: usize): void {
  for (let i = 0; i < count; i += 1) swap(items, i, i + <i32>(next(state) * <f64>(n - i)));
}

@inline
function swap(items: usize, i: i32, j: i32): void {
  const at = items + (<usize>i << 2);
  const other = items + (<usize>j << 2);
  const held = load<i32>(at);
  store<i32>(at, load<i32>(other));
  store<i32>(other, held);
}

/** Puts the values of a column, of the samples from `start` to before `end`, into f32 `values` from `start` on. */
@external("env", "gather")
declare function gather(column: i32, start: i32, end: i32): void;

// Of the tree that is being grown: its samples, what `gather` writes, the features in the order of the moment, the stream, and the arrays
// of its nodes.
let samples: usize;
let values: usize;
let features: usize;
let columns: i32;
let stream: usize;
let deepest: i32;
let nodes: i32;
let feature: usize;
let threshold: usize;
let left: usize;
let right: usize;
let nNodeSamples: usize;

/**
 * Grows a tree on i32 `rows` [n], whose order changes, as src/anomaly/tree.ts tells; f32 `rowValues` [n] and i32 `numbers` [numberOfColumns] are
 * room for it. The nodes go to `arrays` of 2n − 1 places each, as `arrayAt` has them. Returns how many there are.
 */
export function growTree(
  rows: usize,
  n: i32,
  rowValues: usize,
  numbers: usize,
  numberOfColumns: i32,
  maxDepth: i32,
  state: usize,
  arrays: usize,
): i32 {
  const most = 2 * n - 1;
  samples = rows;
  values = rowValues;
  features = numbers;
  columns = numberOfColumns;
  stream = state;
  deepest = maxDepth;
  nodes = 0;
  threshold = arrays;
  feature = arrayAt(arrays, most, 0);
  left = arrayAt(arrays, most, 1);
  right = arrayAt(arrays, most, 2);
  nNodeSamples = arrayAt(arrays, most, 3);
  countUp(features, columns);
  grow(0, n, 0);
  return nodes;
}

/** Grows the node of the samples from `start` to before `end`, and what is below it; returns its number. */
function grow(start: i32, end: i32, depth: i32): i32 {
  const node = nodes;
  const at = <usize>node << 2;
  nodes += 1;
  store<i32>(nNodeSamples + at, end - start);
  if (depth < deepest && end - start > 1)
    for (let fresh = columns; fresh > 0; fresh -= 1) {
      const drawn = <i32>(next(stream) * <f64>fresh);
      swap(features, drawn, fresh - 1);
      const column = load<i32>(features + (<usize>(fresh - 1) << 2));
      gather(column, start, end);
      findRange(start, end);
      if (max <= min + FEATURE_THRESHOLD) continue;
      let limit = <f64>min + (<f64>max - <f64>min) * next(stream);
      if (limit == <f64>max) limit = <f64>min;
      store<i32>(feature + at, column);
      store<f64>(threshold + (at << 1), limit);
      const middle = partition(start, end, limit);
      store<i32>(left + at, grow(start, middle, depth + 1));
      store<i32>(right + at, grow(middle, end, depth + 1));
      return node;
    }
  store<i32>(feature + at, UNDEFINED);
  store<f64>(threshold + (at << 1), <f64>UNDEFINED);
  store<i32>(left + at, LEAF);
  store<i32>(right + at, LEAF);
  return node;
}

let min: f32 = 0;
let max: f32 = 0;

/** Puts the least and the greatest value of those samples into `min` and `max`. */
function findRange(start: i32, end: i32): void {
  let least: f32 = Infinity;
  let most: f32 = -Infinity;
  for (let i = start; i < end; i += 1) {
    const value = load<f32>(values + (<usize>i << 2));
    if (value < least) least = value;
    if (value > most) most = value;
  }
  min = least;
  max = most;
}

/** Moves the samples that go left to the front; returns where those that go right begin. */
function partition(start: i32, end: i32, limit: f64): i32 {
  let middle = start;
  for (let i = start; i < end; i += 1) {
    if (!(<f64>load<f32>(values + (<usize>i << 2)) <= limit)) continue;
    swap(samples, i, middle); // what lies behind i is still in its place
    middle += 1;
  }
  return middle;
}
