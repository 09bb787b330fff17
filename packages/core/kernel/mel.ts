/**
 * Weighted sums of a power spectrum of four frames (16 bytes a bin).
 * `bands`: i32 [count, 2] (first bin, number of bins), `weights`: f32, those of a band after another's.
 * Row b of `target` starts `stride` bytes after row b - 1's; the four sums go to four frames beside each other.
 */
export function melBands(
  power: usize,
  bands: usize,
  count: i32,
  weights: usize,
  target: usize,
  stride: i32,
): void {
  for (let band = 0; band < count; band += 1) {
    let bin = power + ((<usize>load<i32>(bands)) << 4);
    const end = bin + ((<usize>load<i32>(bands, 4)) << 4);
    let sum = f32x4.splat(0);
    for (; bin < end; bin += 16, weights += 4)
      sum = f32x4.add(sum, f32x4.mul(v128.load(bin), v128.load32_splat(weights)));
    v128.store(target, sum);
    bands += 8;
    target += stride;
  }
}

/** The largest of n values, at least 0. */
export function maximum(values: usize, n: i32): f32 {
  const end = values + ((<usize>n) << 2);
  let most = f32x4.splat(0);
  for (; values + 16 <= end; values += 16) most = f32x4.max(most, v128.load(values));
  let largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (; values < end; values += 4) largest = max(largest, load<f32>(values));
  return largest;
}

/**
 * target[i] = max(10·log10(max(amin, power[i])) - reference, floor) for i < n rounded up to 4: what lies there is written
 * over. librosa.power_to_db.
 */
export function toDecibels(
  power: usize,
  target: usize,
  n: i32,
  amin: f32,
  reference: f32,
  floor: f32,
): void {
  const least = f32x4.splat(amin);
  const loudest = f32x4.splat(reference);
  const bottom = f32x4.splat(floor);
  const end = power + ((<usize>n) << 2);
  for (; power < end; power += 16, target += 16) {
    const decibels = decibelsOf(f32x4.max(least, v128.load(power)));
    v128.store(target, f32x4.max(f32x4.sub(decibels, loudest), bottom));
  }
}

/** 10·log10(x) of one positive number, by the same steps as `toDecibels`. */
export function decibels(x: f32): f32 {
  return f32x4.extract_lane(decibelsOf(f32x4.splat(x)), 0);
}

/** 10·log10(x) for normal x > 0: exponent, and the polynomial of logf in Cephes (Moshier 1989), to an ulp or two. */
@inline
function decibelsOf(x: v128): v128 {
  const one = f32x4.splat(1);
  // x = m · 2^e with m in [0.5, 1)
  let e = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_u(x, 23), i32x4.splat(126)));
  let m = v128.or(v128.and(x, i32x4.splat(0x007fffff)), f32x4.splat(0.5));
  // m < sqrt(1/2): take 2m and e - 1, so that m lies around 1
  const small = f32x4.lt(m, f32x4.splat(0.7071067811865476));
  e = f32x4.sub(e, v128.and(one, small));
  m = f32x4.sub(f32x4.add(m, v128.and(m, small)), one);
  const square = f32x4.mul(m, m);
  let y = f32x4.splat(7.0376836292e-2);
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-1.151461031e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(1.1676998740e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-1.2420140846e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(1.4249322787e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-1.6668057665e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(2.0000714765e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(-2.4999993993e-1));
  y = f32x4.add(f32x4.mul(y, m), f32x4.splat(3.3333331174e-1));
  y = f32x4.mul(f32x4.mul(y, m), square);
  y = f32x4.sub(y, f32x4.mul(f32x4.splat(0.5), square));
  const naturalOfM = f32x4.add(m, y);
  return f32x4.add(
    f32x4.mul(naturalOfM, f32x4.splat(4.342944819032518)), // 10 / ln 10
    f32x4.mul(e, f32x4.splat(3.010299956639812)), // 10 · log10 2
  );
}
