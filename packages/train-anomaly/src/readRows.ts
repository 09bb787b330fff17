import {
  type ModalityPart,
  createMeanSums,
  joinModalities,
} from "@emotion-service/core/anomaly/modalities";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import { requireFinite } from "@emotion-service/core/hdf5/requireFinite";
import {
  type RowBlock,
  type RowRange,
  cutRows,
  readBlocks,
  rowBytes,
} from "@emotion-service/core/hdf5/rowBlocks";
import { requestOf, wholeChunks } from "@emotion-service/core/model/mixing";
import type { Source } from "./rows.ts";

export interface ReadOptions {
  /** Rows read at once, about: whole chunks of the file. */
  readonly batchSize: number;
  /** Told of each block: so many rows more were gone through. */
  readonly onRows: (rows: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Threads read ahead of a file that is larger than this, bytes: a thread takes a tenth of a second to start. */
const SMALL_FILE = 256 * 2 ** 20;
const THREADS = 2;

/** What the first pass over the training rows brings. */
export interface Survey {
  /** What a missing modality is filled with, [D]. */
  readonly means: Float32Array;
  /** The rows that were wanted, [wanted, D]. */
  readonly rows: Matrix;
}

/**
 * Goes once through all values of a file: their means, and the rows `wanted` (ascending), which alone are held.
 * @throws UserError E_INPUT_BROKEN when a value is not finite where its modality is there, or cannot be read; E_ABORTED
 */
export async function surveyRows(
  source: Source,
  wanted: Int32Array,
  options: ReadOptions,
): Promise<Survey> {
  const sums = createMeanSums(source.parts.map(([, { columns }]) => columns));
  const kept = roomFor(source, wanted);
  let next = 0; // the first of `wanted` that did not come yet
  for await (const block of blocksOf(source, cutAll(source, options.batchSize), options)) {
    await requireFinite(source.index, source.parts, block);
    const parts = partsIn(source, block);
    sums.add(parts);
    for (; (wanted[next] ?? Infinity) < block.stop; next += 1)
      for (const [i, { values }] of parts.entries()) {
        const from = ((wanted[next] ?? 0) - block.start) * values.columns;
        const row = values.data.subarray(from, from + values.columns);
        kept[i]?.values.data.set(row, next * values.columns);
      }
  }
  const means = sums.means();
  return { means, rows: joinModalities(kept, means) };
}

function roomFor({ parts }: Source, rows: Int32Array): ModalityPart[] {
  return parts.map(([, { columns, present }]) => ({
    values: { data: new Float32Array(rows.length * columns), rows: rows.length, columns },
    present: Uint8Array.from(rows, (row) => present[row] ?? 0),
  }));
}

/** Rows of a file, [stop − start, D]. */
export interface JoinedBlock extends RowRange {
  readonly matrix: Matrix;
}

/** Reads the rows of a file in order, what is missing filled in with `means`; throws as {@link surveyRows}. */
export async function* readAll(
  source: Source,
  means: Float32Array,
  options: ReadOptions,
): AsyncGenerator<JoinedBlock, void, undefined> {
  const ranges = cutAll(source, options.batchSize);
  // The survey has looked at every value of the training rows.
  const isChecked = source.split === "train";
  for await (const block of blocksOf(source, ranges, options)) {
    if (!isChecked) await requireFinite(source.index, source.parts, block);
    const { start, stop } = block;
    yield { start, stop, matrix: joinModalities(partsIn(source, block), means) };
  }
}

/** Reads some rows (ascending) into memory, [rows, D]. */
export async function readSome(
  source: Source,
  rows: Int32Array,
  means: Float32Array,
  options: ReadOptions,
): Promise<Matrix> {
  const columns = means.length;
  const data = new Float32Array(rows.length * columns);
  let filled = 0;
  for await (const block of blocksOf(source, rangesOf(rows, options.batchSize), options)) {
    data.set(joinModalities(partsIn(source, block), means).data, filled);
    filled += (block.stop - block.start) * columns;
  }
  return { data, rows: rows.length, columns };
}

/** Rows that follow each other as one range, of `most` rows at most. */
function rangesOf(rows: Int32Array, most: number): RowRange[] {
  const ranges: { start: number; stop: number }[] = [];
  for (const row of rows) {
    const last = ranges.at(-1);
    if (last !== undefined && last.stop === row && row - last.start < most) last.stop += 1;
    else ranges.push({ start: row, stop: row + 1 });
  }
  return ranges;
}

function cutAll({ index, parts }: Source, batchSize: number): RowRange[] {
  const modalities = parts.map(([modality]) => modality);
  return cutRows(index.rows, wholeChunks(index, modalities, batchSize));
}

async function* blocksOf(
  { index, parts }: Source,
  ranges: readonly RowRange[],
  { onRows, signal }: ReadOptions,
): AsyncGenerator<RowBlock, void, undefined> {
  const request = requestOf(
    index,
    parts.map(([modality]) => modality),
  );
  const rows = ranges.reduce((sum, { start, stop }) => sum + stop - start, 0);
  const prefetch = rows * rowBytes(request) > SMALL_FILE;
  for await (const block of readBlocks(request, ranges, { prefetch, workers: THREADS, signal })) {
    yield block;
    onRows(block.stop - block.start);
  }
}

function partsIn({ parts }: Source, { start, stop, values }: RowBlock): ModalityPart[] {
  return parts.map(([, { columns, present }], i) => ({
    values: { data: values[i] ?? new Float32Array(), rows: stop - start, columns },
    present: present.subarray(start, stop),
  }));
}
