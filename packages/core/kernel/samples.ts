/** 16-bit little-endian PCM [n, channels] → the mean of the channels, f32 [n], full scale 1. */
export function pcm16ToMono(source: usize, n: i32, channels: i32, target: usize): void {
  const scale = f32x4.splat(<f32>(1.0 / 32768.0));
  let frame = 0;
  if (channels == 1)
    for (; frame + 8 <= n; frame += 8, source += 16, target += 32) {
      const eight = v128.load(source);
      const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(eight));
      const high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(eight));
      v128.store(target, f32x4.mul(low, scale));
      v128.store(target, f32x4.mul(high, scale), 16);
    }
  for (; frame < n; frame += 1, target += 4) {
    let sum: i32 = 0;
    for (let channel = 0; channel < channels; channel += 1, source += 2) sum += load<i16>(source);
    store<f32>(target, <f32>(<f64>sum / (32768.0 * <f64>channels)));
  }
}

/** Sums of squares of `count` runs of n samples each (n a multiple of 4) → f64 [count]. */
export function energies(samples: usize, count: i32, n: i32, target: usize): void {
  for (let i = 0; i < count; i += 1, target += 8) {
    const end = samples + ((<usize>n) << 2);
    let low = f64x2.splat(0);
    let high = f64x2.splat(0);
    for (; samples < end; samples += 16) {
      const four = v128.load(samples);
      const a = f64x2.promote_low_f32x4(four);
      const b = f64x2.promote_low_f32x4(v128.shuffle<f32>(four, four, 2, 3, 2, 3));
      low = f64x2.add(low, f64x2.mul(a, a));
      high = f64x2.add(high, f64x2.mul(b, b));
    }
    const sum = f64x2.add(low, high);
    store<f64>(target, f64x2.extract_lane(sum, 0) + f64x2.extract_lane(sum, 1));
  }
}

/** The largest magnitude of n samples. */
export function peak(samples: usize, n: i32): f32 {
  const end = samples + ((<usize>n) << 2);
  let most = f32x4.splat(0);
  for (; samples + 16 <= end; samples += 16) most = f32x4.max(most, f32x4.abs(v128.load(samples)));
  let largest = max(
    max(f32x4.extract_lane(most, 0), f32x4.extract_lane(most, 1)),
    max(f32x4.extract_lane(most, 2), f32x4.extract_lane(most, 3)),
  );
  for (; samples < end; samples += 4) largest = max(largest, abs(load<f32>(samples)));
  return largest;
}

/** samples[i] /= divisor */
export function divide(samples: usize, n: i32, divisor: f32): void {
  const by = f32x4.splat(divisor);
  const end = samples + ((<usize>n) << 2);
  for (; samples + 16 <= end; samples += 16) v128.store(samples, f32x4.div(v128.load(samples), by));
  for (; samples < end; samples += 4) store<f32>(samples, load<f32>(samples) / divisor);
}

/**
 * A polyphase filter: target[i] = Σ coefficients[phase, tap] · samples[first + tap], where phase and first walk by
 * step / phases from `phase` and sample 0. `taps` is a multiple of 4.
 */
export function polyphase(
  samples: usize,
  target: usize,
  n: i32,
  coefficients: usize,
  taps: i32,
  phases: i32,
  step: i32,
  phase: i32,
): void {
  for (let i = 0; i < n; i += 1, target += 4) {
    let x = samples;
    let h = coefficients + ((<usize>phase * taps) << 2);
    const end = h + ((<usize>taps) << 2);
    let sum = f32x4.splat(0);
    for (; h < end; h += 16, x += 16) sum = f32x4.add(sum, f32x4.mul(v128.load(x), v128.load(h)));
    store<f32>(target, sumOf(sum));
    phase += step;
    const whole = phase / phases;
    phase -= whole * phases;
    samples += (<usize>whole) << 2;
  }
}

/** `polyphase` with a filter for each of `rows` + 1 positions from 0 to 1: between two of them by a straight line. */
export function polyphaseBetween(
  samples: usize,
  target: usize,
  n: i32,
  coefficients: usize,
  taps: i32,
  phases: i32,
  step: i32,
  phase: i32,
  rows: i32,
): void {
  const rowBytes = (<usize>taps) << 2;
  for (let i = 0; i < n; i += 1, target += 4) {
    const place = (<f64>phase * <f64>rows) / <f64>phases;
    const row = <i32>place;
    let x = samples;
    let h = coefficients + <usize>row * rowBytes;
    const end = h + rowBytes;
    let below = f32x4.splat(0);
    let above = f32x4.splat(0);
    for (; h < end; h += 16, x += 16) {
      below = f32x4.add(below, f32x4.mul(v128.load(x), v128.load(h)));
      above = f32x4.add(above, f32x4.mul(v128.load(x), v128.load(h + rowBytes)));
    }
    const part = f32x4.splat(<f32>(place - <f64>row));
    const sum = f32x4.add(below, f32x4.mul(part, f32x4.sub(above, below)));
    store<f32>(target, sumOf(sum));
    phase += step;
    const whole = phase / phases;
    phase -= whole * phases;
    samples += (<usize>whole) << 2;
  }
}

@inline
function sumOf(lanes: v128): f32 {
  return (
    f32x4.extract_lane(lanes, 0) +
    f32x4.extract_lane(lanes, 1) +
    (f32x4.extract_lane(lanes, 2) + f32x4.extract_lane(lanes, 3))
  );
}
