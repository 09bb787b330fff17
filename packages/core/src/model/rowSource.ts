import { shuffle } from "../random.ts";
import type { ModalityRows, RowValues } from "./dataset.ts";
import { MODALITIES, type Modality } from "./fusion.ts";

/** One modality of a batch, as plain arrays. */
export interface BatchPart {
  /** [B · D] row-major, as the encoder gave it; zeros in the rows that lack the modality. */
  readonly values: Float32Array;
  /** [B]: 1 where the modality is there, 0 where it is missing. */
  readonly present: Float32Array;
}

/** Rows of one step; its arrays are good until the next batch is taken. */
export interface LabelledBatch {
  readonly rows: number;
  /** [B] */
  readonly classIds: Int32Array;
}

/** Embeddings of one step. */
export interface Batch extends LabelledBatch {
  readonly parts: Partial<Record<Modality, BatchPart>>;
}

/** Rows to train or to measure on, wherever they are: in memory, or in a file that is read along the way. */
export interface RowSource<B extends LabelledBatch = Batch> {
  readonly rows: number;
  /** Rows of each class, [classes]. */
  readonly classCounts: Float64Array;
  /** Every row once, in an order drawn from `random`. */
  shuffled(batchSize: number, random: () => number): AsyncIterable<B>;
  /** Every row once, in the order of the file. */
  inOrder(batchSize: number): AsyncIterable<B>;
}

/** The rows of a set that is in memory; those with the class id −1 are no part of it. */
export function rowsInMemory(dataset: RowValues, classIds: Int32Array, classes: number): RowSource {
  const inOrder = Int32Array.from(classIds.keys()).filter((row) => classIds[row] !== -1);
  return {
    rows: inOrder.length,
    classCounts: countClasses(classIds, classes),
    shuffled: (batchSize, random) =>
      batches(dataset, classIds, shuffle(inOrder.slice(), random), batchSize),
    inOrder: (batchSize) => batches(dataset, classIds, inOrder, batchSize),
  };
}

/** Rows of each class, [classes]; the class id −1 is none. */
export function countClasses(classIds: Int32Array, classes: number): Float64Array {
  const counts = new Float64Array(classes);
  for (const id of classIds) if (id !== -1) counts[id] = (counts[id] ?? 0) + 1;
  return counts;
}

// oxlint-disable-next-line typescript/require-await -- a file's rows come the same way, and those are waited for
async function* batches(
  dataset: RowValues,
  classIds: Int32Array,
  order: Int32Array,
  batchSize: number,
): AsyncGenerator<Batch, void, undefined> {
  for (let start = 0; start < order.length; start += batchSize) {
    const indices = order.subarray(start, start + batchSize);
    const parts: Partial<Record<Modality, BatchPart>> = {};
    for (const modality of MODALITIES) {
      const rows = dataset[modality];
      if (rows !== undefined) parts[modality] = takeRows(rows, indices);
    }
    yield {
      rows: indices.length,
      parts,
      classIds: Int32Array.from(indices, (row) => classIds[row] ?? 0),
    };
  }
}

function takeRows({ values, present }: ModalityRows, indices: Int32Array): BatchPart {
  const { data, columns } = values;
  const taken = new Float32Array(indices.length * columns);
  const there = new Float32Array(indices.length);
  for (const [i, row] of indices.entries()) {
    if (present[row] !== 1) continue;
    taken.set(data.subarray(row * columns, (row + 1) * columns), i * columns);
    there[i] = 1;
  }
  return { values: taken, present: there };
}
