import { type Dataset, type File, findDataset } from "@emotion-service/core/hdf5/file";
import { numbersOf } from "./stats.ts";
import type { Plain } from "./values.ts";

/** How long the clips of a file are. */
export interface Lengths {
  readonly clips: number;
  readonly frames: Spread;
  /** frames · hop_length / sr; null where the file's attributes do not tell. */
  readonly seconds: Spread | null;
}

export interface Spread {
  readonly min: number;
  /** Of an even count, the mean of the middle two. */
  readonly median: number;
  readonly max: number;
}

/** The dataset that tells how many frames each clip has; undefined where all are equally long, or it is no audio. */
export function lengthsDataset(file: File): Dataset | undefined {
  if (findDataset(file, "features/ragged") === undefined)
    return findDataset(file, "features/vlen_flat");
  return findDataset(file, "features/frames");
}

/**
 * Lengths of clips from {@link lengthsDataset}: counts of frames [N], or lists of n_mels · frames values [N].
 * @param attributes the file's: n_mels, hop_length (samples), sr (Hz)
 * @param onRows called between reads of lists: it may stop by throwing
 * @returns undefined where there is no clip, or nothing tells how many values of a list are one frame
 */
export function lengthsOf(
  dataset: Dataset,
  attributes: Readonly<Record<string, Plain>>,
  onRows: () => void,
): Lengths | undefined {
  const number = (name: string): number | undefined => {
    const value = attributes[name];
    return typeof value === "number" && value > 0 ? value : undefined;
  };
  const [nMels, hop, sr] = [number("n_mels"), number("hop_length"), number("sr")];
  const isLists = dataset.path.endsWith("vlen_flat");
  if ((dataset.shape?.[0] ?? 0) === 0 || (isLists && nMels === undefined)) return undefined;
  const frames =
    isLists && nMels !== undefined
      ? listFrames(dataset, nMels, onRows)
      : Float64Array.from(numbersOf(dataset.value));
  const spread = spreadOf(frames.sort());
  const seconds = hop === undefined || sr === undefined ? null : scaled(spread, hop / sr);
  return { clips: frames.length, frames: spread, seconds };
}

/** Lists that are in memory at a time. */
const READ_ROWS = 64;

/** Frames of each list, [N]. */
function listFrames(dataset: Dataset, nMels: number, onRows: () => void): Float64Array {
  const rows = dataset.shape?.[0] ?? 0;
  const frames = new Float64Array(rows);
  for (let start = 0; start < rows; start += READ_ROWS) {
    onRows();
    const lists: unknown = dataset.slice([[start, Math.min(rows, start + READ_ROWS)]]);
    if (!Array.isArray(lists)) throw new Error("holds no lists");
    for (const [i, list] of lists.entries()) {
      const values = numbersOf(list).length;
      if (values % nMels !== 0)
        throw new Error(`row ${start + i} has ${values} values, no multiple of n_mels (${nMels})`);
      frames[start + i] = values / nMels;
    }
  }
  return frames;
}

function spreadOf(sorted: Float64Array): Spread {
  const middle = (sorted.length - 1) / 2;
  const [below = NaN, above = NaN] = [sorted[Math.floor(middle)], sorted[Math.ceil(middle)]];
  return { min: sorted[0] ?? NaN, median: (below + above) / 2, max: sorted.at(-1) ?? NaN };
}

function scaled({ min, median, max }: Spread, factor: number): Spread {
  return { min: min * factor, median: median * factor, max: max * factor };
}
