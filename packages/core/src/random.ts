/** A stream of uniform numbers in [0, 1). */
export interface RandomStream {
  (): number;
  /** Where the stream stands, four whole numbers of 32 bits: {@link continueRandom} goes on from there. */
  state(): RandomState;
}
export type RandomState = readonly [number, number, number, number];

/**
 * A seeded stream of uniform numbers in [0, 1): the 32-bit generator "sfc32" of PractRand (C. Doty-Humphrey),
 * seeded through splitmix32. Same seed, same stream, on every machine.
 */
export function createRandom(seed: number): RandomStream {
  let state = seed >>> 0;
  const split = (): number => {
    state = (state + 0x9e3779b9) | 0;
    let z = state ^ (state >>> 16);
    z = Math.imul(z, 0x21f0aaad);
    z ^= z >>> 15;
    z = Math.imul(z, 0x735a2d97);
    return (z ^ (z >>> 15)) | 0;
  };
  const next = continueRandom([split(), split(), split(), 1]);
  for (let i = 0; i < 12; i += 1) next();
  return next;
}

/** The stream that goes on where another stood. */
export function continueRandom(from: RandomState): RandomStream {
  let [a, b, c, counter] = from;
  const next = (): number => {
    const t = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + t) | 0;
    return (t >>> 0) / 4294967296;
  };
  return Object.assign(next, { state: (): RandomState => [a, b, c, counter] });
}

/** 0, 1, …, count − 1. */
export function firstIntegers(count: number): Int32Array {
  const integers = new Int32Array(count);
  for (let i = 0; i < count; i += 1) integers[i] = i;
  return integers;
}

/**
 * `count` of the integers in `items`, without replacement: the first steps of a Fisher–Yates shuffle, in the order drawn. The
 * order of `items` changes.
 */
export function drawFrom(items: Int32Array, count: number, random: () => number): Int32Array {
  for (let i = 0; i < count; i += 1) {
    const j = i + Math.floor(random() * (items.length - i));
    const held = items[i]!;
    items[i] = items[j]!;
    items[j] = held;
  }
  return items.slice(0, count);
}

/** Shuffles in place (Fisher–Yates) and returns the same array. */
export function shuffle<T extends { [index: number]: unknown; length: number }>(
  items: T,
  random: () => number,
): T {
  for (let i = items.length - 1; i > 0; i -= 1) {
    const j = Math.floor(random() * (i + 1));
    const held = items[i];
    items[i] = items[j];
    items[j] = held;
  }
  return items;
}

/** A standard normal number (Box–Muller). */
export function normal(random: () => number): number {
  return Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
}

/** A draw of Beta(α, α) for α of 1 at most (Jöhnk 1964). */
export function beta(alpha: number, random: () => number): number {
  for (;;) {
    const [x, y] = [random() ** (1 / alpha), random() ** (1 / alpha)];
    if (x + y <= 1 && x + y > 0) return x / (x + y);
  }
}
