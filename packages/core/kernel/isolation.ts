/** Bytes of a node: threshold f32, byte offset of the column that it tests u32. */
const NODE_SHIFT: usize = 3;

/**
 * Adds to f64 `sums` [count] what one tree says of f32 rows, `stride` bytes from one to the next: `lengths` f64 [2^depth] at the
 * leaf that a row reaches. The tree is whole: node 1 is the root, 2n and 2n + 1 are the children of n, `nodes` is where node 0 would be,
 * and every walk takes `depth` steps. A row goes to the right child when its value is above the threshold. Eight rows walk side by
 * side, as each step waits for memory: `count` is a multiple of 8.
 */
export function addPathLengths(
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
