/**
 * Products of matrices of 32-bit floats. Both factors are first laid out in the order in which the inner loop reads them:
 * the left one in blocks of 4 rows, the right one in panels of 8 columns; 4 × 8 sums stay in registers.
 */

/** Rows of a block and columns of a panel. */
export const ROWS: i32 = 4;
export const COLUMNS: i32 = 8;

/** Floats that `packLeft` writes for m × k values. */
export function leftSize(m: i32, k: i32): i32 {
  return ((m + ROWS - 1) / ROWS) * ROWS * k;
}

/** Floats that `packRight` writes for k × n values. */
export function rightSize(k: i32, n: i32): i32 {
  return ((n + COLUMNS - 1) / COLUMNS) * COLUMNS * k;
}

/** The value (i, p) lies at a + 4 (i · rowStep + p · columnStep); rows beyond m are written as zeros. */
export function packLeft(a: usize, m: i32, k: i32, rowStep: i32, columnStep: i32, to: usize): void {
  const across = <usize>columnStep << 2;
  const down = <usize>rowStep << 2;
  for (let i = 0; i < m; i += ROWS) {
    const rows = min(ROWS, m - i);
    for (let r = 0; r < ROWS; r += 1) {
      let target = to + (<usize>r << 2);
      if (r >= rows) {
        for (let p = 0; p < k; p += 1, target += 16) store<f32>(target, 0);
        continue;
      }
      let source = a + <usize>(i + r) * down;
      for (let p = 0; p < k; p += 1, source += across, target += 16)
        store<f32>(target, load<f32>(source));
    }
    to += <usize>(k * ROWS) << 2;
  }
}

/** One panel: columns from `column` on of k × n values of which (p, j) lies at b + 4 (p · rowStep + j · columnStep). */
export function packRight(
  b: usize,
  k: i32,
  columns: i32,
  rowStep: i32,
  columnStep: i32,
  to: usize,
): void {
  const down = <usize>rowStep << 2;
  if (columnStep == 1 && columns == COLUMNS) {
    for (let p = 0; p < k; p += 1, b += down, to += 32) {
      v128.store(to, v128.load(b));
      v128.store(to, v128.load(b, 16), 16);
    }
    return;
  }
  const across = <usize>columnStep << 2;
  for (let j = 0; j < COLUMNS; j += 1) {
    let source = b + <usize>j * across;
    let target = to + (<usize>j << 2);
    if (j < columns)
      for (let p = 0; p < k; p += 1, source += down, target += 32)
        store<f32>(target, load<f32>(source));
    else for (let p = 0; p < k; p += 1, target += 32) store<f32>(target, 0);
  }
}

/**
 * A panel of the product of packed factors: c[i, j] = Σ left[i, p] right[p, j] (+ c[i, j] if `add`) (+ bias[j] if not 0).
 * @param step floats from a row of c to the next
 * @param tile room for 32 floats
 */
export function multiplyPanel(
  left: usize,
  right: usize,
  m: i32,
  columns: i32,
  k: i32,
  c: usize,
  step: i32,
  add: bool,
  bias: usize,
  tile: usize,
): void {
  const down = <usize>step << 2;
  for (let i = 0; i < m; i += ROWS, c += down * ROWS) {
    const rows = min(ROWS, m - i);
    const whole = rows == ROWS && columns == COLUMNS;
    left = multiplyTile(left, right, k, whole ? c : tile, whole ? down : 32, whole && add, whole ? bias : 0);
    if (whole) continue;
    for (let r = 0; r < rows; r += 1)
      for (let j = 0; j < columns; j += 1) {
        const at = c + <usize>r * down + (<usize>j << 2);
        let value = load<f32>(tile + (<usize>(r * COLUMNS + j) << 2));
        if (bias != 0) value += load<f32>(bias + (<usize>j << 2));
        if (add) value += load<f32>(at);
        store<f32>(at, value);
      }
  }
}

/** 4 rows and 8 columns of the product; returns where the next block of `left` begins. */
// @ts-ignore: decorator
@inline
function multiplyTile(
  left: usize,
  right: usize,
  k: i32,
  c: usize,
  down: usize,
  add: bool,
  bias: usize,
): usize {
  let c00 = f32x4.splat(0), c01 = c00;
  let c10 = c00, c11 = c00;
  let c20 = c00, c21 = c00;
  let c30 = c00, c31 = c00;
  const end = left + <usize>k * 16;
  for (; left < end; left += 16, right += 32) {
    const b0 = v128.load(right), b1 = v128.load(right, 16);
    const a0 = v128.load32_splat(left);
    c00 = f32x4.add(c00, f32x4.mul(a0, b0));
    c01 = f32x4.add(c01, f32x4.mul(a0, b1));
    const a1 = v128.load32_splat(left, 4);
    c10 = f32x4.add(c10, f32x4.mul(a1, b0));
    c11 = f32x4.add(c11, f32x4.mul(a1, b1));
    const a2 = v128.load32_splat(left, 8);
    c20 = f32x4.add(c20, f32x4.mul(a2, b0));
    c21 = f32x4.add(c21, f32x4.mul(a2, b1));
    const a3 = v128.load32_splat(left, 12);
    c30 = f32x4.add(c30, f32x4.mul(a3, b0));
    c31 = f32x4.add(c31, f32x4.mul(a3, b1));
  }
  storeRow(c, c00, c01, add, bias);
  storeRow(c + down, c10, c11, add, bias);
  storeRow(c + 2 * down, c20, c21, add, bias);
  storeRow(c + 3 * down, c30, c31, add, bias);
  return end;
}

// @ts-ignore: decorator
@inline
function storeRow(c: usize, x0: v128, x1: v128, add: bool, bias: usize): void {
  if (bias != 0) {
    x0 = f32x4.add(x0, v128.load(bias));
    x1 = f32x4.add(x1, v128.load(bias, 16));
  }
  if (add) {
    x0 = f32x4.add(x0, v128.load(c));
    x1 = f32x4.add(x1, v128.load(c, 16));
  }
  v128.store(c, x0);
  v128.store(c, x1, 16);
}

/** Values of k that are multiplied at a time: a panel of so many rows stays in the nearest cache. */
const DEPTH: i32 = 512;

/** Bytes of the `room` that `multiply` needs. */
export function multiplyRoom(m: i32, k: i32): i32 {
  const depth = min(k, DEPTH);
  return (leftSize(m, depth) + rightSize(depth, COLUMNS) + ROWS * COLUMNS) << 2;
}

/**
 * c[m, n] = a · b (+ c if `add`) (+ bias[n] if not 0), c row-major. The value (i, p) of a lies at
 * a + 4 (i · aRow + p · aColumn), so that a transposed matrix is read in place; b likewise.
 */
export function multiply(
  m: i32,
  n: i32,
  k: i32,
  a: usize,
  aRow: i32,
  aColumn: i32,
  b: usize,
  bRow: i32,
  bColumn: i32,
  c: usize,
  add: bool,
  bias: usize,
  room: usize,
): void {
  // Once even where k is 0: an empty sum is 0, and is written.
  for (let p = 0; p == 0 || p < k; p += DEPTH) {
    const depth = min(DEPTH, k - p);
    const panel = room + (<usize>leftSize(m, depth) << 2);
    const tile = panel + (<usize>rightSize(depth, COLUMNS) << 2);
    packLeft(a + (<usize>(p * aColumn) << 2), m, depth, aRow, aColumn, room);
    for (let j = 0; j < n; j += COLUMNS) {
      const columns = min(COLUMNS, n - j);
      const from = b + (<usize>(p * bRow + j * bColumn) << 2);
      packRight(from, depth, columns, bRow, bColumn, panel);
      const offset = <usize>j << 2;
      const withBias = bias != 0 && p == 0 ? bias + offset : 0;
      multiplyPanel(room, panel, m, columns, depth, c + offset, n, add || p > 0, withBias, tile);
    }
  }
}
