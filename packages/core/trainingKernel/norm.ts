import { addColumnSums, addSumsOfRows, clear, scaleSums } from "./rows";

/** Normalising layers in training, and their gradients. Matrices are row-major [m, n] of 32-bit floats. */

/**
 * Batch norm over the rows where present[i] is 1 (0: no such input, all rows count):
 * y = gamma (x - mean) / √(variance + epsilon) + beta. `mean`, `variance` (of the population) and `scale`, one over the
 * root, are written, [n] each.
 * @param count rows that count, 1 at least
 * @param sums n values of 64 bits
 * @param room n floats
 */
export function batchNorm(
  x: usize,
  present: usize,
  gamma: usize,
  beta: usize,
  m: i32,
  n: i32,
  count: f64,
  epsilon: f32,
  y: usize,
  mean: usize,
  variance: usize,
  scale: usize,
  sums: usize,
  room: usize,
): void {
  const width = <usize>n << 2;
  clear(sums, n);
  addRows(x, 0, present, m, n, sums, room);
  scaleSums(sums, n, 1 / count, mean);
  clear(sums, n);
  for (let i: usize = 0; i < <usize>m; i += 1) subtract(x + i * width, mean, n, y + i * width);
  addRows(y, y, present, m, n, sums, room);
  scaleSums(sums, n, 1 / count, variance);
  for (let j: usize = 0; j < width; j += 4)
    store<f32>(scale + j, 1 / sqrt<f32>(load<f32>(variance + j) + epsilon));
  for (let j: usize = 0; j < width; j += 4)
    store<f32>(room + j, load<f32>(scale + j) * load<f32>(gamma + j));
  for (let i: usize = 0; i < <usize>m; i += 1) multiplyAdd(y + i * width, room, beta, n);
}

function addRows(
  x: usize,
  y: usize,
  present: usize,
  m: i32,
  n: i32,
  sums: usize,
  room: usize,
): void {
  if (present == 0) addColumnSums(x, y, m, n, sums, room);
  else addSumsOfRows(x, y, present, 1, m, n, sums, room);
}

// @ts-ignore: decorator
@inline
function subtract(x: usize, mean: usize, n: i32, y: usize): void {
  let j: i32 = 0;
  for (; j + 4 <= n; j += 4, x += 16, mean += 16, y += 16)
    v128.store(y, f32x4.sub(v128.load(x), v128.load(mean)));
  for (; j < n; j += 1, x += 4, mean += 4, y += 4) store<f32>(y, load<f32>(x) - load<f32>(mean));
}

/** y = y · factor + beta, in place. */
// @ts-ignore: decorator
@inline
function multiplyAdd(y: usize, factor: usize, beta: usize, n: i32): void {
  let j: i32 = 0;
  for (; j + 4 <= n; j += 4, y += 16, factor += 16, beta += 16)
    v128.store(y, f32x4.add(f32x4.mul(v128.load(y), v128.load(factor)), v128.load(beta)));
  for (; j < n; j += 1, y += 4, factor += 4, beta += 4)
    store<f32>(y, load<f32>(y) * load<f32>(factor) + load<f32>(beta));
}

/**
 * The gradients of `batchNorm`. With x̂ = (x - mean) · scale: dbeta = Σ dy, dgamma = Σ dy x̂,
 * dx = gamma · scale · (dy - present / count · (dbeta + x̂ dgamma)).
 * @param sums n values of 64 bits
 * @param room n floats
 */
export function batchNormGradient(
  dy: usize,
  x: usize,
  present: usize,
  gamma: usize,
  mean: usize,
  scale: usize,
  m: i32,
  n: i32,
  count: f64,
  dx: usize,
  dgamma: usize,
  dbeta: usize,
  sums: usize,
  room: usize,
): void {
  const width = <usize>n << 2;
  for (let i: usize = 0; i < <usize>m; i += 1) normalise(x + i * width, mean, scale, n, dx + i * width);
  clear(sums, n);
  addColumnSums(dy, 0, m, n, sums, room);
  scaleSums(sums, n, 1, dbeta);
  clear(sums, n);
  addColumnSums(dy, dx, m, n, sums, room);
  scaleSums(sums, n, 1, dgamma);
  const share = <f32>(1 / count);
  for (let j: usize = 0; j < width; j += 4)
    store<f32>(room + j, load<f32>(gamma + j) * load<f32>(scale + j));
  for (let i: usize = 0; i < <usize>m; i += 1) {
    const part = present == 0 ? share : share * load<f32>(present + (i << 2));
    rowGradient(dy + i * width, dx + i * width, room, dgamma, dbeta, part, n);
  }
}

/** y = (x - mean) · scale */
// @ts-ignore: decorator
@inline
function normalise(x: usize, mean: usize, scale: usize, n: i32, y: usize): void {
  let j: i32 = 0;
  for (; j + 4 <= n; j += 4, x += 16, mean += 16, scale += 16, y += 16)
    v128.store(y, f32x4.mul(f32x4.sub(v128.load(x), v128.load(mean)), v128.load(scale)));
  for (; j < n; j += 1, x += 4, mean += 4, scale += 4, y += 4)
    store<f32>(y, (load<f32>(x) - load<f32>(mean)) * load<f32>(scale));
}

/** d = factor · (dy - part · (dbeta + d · dgamma)), in place of x̂ in d. */
// @ts-ignore: decorator
@inline
function rowGradient(
  dy: usize,
  d: usize,
  factor: usize,
  dgamma: usize,
  dbeta: usize,
  part: f32,
  n: i32,
): void {
  const parts = f32x4.splat(part);
  let j: i32 = 0;
  for (; j + 4 <= n; j += 4, dy += 16, d += 16, factor += 16, dgamma += 16, dbeta += 16) {
    const common = f32x4.add(v128.load(dbeta), f32x4.mul(v128.load(d), v128.load(dgamma)));
    const own = f32x4.sub(v128.load(dy), f32x4.mul(parts, common));
    v128.store(d, f32x4.mul(v128.load(factor), own));
  }
  for (; j < n; j += 1, dy += 4, d += 4, factor += 4, dgamma += 4, dbeta += 4) {
    const common = load<f32>(dbeta) + load<f32>(d) * load<f32>(dgamma);
    store<f32>(d, load<f32>(factor) * (load<f32>(dy) - part * common));
  }
}

/** Layer norm of each row: y = gamma (x - mean) / √(variance + epsilon) + beta. */
export function layerNorm(
  x: usize,
  gamma: usize,
  beta: usize,
  m: i32,
  n: i32,
  epsilon: f32,
  y: usize,
): void {
  const width = <usize>n << 2;
  for (let i: i32 = 0; i < m; i += 1, x += width, y += width) {
    normaliseRow(x, n, epsilon, y);
    multiplyAdd(y, gamma, beta, n);
  }
}

/** y = (x - mean) / √(variance + epsilon); returns one over the root. */
function normaliseRow(x: usize, n: i32, epsilon: f32, y: usize): f32 {
  const end = x + (<usize>n << 2);
  let sum: f64 = 0;
  for (let at = x; at < end; at += 4) sum += load<f32>(at);
  const mean = <f32>(sum / n);
  let squares: f64 = 0;
  for (let at = x; at < end; at += 4) {
    const centred = load<f32>(at) - mean;
    squares += <f64>(centred * centred);
  }
  const scale: f32 = 1 / sqrt<f32>(<f32>(squares / n) + epsilon);
  for (let at = x; at < end; at += 4, y += 4) store<f32>(y, (load<f32>(at) - mean) * scale);
  return scale;
}

/**
 * The gradients of `layerNorm`: with g = dy · gamma, dx = scale · (g - mean(g) - x̂ mean(g x̂)).
 * @param sums 2 n values of 64 bits
 * @param room n floats
 */
export function layerNormGradient(
  dy: usize,
  x: usize,
  gamma: usize,
  m: i32,
  n: i32,
  epsilon: f32,
  dx: usize,
  dgamma: usize,
  dbeta: usize,
  sums: usize,
  room: usize,
): void {
  const width = <usize>n << 2;
  const products = sums + (<usize>n << 3);
  clear(sums, 2 * n);
  for (let i: i32 = 0; i < m; i += 1, x += width, dy += width, dx += width) {
    const scale = normaliseRow(x, n, epsilon, dx);
    addColumnSums(dy, 0, 1, n, sums, room);
    addColumnSums(dy, dx, 1, n, products, room);
    let sum: f64 = 0;
    let product: f64 = 0;
    for (let j: usize = 0; j < width; j += 4) {
      const g = load<f32>(dy + j) * load<f32>(gamma + j);
      sum += g;
      product += <f64>(g * load<f32>(dx + j));
    }
    const mean = <f32>(sum / n);
    const along = <f32>(product / n);
    for (let j: usize = 0; j < width; j += 4) {
      const g = load<f32>(dy + j) * load<f32>(gamma + j);
      store<f32>(dx + j, scale * (g - mean - load<f32>(dx + j) * along));
    }
  }
  scaleSums(sums, n, 1, dbeta);
  scaleSums(products, n, 1, dgamma);
}
