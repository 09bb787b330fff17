import { UserError } from "../errors.ts";
import { allocateFloats, floatsAt, kernel, store } from "./kernel.ts";
import { createResampler } from "./resample.ts";
import type { Sound } from "./sound.ts";
import { TRIM_HOP } from "./trim.ts";

/** Takes samples, lent until it returns; says false where no more are wanted. */
type OnSamples = (block: Float32Array) => boolean;

/** Samples at one rate that can be read piece by piece, as often as needed. */
export interface Samples {
  readonly length: number;
  /** Hands out the samples from `from` to `to` - 1, in order; a block is lent until `onBlock` returns. */
  read(from: number, to: number, onBlock: OnSamples): Promise<void>;
}

/** A sound at another rate. */
export interface Clip extends Samples {
  /** Sum of squares of every TRIM_HOP samples, [ceil(length / TRIM_HOP)]. */
  readonly energies: readonly number[];
  /** Of the sound. */
  readonly durationSeconds: number;
}

/** Samples of a clip that stay in memory: 16 MiB, more than four minutes at 16 kHz. */
const MOST_KEPT = 1 << 22;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;
const kept = allocateFloats(MOST_KEPT);
let last: Promise<unknown> = Promise.resolve();

/** Runs the works of a thread one after another: the samples kept are one clip's at a time. */
export function oneAtATime<T>(work: () => Promise<T>): Promise<T> {
  const result = last.then(work);
  last = result.catch(() => {});
  return result;
}

/**
 * Reads a sound once, at the rate `sr` (Hz), and keeps what memory may hold of it. Within `oneAtATime` only.
 * @throws UserError E_INPUT_BROKEN when it holds samples that are not finite numbers
 */
export async function openClip(sound: Sound, sr: number): Promise<Clip> {
  const energies = createEnergies();
  let length = 0;
  const taken = await readAtRate(sound, sr, (block) => {
    keep(block, length);
    energies.add(block);
    length += block.length;
    return true;
  });
  let inMemory = { from: 0, to: Math.min(length, MOST_KEPT) };
  const finished = energies.finish();
  if (!finished.every(Number.isFinite))
    throw new UserError(
      "E_INPUT_BROKEN",
      `${sound.name}: holds samples that are not finite numbers`,
    );
  const read = async (from: number, to: number, onBlock: OnSamples): Promise<void> => {
    if (to <= from) return;
    if (to - from > MOST_KEPT) return readRange(sound, sr, from, to, onBlock);
    if (from < inMemory.from || to > inMemory.to) {
      let at = 0;
      await readRange(sound, sr, from, to, (block) => {
        keep(block, at);
        at += block.length;
        return true;
      });
      inMemory = { from, to };
    }
    onBlock(floatsAt(kept + (from - inMemory.from) * FLOAT_BYTES, to - from));
  };
  return { length, energies: finished, durationSeconds: taken / sound.sampleRateHz, read };
}

/** Puts a block at a place of the memory, as far as it has room. */
function keep(block: Float32Array, at: number): void {
  if (at >= MOST_KEPT) return;
  const part = block.subarray(0, MOST_KEPT - at);
  floatsAt(kept + at * FLOAT_BYTES, part.length).set(part);
}

/** Reads a sound at the rate `sr` until `onBlock` says false; returns how many of its own samples were taken. */
async function readAtRate(sound: Sound, sr: number, onBlock: OnSamples): Promise<number> {
  let isWanted = true;
  let taken = 0;
  const resampler = createResampler(sound.sampleRateHz, sr, (block) => {
    isWanted &&= onBlock(block);
  });
  try {
    await sound.read((block) => {
      taken += block.length;
      resampler.push(block);
      return isWanted;
    });
    if (isWanted) resampler.finish();
  } finally {
    resampler.close();
  }
  return taken;
}

async function readRange(
  sound: Sound,
  sr: number,
  from: number,
  to: number,
  onBlock: OnSamples,
): Promise<void> {
  let at = 0;
  await readAtRate(sound, sr, (block) => {
    const part = block.subarray(Math.max(0, from - at), Math.max(0, to - at));
    at += block.length;
    return (part.length === 0 || onBlock(part)) && at < to;
  });
}

/** Runs of samples whose energies are summed together. */
const HOPS = 64;
const room = allocateFloats(HOPS * TRIM_HOP);
const sums = kernel.allocate(HOPS * Float64Array.BYTES_PER_ELEMENT);

/** Sums the squares of every TRIM_HOP samples as they come. */
function createEnergies(): { add(block: Float32Array): void; finish(): number[] } {
  const energies: number[] = [];
  let held = 0;
  const sumUp = (): void => {
    const hops = Math.ceil(held / TRIM_HOP);
    floatsAt(room, hops * TRIM_HOP).fill(0, held);
    kernel.energies(room, hops, TRIM_HOP, sums);
    energies.push(...new Float64Array(kernel.memory.buffer, sums, hops));
    held = 0;
  };
  return {
    add: (block) => {
      for (let from = 0; from < block.length;) {
        const part = block.subarray(from, from + HOPS * TRIM_HOP - held);
        floatsAt(room + held * FLOAT_BYTES, part.length).set(part);
        held += part.length;
        from += part.length;
        if (held === HOPS * TRIM_HOP) sumUp();
      }
    },
    finish: () => {
      sumUp();
      return energies;
    },
  };
}

/** Samples `first` … `last` - 1 of a clip, after `before` zeros and before as many as `length` then lacks. */
export function padded(
  clip: Clip,
  place: {
    readonly first: number;
    readonly last: number;
    readonly before: number;
    readonly length: number;
  },
): Samples {
  const { first, last: end, before, length } = place;
  const after = before + (end - first);
  return {
    length,
    read: async (from, to, onBlock) => {
      readZeros(Math.min(to, before) - from, onBlock);
      await clip.read(
        first + Math.max(from, before) - before,
        first + Math.min(to, after) - before,
        onBlock,
      );
      readZeros(to - Math.max(from, after), onBlock);
    },
  };
}

const ZEROS = 1 << 14;
const zeros = store(new Float32Array(ZEROS));

function readZeros(n: number, onBlock: OnSamples): void {
  for (let left = n; left > 0; left -= ZEROS) onBlock(floatsAt(zeros, Math.min(left, ZEROS)));
}

/** The samples from `from` to `to` - 1 as an array of their own. */
export async function collect(samples: Samples, from: number, to: number): Promise<Float32Array> {
  const values = new Float32Array(to - from);
  let at = 0;
  await samples.read(from, to, (block) => {
    values.set(block, at);
    at += block.length;
    return true;
  });
  return values;
}
