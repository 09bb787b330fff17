import { firstIntegers, shuffle } from "../random.ts";
import { type LabelledBatch, type RowSource, countClasses } from "./rowSource.ts";

/** Log-mel sequences, dB. */
export interface Clips {
  readonly mels: number;
  /** A clip each, [frames, mels] row-major; lengths may differ. */
  readonly frames: readonly Float32Array[];
}

/** Clips of one step, each at the beginning of its row. */
export interface ClipBatch extends LabelledBatch {
  /** T, the frames of the longest. */
  readonly frames: number;
  readonly mels: number;
  /** [B, T, mels] row-major, dB; zeros behind a clip's end. */
  readonly values: Float32Array;
  /** [B, T]: 1 within a clip, 0 behind its end. */
  readonly mask: Float32Array;
}

/** Cells that are at the floor of power_to_db (80 dB below the loudest) throughout a frame: it was put around a clip. */
const FLOOR = -79.9;

/**
 * Where a clip lies between the frames at either end that are silent throughout, which a fixed duration puts there.
 * @param features [mels, frames] row-major, dB, as files keep them
 * @returns the first frame and the one after the last; one frame of a clip that is silent throughout
 */
export function soundingFrames(
  features: Float32Array,
  frames: number,
  mels: number,
): { readonly first: number; readonly end: number } {
  const sounds = (t: number): boolean => {
    for (let m = 0; m < mels; m += 1) if ((features[m * frames + t] ?? 0) > FLOOR) return true;
    return false;
  };
  let first = 0;
  while (first < frames - 1 && !sounds(first)) first += 1;
  let end = frames;
  while (end > first + 1 && !sounds(end - 1)) end -= 1;
  return { first, end };
}

/**
 * A clip as it was before it was padded to a fixed duration.
 * @param features [mels, frames] row-major, dB, as files keep them
 * @returns [frames, mels]; one frame of a clip that is silent throughout
 */
export function withoutPadding(features: Float32Array, frames: number, mels: number): Float32Array {
  const { first, end } = soundingFrames(features, frames, mels);
  const clip = new Float32Array((end - first) * mels);
  for (let t = first; t < end; t += 1)
    for (let m = 0; m < mels; m += 1) clip[(t - first) * mels + m] = features[m * frames + t] ?? 0;
  return clip;
}

/** Mean and deviation of each mel band over all frames of the clips named, [mels] each; a deviation of 0 is given as 1. */
export function bandStatistics(
  { frames, mels }: Clips,
  rows: Iterable<number>,
): { readonly mean: Float32Array; readonly deviation: Float32Array } {
  const sums = new Float64Array(mels);
  const squares = new Float64Array(mels);
  let count = 0;
  for (const row of rows) {
    const clip = frames[row] ?? new Float32Array(0);
    for (const [at, value] of clip.entries()) {
      const m = at % mels;
      sums[m] = (sums[m] ?? 0) + value;
      squares[m] = (squares[m] ?? 0) + value * value;
    }
    count += clip.length / mels;
  }
  const mean = Float32Array.from(sums, (sum) => sum / Math.max(1, count));
  const deviation = Float32Array.from(squares, (square, m) => {
    const average = (sums[m] ?? 0) / Math.max(1, count);
    return Math.sqrt(Math.max(0, square / Math.max(1, count) - average * average)) || 1;
  });
  return { mean, deviation };
}

/** The clips of a set; those with the class id −1 are no part of it. */
export function clipsInMemory(
  clips: Clips,
  classIds: Int32Array,
  classes: number,
): RowSource<ClipBatch> {
  const inOrder = firstIntegers(classIds.length).filter((row) => classIds[row] !== -1);
  return {
    rows: inOrder.length,
    classCounts: countClasses(classIds, classes),
    shuffled: (batchSize, random) =>
      batches(clips, classIds, shuffle(inOrder.slice(), random), batchSize),
    inOrder: (batchSize) => batches(clips, classIds, inOrder, batchSize),
  };
}

// oxlint-disable-next-line typescript/require-await -- a RowSource's batches may come from a file
async function* batches(
  clips: Clips,
  classIds: Int32Array,
  order: Int32Array,
  batchSize: number,
): AsyncGenerator<ClipBatch, void, undefined> {
  for (let start = 0; start < order.length; start += batchSize) {
    const rows = order.subarray(start, start + batchSize);
    yield batchOf(
      clips,
      rows,
      Int32Array.from(rows, (row) => classIds[row] ?? 0),
    );
  }
}

function batchOf(
  { frames: clips, mels }: Clips,
  rows: Int32Array,
  classIds: Int32Array,
): ClipBatch {
  const taken = Array.from(rows, (row) => clips[row] ?? new Float32Array(0));
  const frames = Math.max(...taken.map((clip) => clip.length / mels));
  const values = new Float32Array(rows.length * frames * mels);
  const mask = new Float32Array(rows.length * frames);
  for (const [i, clip] of taken.entries()) {
    values.set(clip, i * frames * mels);
    mask.fill(1, i * frames, i * frames + clip.length / mels);
  }
  return { rows: rows.length, classIds, frames, mels, values, mask };
}
