/** Shares of pixels are whole numbers of 1 / 2^22. */
const PRECISION_BITS = 22;

/**
 * Weighted sums along the rows of a picture, u8 [rows, from, 3] → [rows, to, 3], rounded to 8 bits.
 * `taps`: i32 [to, stride]: the first input pixel, how many there are, the share of each (none negative, 2^22 together).
 * Reads one byte beyond the source and writes one beyond the target.
 */
export function resizeRows(
  source: usize,
  target: usize,
  rows: i32,
  from: i32,
  to: i32,
  taps: usize,
  stride: i32,
): void {
  const half = i32x4.splat(1 << (PRECISION_BITS - 1));
  for (let row = 0; row < rows; row += 1, source += <usize>from * 3) {
    let tap = taps;
    for (let x = 0; x < to; x += 1, tap += (<usize>stride) << 2, target += 3) {
      let pixel = source + <usize>load<i32>(tap) * 3;
      let share = tap + 8;
      const end = share + ((<usize>load<i32>(tap, 4)) << 2);
      let sum = half; // red, green, blue, and what lies beside them
      for (; share < end; share += 4, pixel += 3) {
        const bytes = i16x8.extend_low_i8x16_u(v128.load32_zero(pixel));
        sum = i32x4.add(
          sum,
          i32x4.mul(i32x4.extend_low_i16x8_u(bytes), v128.load32_splat(share)),
        );
      }
      store<i32>(target, i32x4.extract_lane(toBytes(sum, sum, sum, sum), 0));
    }
  }
}

/**
 * Weighted sums of the rows of a picture, u8 [from, length] → [to, length], rounded to 8 bits; `taps` as above, in rows.
 * Reads and writes up to 15 bytes beyond the ends.
 */
export function resizeColumns(
  source: usize,
  target: usize,
  length: i32,
  to: i32,
  taps: usize,
  stride: i32,
): void {
  const half = i32x4.splat(1 << (PRECISION_BITS - 1));
  for (let y = 0; y < to; y += 1, taps += (<usize>stride) << 2, target += length) {
    const first = source + <usize>load<i32>(taps) * length;
    const end = taps + 8 + ((<usize>load<i32>(taps, 4)) << 2);
    for (let at: usize = 0; at < <usize>length; at += 16) {
      let row = first + at;
      let a = half;
      let b = half;
      let c = half;
      let d = half;
      for (let tap = taps + 8; tap < end; tap += 4, row += length) {
        const bytes = v128.load(row);
        const share = v128.load32_splat(tap);
        const low = i16x8.extend_low_i8x16_u(bytes);
        const high = i16x8.extend_high_i8x16_u(bytes);
        a = i32x4.add(a, i32x4.mul(i32x4.extend_low_i16x8_u(low), share));
        b = i32x4.add(b, i32x4.mul(i32x4.extend_high_i16x8_u(low), share));
        c = i32x4.add(c, i32x4.mul(i32x4.extend_low_i16x8_u(high), share));
        d = i32x4.add(d, i32x4.mul(i32x4.extend_high_i16x8_u(high), share));
      }
      v128.store(target + at, toBytes(a, b, c, d));
    }
  }
}

/** Sixteen sums in fixed point → u8x16. */
@inline
function toBytes(a: v128, b: v128, c: v128, d: v128): v128 {
  return i8x16.narrow_i16x8_u(
    i16x8.narrow_i32x4_s(i32x4.shr_u(a, PRECISION_BITS), i32x4.shr_u(b, PRECISION_BITS)),
    i16x8.narrow_i32x4_s(i32x4.shr_u(c, PRECISION_BITS), i32x4.shr_u(d, PRECISION_BITS)),
  );
}
