/** Bytes of a node: threshold f32, byte offset of the column that it tests u32, address of its left child u32, unused u32. */
const NODE_SHIFT: usize = 4;

/**
 * Adds to f64 `sums` [count] what one tree says of f32 rows, `stride` bytes from one to the next: `lengths` f64 [nodes] at the
 * leaf that a row reaches. A row goes to the right child, which lies behind the left one, when its value is above the threshold;
 * a leaf is its own left child with an infinite threshold, so that every walk takes `depth` steps. Eight rows walk side by side,
 * as each step waits for memory: `count` is a multiple of 8.
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
  for (let row = 0; row < count; row += 8, sums += 64) {
    const row1 = rows + stride;
    const row2 = row1 + stride;
    const row3 = row2 + stride;
    const row4 = row3 + stride;
    const row5 = row4 + stride;
    const row6 = row5 + stride;
    const row7 = row6 + stride;
    let a = nodes;
    let b = nodes;
    let c = nodes;
    let d = nodes;
    let e = nodes;
    let f = nodes;
    let g = nodes;
    let h = nodes;
    for (let step = 0; step < depth; step += 1) {
      a = childOf(a, rows);
      b = childOf(b, row1);
      c = childOf(c, row2);
      d = childOf(d, row3);
      e = childOf(e, row4);
      f = childOf(f, row5);
      g = childOf(g, row6);
      h = childOf(h, row7);
    }
    rows = row7 + stride;
    add(sums, lengths, a - nodes);
    add(sums + 8, lengths, b - nodes);
    add(sums + 16, lengths, c - nodes);
    add(sums + 24, lengths, d - nodes);
    add(sums + 32, lengths, e - nodes);
    add(sums + 40, lengths, f - nodes);
    add(sums + 48, lengths, g - nodes);
    add(sums + 56, lengths, h - nodes);
  }
}

@inline
function childOf(node: usize, row: usize): usize {
  const value = load<f32>(row + <usize>load<u32>(node, 4));
  return <usize>load<u32>(node, 8) + ((<usize>(value > load<f32>(node))) << NODE_SHIFT);
}

/** `place`: bytes from the first node to the leaf. */
@inline
function add(sum: usize, lengths: usize, place: usize): void {
  store<f64>(sum, load<f64>(sum) + load<f64>(lengths + (place >> 1)));
}
