/** Σ x² of n floats. */
export function sumOfSquares(x: usize, n: i32): f64 {
  let total: f64 = 0;
  const end = x + ((<usize>n) << 2);
  while (x + 64 <= end) {
    // In 32 bits over 4,096 values at most, in 64 bits over those sums.
    let a = f32x4.splat(0),
      b = a,
      c = a,
      d = a;
    for (const stop = min(end, x + 16384); x + 64 <= stop; x += 64) {
      const p = v128.load(x),
        q = v128.load(x, 16),
        r = v128.load(x, 32),
        s = v128.load(x, 48);
      a = f32x4.add(a, f32x4.mul(p, p));
      b = f32x4.add(b, f32x4.mul(q, q));
      c = f32x4.add(c, f32x4.mul(r, r));
      d = f32x4.add(d, f32x4.mul(s, s));
    }
    const sum = f32x4.add(f32x4.add(a, b), f32x4.add(c, d));
    total += <f64>f32x4.extract_lane(sum, 0) + f32x4.extract_lane(sum, 1);
    total += <f64>f32x4.extract_lane(sum, 2) + f32x4.extract_lane(sum, 3);
  }
  for (; x < end; x += 4) total += <f64>load<f32>(x) * load<f32>(x);
  return total;
}

const BETA1: f32 = 0.9;
const BETA2: f32 = 0.999;
/** One less each, as nearly as 32 bits can say (1 - 0.999 in 32 bits is off by 5e-5 of itself). */
const REST1: f32 = 0.1;
const REST2: f32 = 0.001;
const EPSILON: f32 = 1e-8;

/**
 * A step of AdamW (Loshchilov & Hutter 2019) on n values, in place.
 * @param clip what the gradients are multiplied by first
 * @param decay what the values are multiplied by first
 * @param size the learning rate over the first moment's bias correction
 * @param correction what the root of the second moment is multiplied by
 */
export function adamW(
  values: usize,
  gradients: usize,
  first: usize,
  second: usize,
  n: i32,
  clip: f32,
  decay: f32,
  size: f32,
  correction: f32,
): void {
  let i = 0;
  for (; i + 4 <= n; i += 4) {
    const g = f32x4.mul(v128.load(gradients), f32x4.splat(clip));
    const m = f32x4.add(
      f32x4.mul(f32x4.splat(BETA1), v128.load(first)),
      f32x4.mul(f32x4.splat(REST1), g),
    );
    const v = f32x4.add(
      f32x4.mul(f32x4.splat(BETA2), v128.load(second)),
      f32x4.mul(f32x4.splat(REST2), f32x4.mul(g, g)),
    );
    const root = f32x4.add(f32x4.mul(f32x4.sqrt(v), f32x4.splat(correction)), f32x4.splat(EPSILON));
    const step = f32x4.div(f32x4.mul(f32x4.splat(size), m), root);
    v128.store(first, m);
    v128.store(second, v);
    v128.store(values, f32x4.sub(f32x4.mul(v128.load(values), f32x4.splat(decay)), step));
    values += 16;
    gradients += 16;
    first += 16;
    second += 16;
  }
  for (; i < n; i += 1) {
    const g = load<f32>(gradients) * clip;
    const m = BETA1 * load<f32>(first) + REST1 * g;
    const v = BETA2 * load<f32>(second) + REST2 * (g * g);
    store<f32>(first, m);
    store<f32>(second, v);
    store<f32>(
      values,
      load<f32>(values) * decay - (size * m) / (sqrt<f32>(v) * correction + EPSILON),
    );
    values += 4;
    gradients += 4;
    first += 4;
    second += 4;
  }
}
