/** 64 floating-point operations a step, on eight independent sums of four lanes: what the lanes can do at most. */
export function multiplyAdd(steps: i32): f32 {
  const by = f32x4.splat(0.999);
  let a = f32x4.splat(1);
  let b = a, c = a, d = a, e = a, f = a, g = a, h = a;
  for (let i = 0; i < steps; i += 1) {
    a = f32x4.add(f32x4.mul(a, by), by);
    b = f32x4.add(f32x4.mul(b, by), by);
    c = f32x4.add(f32x4.mul(c, by), by);
    d = f32x4.add(f32x4.mul(d, by), by);
    e = f32x4.add(f32x4.mul(e, by), by);
    f = f32x4.add(f32x4.mul(f, by), by);
    g = f32x4.add(f32x4.mul(g, by), by);
    h = f32x4.add(f32x4.mul(h, by), by);
  }
  const sum = f32x4.add(f32x4.add(f32x4.add(a, b), f32x4.add(c, d)), f32x4.add(f32x4.add(e, f), f32x4.add(g, h)));
  return f32x4.extract_lane(sum, 0);
}
