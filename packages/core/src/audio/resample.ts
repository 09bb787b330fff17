/** The band kept whole, as a part of the lower Nyquist frequency, and the attenuation beyond it: soxr's "HQ". */
const PASSBAND_END = 0.913;
const STOPBAND_DB = 125;
/** Kaiser's β and length for that attenuation (Kaiser 1974; Oppenheim & Schafer, "Discrete-Time Signal Processing", 7.5). */
const KAISER_BETA = 0.1102 * (STOPBAND_DB - 8.7);
const HALF_WIDTH = Math.ceil((STOPBAND_DB - 7.95) / (14.36 * ((1 - PASSBAND_END) / 2)) / 2);

interface Kernel {
  /** [phases, taps], row-major: the filter for each fractional position. */
  readonly coefficients: Float32Array;
  readonly taps: number;
  readonly phases: number;
  readonly step: number;
}

/** A kernel of an odd pair of rates takes megabytes; a folder has few rates. */
const KERNELS_KEPT = 4;
const kernels = new Map<string, Kernel>();

/**
 * Resamples by a band-limited (Kaiser-windowed sinc) polyphase filter, linear phase, without delay.
 * @param samples [n]
 * @returns [ceil(n · to / from)]
 */
export function resample(samples: Float32Array, fromHz: number, toHz: number): Float32Array {
  if (fromHz === toHz) return samples;
  const { coefficients, taps, phases, step } = kernelFor(fromHz, toHz);
  const output = new Float32Array(Math.ceil((samples.length * toHz) / fromHz));
  const before = taps / 2 - 1;
  for (let n = 0, position = 0; n < output.length; n += 1, position += step) {
    const phase = position % phases;
    const first = (position - phase) / phases - before;
    const from = Math.max(0, -first);
    const to = Math.min(taps, samples.length - first);
    let sum = 0;
    for (let tap = from, row = phase * taps; tap < to; tap += 1)
      sum += (coefficients[row + tap] ?? 0) * (samples[first + tap] ?? 0);
    output[n] = sum;
  }
  return output;
}

function kernelFor(fromHz: number, toHz: number): Kernel {
  const key = `${fromHz}/${toHz}`;
  let kernel = kernels.get(key);
  if (kernel === undefined) {
    if (kernels.size === KERNELS_KEPT) kernels.clear();
    kernels.set(key, (kernel = designKernel(fromHz, toHz)));
  }
  return kernel;
}

function designKernel(fromHz: number, toHz: number): Kernel {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const [phases, step] = [toHz / divisor, fromHz / divisor];
  const shrink = Math.min(1, toHz / fromHz); // the lower rate, in input samples
  const halfWidth = Math.ceil(HALF_WIDTH / shrink);
  const taps = 2 * halfWidth;
  const cutoff = ((1 + PASSBAND_END) / 2) * shrink; // of the input's Nyquist frequency
  const coefficients = new Float32Array(phases * taps);
  for (let phase = 0; phase < phases; phase += 1)
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap - (halfWidth - 1) - phase / phases; // input samples from the output's place
      coefficients[phase * taps + tap] =
        cutoff * sinc(cutoff * distance) * kaiser(distance / halfWidth);
    }
  return { coefficients, taps, phases, step };
}

function sinc(x: number): number {
  return x === 0 ? 1 : Math.sin(Math.PI * x) / (Math.PI * x);
}

/** Kaiser's window at x in [-1, 1]. */
function kaiser(x: number): number {
  return Math.abs(x) >= 1
    ? 0
    : besselI0(KAISER_BETA * Math.sqrt(1 - x * x)) / besselI0(KAISER_BETA);
}

/** Modified Bessel function of the first kind, order 0, by its power series. */
function besselI0(x: number): number {
  let sum = 1;
  let term = 1;
  for (let k = 1; term > 1e-12 * sum; k += 1) {
    term *= (x / (2 * k)) ** 2;
    sum += term;
  }
  return sum;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}
