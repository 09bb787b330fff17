import { type Address, allocateFloats, floatsAt, kernel, store } from "./kernel.ts";

/** The band kept whole, as a part of the lower Nyquist frequency, and the attenuation beyond it: soxr's "HQ". */
const PASSBAND_END = 0.913;
const STOPBAND_DB = 125;
/** Kaiser's β and length for that attenuation (Kaiser 1974; Oppenheim & Schafer, "Discrete-Time Signal Processing", 7.5). */
const KAISER_BETA = 0.1102 * (STOPBAND_DB - 8.7);
const HALF_WIDTH = Math.ceil((STOPBAND_DB - 7.95) / (14.36 * ((1 - PASSBAND_END) / 2)) / 2);

/** Rows of a filter bank. For rates whose ratio has more phases a line between two rows is good to -130 dB. */
const MOST_ROWS = 2048;
/** Samples that are taken in one piece. */
const PIECE = 1 << 14;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

interface FilterBank {
  /** [rows + 1, taps], in the kernel's memory: the filter for fractional positions from 0 to 1. */
  readonly coefficients: Address;
  readonly rows: number;
  /** A multiple of 4: the last may be zeros. */
  readonly taps: number;
  /** Taps before an output's place. */
  readonly before: number;
  /** Fractional positions that outputs take. */
  readonly phases: number;
  /** Phases from one output to the next. */
  readonly step: number;
}

/** Takes a block of samples, which is lent until the call returns. */
export type OnBlock = (block: Float32Array) => void;

export interface Resampler {
  push(block: Float32Array): void;
  /** Gives what is left: ceil(n · to / from) samples in all, the last a zero where n · to / from rounds down, as librosa has it. */
  finish(): void;
  /** Gives back its memory. */
  close(): void;
}

/**
 * Resamples by a band-limited (Kaiser-windowed sinc) polyphase filter, linear phase, without delay. The samples come and
 * go in blocks; memory does not grow with their number.
 */
export function createResampler(fromHz: number, toHz: number, onBlock: OnBlock): Resampler {
  if (fromHz === toHz) return { push: onBlock, finish: () => {}, close: () => {} };
  const { coefficients, rows, taps, before, phases, step } = filterBankFor(fromHz, toHz);
  const capacity = taps + PIECE;
  const buffer = allocateFloats(capacity);
  const output = allocateFloats(PIECE);
  floatsAt(buffer, before).fill(0);
  let held = before; // samples in the buffer, the first of them under the next output's first tap
  let phase = 0;
  let taken = 0;
  let given = 0;

  /** Gives the outputs whose taps all lie in the buffer, so that `most` at most have been given. */
  const give = (most: number): void => {
    while (held >= taps) {
      const ready = Math.floor(((held - taps + 1) * phases - 1 - phase) / step) + 1;
      const n = Math.min(ready, PIECE, most - given);
      if (n <= 0) return;
      const place = [buffer, output, n, coefficients, taps, phases, step, phase] as const;
      if (rows === phases) kernel.polyphase(...place);
      else kernel.polyphaseBetween(...place, rows);
      const position = phase + n * step;
      phase = position % phases;
      const past = (position - phase) / phases;
      floatsAt(buffer, held).copyWithin(0, past);
      held -= past;
      given += n;
      onBlock(floatsAt(output, n));
    }
  };
  const append = (samples: Float32Array, most: number): void => {
    for (let from = 0; from < samples.length;) {
      const piece = samples.subarray(from, from + capacity - held);
      floatsAt(buffer + held * FLOAT_BYTES, piece.length).set(piece);
      held += piece.length;
      from += piece.length;
      give(most);
    }
  };
  return {
    push: (block) => {
      taken += block.length;
      append(block, Infinity);
    },
    finish: () => {
      const length = (taken * toHz) / fromHz;
      const rounded = Math.floor(length + 0.5);
      while (given < rounded) append(new Float32Array(taps), rounded);
      if (rounded < Math.ceil(length)) onBlock(new Float32Array(1));
    },
    close: () => {
      kernel.release(buffer);
      kernel.release(output);
    },
  };
}

/** A folder has few rates. */
const BANKS_KEPT = 4;
const banks = new Map<string, FilterBank>();

function filterBankFor(fromHz: number, toHz: number): FilterBank {
  const key = `${fromHz}/${toHz}`;
  let bank = banks.get(key);
  if (bank === undefined) {
    if (banks.size === BANKS_KEPT) {
      for (const { coefficients } of banks.values()) kernel.release(coefficients);
      banks.clear();
    }
    banks.set(key, (bank = designFilterBank(fromHz, toHz)));
  }
  return bank;
}

function designFilterBank(fromHz: number, toHz: number): FilterBank {
  const divisor = greatestCommonDivisor(fromHz, toHz);
  const [phases, step] = [toHz / divisor, fromHz / divisor];
  const rows = Math.min(phases, MOST_ROWS);
  const shrink = Math.min(1, toHz / fromHz); // the lower rate, in input samples
  const halfWidth = Math.ceil(HALF_WIDTH / shrink);
  const taps = 4 * Math.ceil(halfWidth / 2);
  const cutoff = ((1 + PASSBAND_END) / 2) * shrink; // of the input's Nyquist frequency
  const values = new Float32Array((rows + 1) * taps);
  for (let row = 0; row <= rows; row += 1)
    for (let tap = 0; tap < taps; tap += 1) {
      const distance = tap - (halfWidth - 1) - row / rows; // input samples from the output's place
      values[row * taps + tap] = cutoff * sinc(cutoff * distance) * kaiser(distance / halfWidth);
    }
  return { coefficients: store(values), rows, taps, before: halfWidth - 1, phases, step };
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
