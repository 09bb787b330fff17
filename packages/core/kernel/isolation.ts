/** Bytes of a node: threshold f32, byte offset of the column that it tests u32. */
const NODE_SHIFT: usize = 3;

/**
 * Adds to f64 `sums` [count] what one tree says of f32 rows, `stride` bytes from one to the next: `lengths` f64 [2^depth] at the
 * leaf that a row reaches. The tree is whole: node 1 is the root, 2n and 2n + 1 are the children of n, `nodes` is where node 0 would be,
 * and every walk takes `depth` steps. A row goes to the right child when its value is above the threshold. Eight rows walk side by
 * side, as each step waits for memory: `count` is a multiple of 8.
 */
function addPathLengths(
  nodes: usize,
  depth: i32,
  lengths: usize,
  rows: usize,
  stride: usize,
  count: i32,
  sums: usize,
): void {
  lengths -= (<usize>8) << depth; // the number of the first leaf is 2^depth
  for (let row = 0; row < count; row += 8, sums += 64) {
    const row1 = rows + stride;
    const row2 = row1 + stride;
    const row3 = row2 + stride;
    const row4 = row3 + stride;
    const row5 = row4 + stride;
    const row6 = row5 + stride;
    const row7 = row6 + stride;
    let a: usize = 1;
    let b: usize = 1;
    let c: usize = 1;
    let d: usize = 1;
    let e: usize = 1;
    let f: usize = 1;
    let g: usize = 1;
    let h: usize = 1;
    for (let step = 0; step < depth; step += 1) {
      a = childOf(nodes, a, rows);
      b = childOf(nodes, b, row1);
      c = childOf(nodes, c, row2);
      d = childOf(nodes, d, row3);
      e = childOf(nodes, e, row4);
      f = childOf(nodes, f, row5);
      g = childOf(nodes, g, row6);
      h = childOf(nodes, h, row7);
    }
    rows = row7 + stride;
    add(sums, lengths, a);
    add(sums + 8, lengths, b);
    add(sums + 16, lengths, c);
    add(sums + 24, lengths, d);
    add(sums + 32, lengths, e);
    add(sums + 40, lengths, f);
    add(sums + 48, lengths, g);
    add(sums + 56, lengths, h);
  }
}

@inline
function childOf(nodes: usize, node: usize, row: usize): usize {
  const packed = load<u64>(nodes + (node << NODE_SHIFT));
  const value = load<f32>(row + <usize>(packed >> 32));
  return (node << 1) + <usize>(value > reinterpret<f32>(<u32>packed));
}

@inline
function add(sum: usize, lengths: usize, leaf: usize): void {
  store<f64>(sum, load<f64>(sum) + load<f64>(lengths + (leaf << 3)));
}

/** Where the arrays of a tree lie that has room for `most` nodes: threshold f64, then feature, left, right and n_node_samples i32. */
@inline
export function arrayAt(arrays: usize, most: i32, k: i32): usize {
  return arrays + <usize>most * (8 + 4 * k);
}

/**
 * `addPathLengths` of each of `count` trees, of which `trees` tells: where its nodes and its lengths are, and its depth, u32 each.
 */
export function addForestLengths(
  trees: usize,
  count: i32,
  rows: usize,
  stride: usize,
  rowCount: i32,
  sums: usize,
): void {
  for (let tree = 0; tree < count; tree += 1, trees += 12)
    addPathLengths(
      load<u32>(trees),
      load<i32>(trees, 8),
      load<u32>(trees, 4),
      rows,
      stride,
      rowCount,
      sums,
    );
}

/**
 * Steps from the root to the deepest leaf of a tree in `arrays`; −1 where a node's children do not come after it. `depths` i32 [count] is room for
 * the steps to each node.
 */
export function depthOf(arrays: usize, most: i32, count: i32, depths: usize): i32 {
  const left = arrayAt(arrays, most, 1);
  const right = arrayAt(arrays, most, 2);
  let deepest = 0;
  store<i32>(depths, 0);
  for (let node = 0; node < count; node += 1) {
    const at = <usize>node << 2;
    const child = load<i32>(left + at);
    if (child < 0) continue;
    const other = load<i32>(right + at);
    if (child <= node || child >= count || other <= node || other >= count) return -1;
    const depth = load<i32>(depths + at) + 1;
    store<i32>(depths + (<usize>child << 2), depth);
    store<i32>(depths + (<usize>other << 2), depth);
    deepest = max(deepest, depth);
  }
  return deepest;
}

/** A node that sends every value to the left: column 0, and infinity as a float. */
const ABOVE_ALL: u64 = 0x7f80_0000;

/**
 * Lays a tree in `arrays`, for which `depthOf` found `depth`, out as `addPathLengths` wants it: `nodes` and `lengths` have room for 2^depth. A leaf
 * that is nearer to the root goes on to the left. False where a node has no parent, or two. `places` i32 [count] is room for it.
 */
export function placeTree(
  arrays: usize,
  most: i32,
  count: i32,
  depth: i32,
  nodes: usize,
  lengths: usize,
  places: usize,
): bool {
  const feature = arrayAt(arrays, most, 0);
  const left = arrayAt(arrays, most, 1);
  const right = arrayAt(arrays, most, 2);
  const nNodeSamples = arrayAt(arrays, most, 3);
  const leaves = 1 << depth;
  for (let n = 0; n < leaves; n += 1) store<u64>(nodes + (<usize>n << NODE_SHIFT), ABOVE_ALL);
  memory.fill(places, 0, <usize>count << 2);
  store<i32>(places, 1);
  for (let node = 0; node < count; node += 1) {
    const at = <usize>node << 2;
    const place = load<i32>(places + at);
    if (place == 0) return false;
    const child = load<i32>(left + at);
    if (child < 0) {
      const steps = 31 - clz(place);
      const leaf = (place << (depth - steps)) - leaves;
      const length = <f64>steps + averagePathLength(load<i32>(nNodeSamples + at));
      store<f64>(lengths + (<usize>leaf << 3), length);
      continue;
    }
    const target = nodes + (<usize>place << NODE_SHIFT);
    store<f32>(target, floatAtMost(load<f64>(arrays + (at << 1))));
    store<u32>(target, load<i32>(feature + at) << 2, 4);
    const first = places + (<usize>child << 2);
    const second = places + (<usize>load<i32>(right + at) << 2);
    if (load<i32>(first) != 0 || load<i32>(second) != 0) return false;
    store<i32>(first, 2 * place);
    store<i32>(second, 2 * place + 1);
  }
  return true;
}

/** As src/anomaly/tree.ts tells. */
export function averagePathLength(n: f64): f64 {
  if (n <= 1) return 0;
  if (n == 2) return 1;
  const EULER_GAMMA = 0.5772156649015329;
  return 2 * (Math.log(n - 1) + EULER_GAMMA) - (2 * (n - 1)) / n;
}

/** As src/anomaly/scorer.ts tells. */
export function floatAtMost(value: f64): f32 {
  const nearest = <f32>value;
  if (<f64>nearest <= value) return nearest;
  // One step down: towards 0 above it, away from it below; below 0 itself comes the least negative number.
  if (nearest == 0) return reinterpret<f32>(<u32>0x8000_0001);
  return reinterpret<f32>(reinterpret<i32>(nearest) + (nearest > 0 ? -1 : 1));
}
