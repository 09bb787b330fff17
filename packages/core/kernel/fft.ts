/**
 * Four transforms at once, one to a lane. A complex array of n values in four lanes is n times [re × 4, im × 4], 32 bytes
 * a value. The steps are Stockham's: each reads one array and writes another, in order at the end.
 */

/** Bytes of one complex value in four lanes. */
const VALUE: usize = 32;

/** x[i] of four frames, times window[i]: 16 bytes a real value, `step` bytes from value to value. */
export function loadFrames(
  samples: usize, // f32, the first sample of the first frame
  hop: i32,
  window: usize, // f32 [n]
  n: i32,
  target: usize,
  step: i32,
): void {
  const second = samples + ((<usize>hop) << 2);
  const third = second + ((<usize>hop) << 2);
  const fourth = third + ((<usize>hop) << 2);
  const whole = n & ~3;
  for (let i = 0; i < whole; i += 4) {
    const at = (<usize>i) << 2;
    const w = v128.load(window + at);
    const a = f32x4.mul(v128.load(samples + at), w); // a0 a1 a2 a3
    const b = f32x4.mul(v128.load(second + at), w);
    const c = f32x4.mul(v128.load(third + at), w);
    const d = f32x4.mul(v128.load(fourth + at), w);
    const ab01 = v128.shuffle<f32>(a, b, 0, 4, 1, 5); // a0 b0 a1 b1
    const cd01 = v128.shuffle<f32>(c, d, 0, 4, 1, 5);
    const ab23 = v128.shuffle<f32>(a, b, 2, 6, 3, 7);
    const cd23 = v128.shuffle<f32>(c, d, 2, 6, 3, 7);
    let to = target + <usize>(i * step);
    v128.store(to, v128.shuffle<f32>(ab01, cd01, 0, 1, 4, 5)); // a0 b0 c0 d0
    to += step;
    v128.store(to, v128.shuffle<f32>(ab01, cd01, 2, 3, 6, 7));
    to += step;
    v128.store(to, v128.shuffle<f32>(ab23, cd23, 0, 1, 4, 5));
    to += step;
    v128.store(to, v128.shuffle<f32>(ab23, cd23, 2, 3, 6, 7));
  }
  for (let i = whole; i < n; i += 1) {
    const at = (<usize>i) << 2;
    const w = load<f32>(window + at);
    const to = target + <usize>(i * step);
    store<f32>(to, load<f32>(samples + at) * w);
    store<f32>(to, load<f32>(second + at) * w, 4);
    store<f32>(to, load<f32>(third + at) * w, 8);
    store<f32>(to, load<f32>(fourth + at) * w, 12);
  }
}

/** One step of radix 2 over m butterflies at stride s; twiddles: complex f32 [m, 1]. */
export function radix2(source: usize, target: usize, m: i32, s: i32, twiddles: usize): void {
  const apart = <usize>m * s * VALUE;
  const out = <usize>s * VALUE;
  for (let p = 0; p < m; p += 1) {
    const wr = v128.load32_splat(twiddles);
    const wi = v128.load32_splat(twiddles, 4);
    twiddles += 8;
    const end = source + out;
    for (; source < end; source += VALUE) {
      const ar = v128.load(source);
      const ai = v128.load(source, 16);
      const br = v128.load(source + apart);
      const bi = v128.load(source + apart, 16);
      v128.store(target, f32x4.add(ar, br));
      v128.store(target, f32x4.add(ai, bi), 16);
      storeProduct(target + out, f32x4.sub(ar, br), f32x4.sub(ai, bi), wr, wi);
      target += VALUE;
    }
    target += out;
  }
}

/** One step of radix 3; twiddles: complex f32 [m, 2]. */
export function radix3(source: usize, target: usize, m: i32, s: i32, twiddles: usize): void {
  const apart = <usize>m * s * VALUE;
  const out = <usize>s * VALUE;
  const half = f32x4.splat(0.5);
  const sine = f32x4.splat(0.8660254037844386); // sin(2π/3)
  for (let p = 0; p < m; p += 1) {
    const w1r = v128.load32_splat(twiddles);
    const w1i = v128.load32_splat(twiddles, 4);
    const w2r = v128.load32_splat(twiddles, 8);
    const w2i = v128.load32_splat(twiddles, 12);
    twiddles += 16;
    const end = source + out;
    for (; source < end; source += VALUE) {
      const ar = v128.load(source);
      const ai = v128.load(source, 16);
      const br = v128.load(source + apart);
      const bi = v128.load(source + apart, 16);
      const cr = v128.load(source + 2 * apart);
      const ci = v128.load(source + 2 * apart, 16);
      const sr = f32x4.add(br, cr);
      const si = f32x4.add(bi, ci);
      const dr = f32x4.mul(f32x4.sub(br, cr), sine);
      const di = f32x4.mul(f32x4.sub(bi, ci), sine);
      const er = f32x4.sub(ar, f32x4.mul(half, sr));
      const ei = f32x4.sub(ai, f32x4.mul(half, si));
      v128.store(target, f32x4.add(ar, sr));
      v128.store(target, f32x4.add(ai, si), 16);
      storeProduct(target + out, f32x4.add(er, di), f32x4.sub(ei, dr), w1r, w1i);
      storeProduct(target + 2 * out, f32x4.sub(er, di), f32x4.add(ei, dr), w2r, w2i);
      target += VALUE;
    }
    target += 2 * out;
  }
}

/** One step of radix 4; twiddles: complex f32 [m, 3]. */
export function radix4(source: usize, target: usize, m: i32, s: i32, twiddles: usize): void {
  const apart = <usize>m * s * VALUE;
  const out = <usize>s * VALUE;
  for (let p = 0; p < m; p += 1) {
    const w1r = v128.load32_splat(twiddles);
    const w1i = v128.load32_splat(twiddles, 4);
    const w2r = v128.load32_splat(twiddles, 8);
    const w2i = v128.load32_splat(twiddles, 12);
    const w3r = v128.load32_splat(twiddles, 16);
    const w3i = v128.load32_splat(twiddles, 20);
    twiddles += 24;
    const end = source + out;
    for (; source < end; source += VALUE) {
      const b = source + apart;
      const c = b + apart;
      const d = c + apart;
      const ar = v128.load(source);
      const ai = v128.load(source, 16);
      const br = v128.load(b);
      const bi = v128.load(b, 16);
      const cr = v128.load(c);
      const ci = v128.load(c, 16);
      const dr = v128.load(d);
      const di = v128.load(d, 16);
      const acr = f32x4.add(ar, cr);
      const aci = f32x4.add(ai, ci);
      const bdr = f32x4.add(br, dr);
      const bdi = f32x4.add(bi, di);
      const er = f32x4.sub(ar, cr);
      const ei = f32x4.sub(ai, ci);
      const fr = f32x4.sub(br, dr);
      const fi = f32x4.sub(bi, di);
      v128.store(target, f32x4.add(acr, bdr));
      v128.store(target, f32x4.add(aci, bdi), 16);
      storeProduct(target + out, f32x4.add(er, fi), f32x4.sub(ei, fr), w1r, w1i);
      storeProduct(target + 2 * out, f32x4.sub(acr, bdr), f32x4.sub(aci, bdi), w2r, w2i);
      storeProduct(target + 3 * out, f32x4.sub(er, fi), f32x4.add(ei, fr), w3r, w3i);
      target += VALUE;
    }
    target += 3 * out;
  }
}

/** One step of radix 5; twiddles: complex f32 [m, 4]. */
export function radix5(source: usize, target: usize, m: i32, s: i32, twiddles: usize): void {
  const apart = <usize>m * s * VALUE;
  const out = <usize>s * VALUE;
  const cos1 = f32x4.splat(0.30901699437494745); // cos(2π/5)
  const cos2 = f32x4.splat(-0.8090169943749475); // cos(4π/5)
  const sin1 = f32x4.splat(0.9510565162951535);
  const sin2 = f32x4.splat(0.5877852522924731);
  for (let p = 0; p < m; p += 1) {
    const end = source + out;
    for (; source < end; source += VALUE) {
      const b = source + apart;
      const c = b + apart;
      const d = c + apart;
      const e = d + apart;
      const ar = v128.load(source);
      const ai = v128.load(source, 16);
      const ber = f32x4.add(v128.load(b), v128.load(e));
      const bei = f32x4.add(v128.load(b, 16), v128.load(e, 16));
      const bfr = f32x4.sub(v128.load(b), v128.load(e));
      const bfi = f32x4.sub(v128.load(b, 16), v128.load(e, 16));
      const cdr = f32x4.add(v128.load(c), v128.load(d));
      const cdi = f32x4.add(v128.load(c, 16), v128.load(d, 16));
      const cfr = f32x4.sub(v128.load(c), v128.load(d));
      const cfi = f32x4.sub(v128.load(c, 16), v128.load(d, 16));
      v128.store(target, f32x4.add(ar, f32x4.add(ber, cdr)));
      v128.store(target, f32x4.add(ai, f32x4.add(bei, cdi)), 16);
      const g1r = f32x4.add(ar, f32x4.add(f32x4.mul(cos1, ber), f32x4.mul(cos2, cdr)));
      const g1i = f32x4.add(ai, f32x4.add(f32x4.mul(cos1, bei), f32x4.mul(cos2, cdi)));
      const g2r = f32x4.add(ar, f32x4.add(f32x4.mul(cos2, ber), f32x4.mul(cos1, cdr)));
      const g2i = f32x4.add(ai, f32x4.add(f32x4.mul(cos2, bei), f32x4.mul(cos1, cdi)));
      const h1r = f32x4.add(f32x4.mul(sin1, bfr), f32x4.mul(sin2, cfr));
      const h1i = f32x4.add(f32x4.mul(sin1, bfi), f32x4.mul(sin2, cfi));
      const h2r = f32x4.sub(f32x4.mul(sin2, bfr), f32x4.mul(sin1, cfr));
      const h2i = f32x4.sub(f32x4.mul(sin2, bfi), f32x4.mul(sin1, cfi));
      storeTurned(target + out, f32x4.add(g1r, h1i), f32x4.sub(g1i, h1r), twiddles);
      storeTurned(target + 2 * out, f32x4.add(g2r, h2i), f32x4.sub(g2i, h2r), twiddles + 8);
      storeTurned(target + 3 * out, f32x4.sub(g2r, h2i), f32x4.add(g2i, h2r), twiddles + 16);
      storeTurned(target + 4 * out, f32x4.sub(g1r, h1i), f32x4.add(g1i, h1r), twiddles + 24);
      target += VALUE;
    }
    twiddles += 32;
    target += 4 * out;
  }
}

/** (re + i·im) · (wr + i·wi) */
@inline
function storeProduct(target: usize, re: v128, im: v128, wr: v128, wi: v128): void {
  v128.store(target, f32x4.sub(f32x4.mul(re, wr), f32x4.mul(im, wi)));
  v128.store(target, f32x4.add(f32x4.mul(re, wi), f32x4.mul(im, wr)), 16);
}

/** The product with the complex number at `twiddle`. */
@inline
function storeTurned(target: usize, re: v128, im: v128, twiddle: usize): void {
  storeProduct(target, re, im, v128.load32_splat(twiddle), v128.load32_splat(twiddle, 4));
}

/**
 * target[k] = source[k] · factors[k] for k < n, real and imaginary part exchanged where `exchange` is 1: an inverse
 * transform is a forward one between two exchanges.
 */
export function multiply(source: usize, target: usize, factors: usize, n: i32, exchange: i32): void {
  for (let k = 0; k < n; k += 1) {
    const re = v128.load(source);
    const im = v128.load(source, 16);
    const wr = v128.load32_splat(factors);
    const wi = v128.load32_splat(factors, 4);
    const productRe = f32x4.sub(f32x4.mul(re, wr), f32x4.mul(im, wi));
    const productIm = f32x4.add(f32x4.mul(re, wi), f32x4.mul(im, wr));
    v128.store(target, exchange ? productIm : productRe);
    v128.store(target, exchange ? productRe : productIm, 16);
    source += VALUE;
    target += VALUE;
    factors += 8;
  }
}

/** |X[k]|², k = 0 … n/2, of four real frames of n = 2·half values that were transformed as `half` complex ones. */
export function powerOfPacked(z: usize, half: i32, twiddles: usize, power: usize): void {
  const scale = f32x4.splat(0.5);
  for (let k = 0; k <= half >> 1; k += 1) {
    const other = half - k;
    const a = z + <usize>k * VALUE;
    const b = z + <usize>(k == 0 ? 0 : other) * VALUE;
    const ar = v128.load(a);
    const ai = v128.load(a, 16);
    const br = v128.load(b);
    const bi = v128.load(b, 16);
    const evenR = f32x4.mul(scale, f32x4.add(ar, br)); // of the even samples, at k
    const evenI = f32x4.mul(scale, f32x4.sub(ai, bi));
    const oddR = f32x4.mul(scale, f32x4.add(ai, bi)); // of the odd ones
    const oddI = f32x4.mul(scale, f32x4.sub(br, ar));
    const wr = v128.load32_splat(twiddles + (<usize>k << 3));
    const wi = v128.load32_splat(twiddles + (<usize>k << 3), 4);
    const tr = f32x4.sub(f32x4.mul(oddR, wr), f32x4.mul(oddI, wi));
    const ti = f32x4.add(f32x4.mul(oddR, wi), f32x4.mul(oddI, wr));
    storePower(power + (<usize>k << 4), f32x4.add(evenR, tr), f32x4.add(evenI, ti));
    storePower(power + (<usize>other << 4), f32x4.sub(evenR, tr), f32x4.sub(evenI, ti));
  }
}

/** |X[k]|², k = 0 … bins - 1, of four complex transforms. */
export function powerOfComplex(z: usize, bins: i32, power: usize): void {
  for (let k = 0; k < bins; k += 1) {
    storePower(power, v128.load(z), v128.load(z, 16));
    z += VALUE;
    power += 16;
  }
}

@inline
function storePower(target: usize, re: v128, im: v128): void {
  v128.store(target, f32x4.add(f32x4.mul(re, re), f32x4.mul(im, im)));
}
