/** Layers that work row by row, and their gradients. Matrices are row-major [m, n] of 32-bit floats. */

/** Rows that are summed in 32 bits before the sum is added to the 64-bit total. */
const SUMMED: i32 = 256;

/**
 * Sums of columns: sums[j] (f64, not cleared) += Σ x[i, j], or Σ x[i, j] · y[i, j] where y is not 0.
 * @param room n floats
 */
export function addColumnSums(x: usize, y: usize, m: i32, n: i32, sums: usize, room: usize): void {
  const width = (<usize>n) << 2;
  const whole = width & ~15;
  for (let i = 0; i < m; i += SUMMED) {
    memory.fill(room, 0, width);
    for (let rows = min(SUMMED, m - i); rows > 0; rows -= 1) {
      let at: usize = 0;
      for (; at < whole; at += 16) {
        let value = v128.load(x + at);
        if (y != 0) value = f32x4.mul(value, v128.load(y + at));
        v128.store(room + at, f32x4.add(v128.load(room + at), value));
      }
      for (; at < width; at += 4) {
        let value = load<f32>(x + at);
        if (y != 0) value *= load<f32>(y + at);
        store<f32>(room + at, load<f32>(room + at) + value);
      }
      x += width;
      if (y != 0) y += width;
    }
    for (let j: usize = 0; j < <usize>n; j += 1)
      store<f64>(sums + (j << 3), load<f64>(sums + (j << 3)) + load<f32>(room + (j << 2)));
  }
}

/** As `addColumnSums`, over the rows where `present` [m] is `wanted`, 0 or 1. */
export function addSumsOfRows(
  x: usize,
  y: usize,
  present: usize,
  wanted: f32,
  m: i32,
  n: i32,
  sums: usize,
  room: usize,
): void {
  const width = (<usize>n) << 2;
  for (let i = 0; i < m;) {
    if (load<f32>(present + ((<usize>i) << 2)) != wanted) {
      i += 1;
      continue;
    }
    const first = i;
    while (i < m && load<f32>(present + ((<usize>i) << 2)) == wanted) i += 1;
    const offset = <usize>first * width;
    addColumnSums(x + offset, y == 0 ? 0 : y + offset, i - first, n, sums, room);
  }
}

/** Clears n values of 64 bits. */
export function clear(sums: usize, n: i32): void {
  memory.fill(sums, 0, (<usize>n) << 3);
}

/** n values of 64 bits → 32 bits, each times `factor`. */
export function scaleSums(sums: usize, n: i32, factor: f64, to: usize): void {
  for (let j: usize = 0; j < <usize>n; j += 1)
    store<f32>(to + (j << 2), <f32>(load<f64>(sums + (j << 3)) * factor));
}

/** y [n] = the sums of the columns of x; `sums` and `room`: n values of 64 and of 32 bits. */
export function columnSums(x: usize, m: i32, n: i32, y: usize, sums: usize, room: usize): void {
  clear(sums, n);
  addColumnSums(x, 0, m, n, sums, room);
  scaleSums(sums, n, 1, y);
}

/**
 * y[i] = x[i] · scale where the draw for i is at least the threshold (of 2^32), else 0. A draw is 32 bits: a finalizer of
 * MurmurHash3's kind over i and the seed (dropout.ts has it in TypeScript).
 */
export function dropout(x: usize, n: i32, seed: u32, threshold: u32, scale: f32, y: usize): void {
  const seeds = i32x4.splat(seed);
  const least = i32x4.splat(threshold ^ 0x80000000); // a signed comparison of unsigned numbers
  const sign = i32x4.splat(0x80000000);
  let index = i32x4(0, 1, 2, 3);
  let i = 0;
  for (; i + 4 <= n; i += 4, x += 16, y += 16) {
    let z = i32x4.add(i32x4.mul(index, i32x4.splat(0x9e3779b1)), seeds);
    z = i32x4.mul(v128.xor(z, i32x4.shr_u(z, 15)), i32x4.splat(0x85ebca77));
    z = i32x4.mul(v128.xor(z, i32x4.shr_u(z, 13)), i32x4.splat(0xc2b2ae3d));
    z = v128.xor(z, i32x4.shr_u(z, 16));
    const kept = i32x4.ge_s(v128.xor(z, sign), least);
    v128.store(y, v128.and(f32x4.mul(v128.load(x), f32x4.splat(scale)), kept));
    index = i32x4.add(index, i32x4.splat(4));
  }
  for (; i < n; i += 1, x += 4, y += 4) {
    let z = <u32>i * 0x9e3779b1 + seed;
    z = (z ^ (z >> 15)) * 0x85ebca77;
    z = (z ^ (z >> 13)) * 0xc2b2ae3d;
    z = z ^ (z >> 16);
    store<f32>(y, z >= threshold ? load<f32>(x) * scale : 0);
  }
}

/** dx[i] = dy[i] where y[i] > 0, else 0: the gradient of max(x, 0), y being its value. */
export function reluGradient(dy: usize, y: usize, n: i32, dx: usize): void {
  let i = 0;
  for (; i + 4 <= n; i += 4, dy += 16, y += 16, dx += 16)
    v128.store(dx, v128.and(v128.load(dy), f32x4.gt(v128.load(y), f32x4.splat(0))));
  for (; i < n; i += 1, dy += 4, y += 4, dx += 4)
    store<f32>(dx, load<f32>(y) > 0 ? load<f32>(dy) : 0);
}

/** (x - mean) / deviation, both [n], times present[i] [m] where it is not 0 (as an address). */
export function standardise(
  x: usize,
  mean: usize,
  deviation: usize,
  present: usize,
  m: i32,
  n: i32,
  y: usize,
): void {
  const width = (<usize>n) << 2;
  const whole = width & ~15;
  for (let i: usize = 0; i < <usize>m; i += 1, x += width, y += width) {
    const factor: f32 = present == 0 ? 1 : load<f32>(present + (i << 2));
    let at: usize = 0;
    for (; at < whole; at += 16) {
      const centred = f32x4.sub(v128.load(x + at), v128.load(mean + at));
      const standard = f32x4.div(centred, v128.load(deviation + at));
      v128.store(y + at, f32x4.mul(standard, f32x4.splat(factor)));
    }
    for (; at < width; at += 4) {
      const standard = (load<f32>(x + at) - load<f32>(mean + at)) / load<f32>(deviation + at);
      store<f32>(y + at, standard * factor);
    }
  }
}

/** Rows of x where present[i] is not 0, else `missing` [n]. */
export function fillMissing(
  x: usize,
  present: usize,
  missing: usize,
  m: i32,
  n: i32,
  y: usize,
): void {
  const width = (<usize>n) << 2;
  for (let i: usize = 0; i < <usize>m; i += 1)
    memory.copy(y + i * width, load<f32>(present + (i << 2)) != 0 ? x + i * width : missing, width);
}

/** The gradients of `fillMissing`; `sums` and `room`: n values of 64 and of 32 bits. */
export function fillMissingGradient(
  dy: usize,
  present: usize,
  m: i32,
  n: i32,
  dx: usize,
  dmissing: usize,
  sums: usize,
  room: usize,
): void {
  const width = (<usize>n) << 2;
  for (let i: usize = 0; i < <usize>m; i += 1)
    if (load<f32>(present + (i << 2)) != 0) memory.copy(dx + i * width, dy + i * width, width);
    else memory.fill(dx + i * width, 0, width);
  clear(sums, n);
  addSumsOfRows(dy, 0, present, 0, m, n, sums, room);
  scaleSums(sums, n, 1, dmissing);
}
