/** The draw for the i-th value: 32 bits, a finalizer of MurmurHash3's kind over i and the seed. */
function draw(i: number, seed: number): number {
  let z = (Math.imul(i, 0x9e3779b1) + seed) | 0;
  z = Math.imul(z ^ (z >>> 15), 0x85ebca77);
  z = Math.imul(z ^ (z >>> 13), 0xc2b2ae3d);
  return (z ^ (z >>> 16)) >>> 0;
}

/** The least draw of a value that stays. */
export function dropoutThreshold(rate: number): number {
  return Math.floor(rate * 2 ** 32);
}

/** What n values are multiplied by: 0 at `rate` of them, 1 / (1 - rate) at the others. */
export function dropoutMask(n: number, rate: number, seed: number): Float32Array {
  const threshold = dropoutThreshold(rate);
  const scale = 1 / (1 - rate);
  return Float32Array.from({ length: n }, (_, i) => (draw(i, seed) < threshold ? 0 : scale));
}
