import type { ModalitiesIndex, ModalityIndex } from "../hdf5/pairedIndex.ts";
import { type RowRange, type RowsRequest, cutRows, rowBytes } from "../hdf5/rowBlocks.ts";
import { MODALITIES, type Modality } from "./fusion.ts";

/** The size of the shuffle buffer where it is not to be smaller, bytes. */
export const BUFFER_BYTES = 96 * 2 ** 20;

/** Places of the file from which the rows of a full buffer come, unless the file stores too many rows together. */
const PLACES = 256;
/** In such a file the buffer grows until it has rows of so many places, … */
const FEWEST_PLACES = 16;
/** … or until it is so many times larger than it should be. */
const MOST_GROWTH = 4;

/** Bytes that are read at once where rows come in the order of the file. */
const IN_ORDER_BYTES = 2 ** 20;

/** What of a file is read: its modalities, in the order of MODALITIES. */
export function requestOf(index: ModalitiesIndex, modalities: readonly Modality[]): RowsRequest {
  return {
    path: index.path,
    flag: index.flag,
    datasets: partsOf(index, modalities).map(([, { dataset, columns }]) => ({
      name: dataset,
      columns,
    })),
  };
}

/** All rows in the order of the file, in ranges that are read in one go. */
export function rangesInOrder(index: ModalitiesIndex, modalities: readonly Modality[]): RowRange[] {
  const bytes = rowBytes(requestOf(index, modalities));
  return cutRows(index.rows, wholeChunks(index, modalities, Math.floor(IN_ORDER_BYTES / bytes)));
}

/** How the rows of a file are mixed: blocks of rows in a random order go through a buffer. */
export interface Mixing {
  readonly blockRows: number;
  readonly bufferRows: number;
}

/** Sizes for a file: many places of it in the buffer at once, each a block that can be read without reading more. */
export function planMixing(
  index: ModalitiesIndex,
  modalities: readonly Modality[],
  bufferBytes: number,
): Mixing {
  const bytes = rowBytes(requestOf(index, modalities));
  const wanted = Math.max(1, Math.floor(bufferBytes / bytes));
  const blockRows = wholeChunks(index, modalities, Math.floor(wanted / PLACES));
  const grown = Math.min(FEWEST_PLACES * blockRows, MOST_GROWTH * wanted);
  return { blockRows, bufferRows: Math.max(wanted, grown) };
}

/** About so many rows, a multiple of what the file stores together. */
export function wholeChunks(
  index: ModalitiesIndex,
  modalities: readonly Modality[],
  rows: number,
): number {
  const together = Math.max(...partsOf(index, modalities).map(([, part]) => part.rowsTogether));
  return together * Math.max(1, Math.floor(rows / together));
}

/** The modalities wanted, in the order of MODALITIES. */
export function partsOf(
  index: ModalitiesIndex,
  modalities: readonly Modality[],
): (readonly [Modality, ModalityIndex])[] {
  return MODALITIES.filter((name) => modalities.includes(name)).map(
    (name) => [name, index[name]] as const,
  );
}
