import { type Address, type RadixStep, allocateFloats, floatsAt, kernel, store } from "./kernel.ts";

/** Frames that are transformed together, one in each SIMD lane. */
export const LANES = 4;
/** Floats of one complex value in four lanes. */
const VALUE_FLOATS = 2 * LANES;

export interface Spectra {
  /** [n_fft / 2 + 1, 4]: |X[k]|² of the four frames last measured. */
  readonly power: Address;
  readonly bins: number;
  /** Measures the four frames that start at `samples` and each `hop` samples later. */
  measure(samples: Address, hop: number): void;
}

/**
 * Power spectra of real frames of nFft samples under a periodic Hann window, in single precision: a complex transform of
 * half the length where nFft is even, of the whole length where it is odd.
 */
export function createSpectra(nFft: number): Spectra {
  const isEven = nFft % 2 === 0;
  const length = isEven ? nFft / 2 : nFft;
  const bins = 1 + Math.floor(nFft / 2);
  const window = store(hannWindow(nFft));
  const transform = createTransform(length);
  const input = allocateFloats(length * VALUE_FLOATS);
  floatsAt(input, length * VALUE_FLOATS).fill(0);
  const power = allocateFloats(bins * LANES);
  const twiddles = isEven ? store(roots(nFft, nFft / 4 + 1)) : 0;
  const step = (isEven ? 1 : 2) * LANES * Float32Array.BYTES_PER_ELEMENT;
  return {
    power,
    bins,
    measure: (samples, hop) => {
      kernel.loadFrames(samples, hop, window, nFft, input, step);
      const spectrum = transform(input);
      if (isEven) kernel.powerOfPacked(spectrum, length, twiddles, power);
      else kernel.powerOfComplex(spectrum, bins, power);
    },
  };
}

/** Hann's window of period n (scipy.signal.get_window("hann", n)). */
export function hannWindow(n: number): Float64Array {
  return Float64Array.from({ length: n }, (_, i) => 0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n));
}

/** Transforms [length] complex values in four lanes; the input stays as it was; returns where the result is. */
type Transform = (input: Address) => Address;

function createTransform(length: number): Transform {
  const radices = factorise(length);
  return radices === undefined ? bluestein(length) : stockham(length, radices);
}

/** The radices whose product is n, or undefined where it has a prime factor above 5. */
function factorise(n: number): number[] | undefined {
  const radices: number[] = [];
  let rest = n;
  for (const radix of [4, 2, 3, 5])
    while (rest % radix === 0) {
      radices.push(radix);
      rest /= radix;
    }
  return rest === 1 ? radices : undefined;
}

/** exp(-2πi·k / n) for k < count, as [re, im] pairs. */
function roots(n: number, count: number): Float64Array {
  const values = new Float64Array(2 * Math.ceil(count));
  for (let k = 0; k < count; k += 1) {
    values[2 * k] = Math.cos((2 * Math.PI * k) / n);
    values[2 * k + 1] = -Math.sin((2 * Math.PI * k) / n);
  }
  return values;
}

/** Stockham's autosort transform (Van Loan, "Computational Frameworks for the FFT", 1992, 1.7), radices 2 to 5. */
function stockham(length: number, radices: readonly number[]): Transform {
  const buffers = [
    allocateFloats(length * VALUE_FLOATS),
    allocateFloats(length * VALUE_FLOATS),
  ] as const;
  let n = length;
  let stride = 1;
  const steps = radices.map((radix) => {
    const m = n / radix;
    const step = { run: radixStep(radix), m, stride, twiddles: store(turns(n, radix)) };
    n = m;
    stride *= radix;
    return step;
  });
  return (input) => {
    let source = input;
    for (const [i, { run, m, stride: s, twiddles }] of steps.entries()) {
      const target = buffers[(i & 1) as 0 | 1];
      run(source, target, m, s, twiddles);
      source = target;
    }
    return source;
  };
}

function radixStep(radix: number): RadixStep {
  if (radix === 2) return kernel.radix2;
  if (radix === 3) return kernel.radix3;
  return radix === 4 ? kernel.radix4 : kernel.radix5;
}

/** exp(-2πi·p·j / n), [n / radix, radix - 1] complex: p < n / radix, j = 1 … radix - 1. */
function turns(n: number, radix: number): Float64Array {
  const all = roots(n, n);
  const values: number[] = [];
  for (let p = 0; p < n / radix; p += 1)
    for (let j = 1; j < radix; j += 1) {
      const k = (p * j) % n;
      values.push(all[2 * k] ?? 0, all[2 * k + 1] ?? 0);
    }
  return Float64Array.from(values);
}

/** Bluestein's chirp-z: a transform of any length as a convolution of a power-of-two length (Rabiner et al. 1969). */
function bluestein(length: number): Transform {
  const size = 2 ** Math.ceil(Math.log2(2 * length - 1));
  const transform = stockham(size, factorise(size) ?? []);
  const rising = chirp(length, 1);
  const falling = store(chirp(length, -1));
  const risen = store(rising);
  const padded = allocateFloats(size * VALUE_FLOATS);
  const product = allocateFloats(size * VALUE_FLOATS);
  const result = allocateFloats(length * VALUE_FLOATS);
  const filter = store(filterSpectrum(rising, size, padded, transform));
  floatsAt(padded, size * VALUE_FLOATS).fill(0);
  return (input) => {
    kernel.multiply(input, padded, falling, length, 0);
    // Exchanged before and after, a forward transform is the inverse one, times size; an exchange of z·w is the
    // exchanged z times the conjugate of w.
    kernel.multiply(transform(padded), product, filter, size, 1);
    kernel.multiply(transform(product), result, risen, length, 1);
    return result;
  };
}

/** exp(sign·πi·k² / n) for k < n, as [re, im] pairs. */
function chirp(n: number, sign: 1 | -1): Float64Array {
  const values = new Float64Array(2 * n);
  for (let k = 0; k < n; k += 1) {
    const angle = (Math.PI * ((k * k) % (2 * n))) / n;
    values[2 * k] = Math.cos(angle);
    values[2 * k + 1] = sign * Math.sin(angle);
  }
  return values;
}

/** The transform of the rising chirp, wrapped around `size` and divided by it; `room` is written over. */
function filterSpectrum(
  rising: Float64Array,
  size: number,
  room: Address,
  transform: Transform,
): Float64Array {
  const lanes = floatsAt(room, size * VALUE_FLOATS).fill(0);
  for (let k = 0; k < rising.length / 2; k += 1)
    for (const place of [k, (size - k) % size]) {
      lanes[place * VALUE_FLOATS] = (rising[2 * k] ?? 0) / size;
      lanes[place * VALUE_FLOATS + LANES] = (rising[2 * k + 1] ?? 0) / size;
    }
  const spectrum = floatsAt(transform(room), size * VALUE_FLOATS);
  return Float64Array.from(
    { length: 2 * size },
    (_, i) => spectrum[(i >> 1) * VALUE_FLOATS + (i & 1) * LANES] ?? 0,
  );
}
