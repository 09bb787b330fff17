import type { ModalityIndex } from "../hdf5/pairedIndex.ts";
import type { RowBlock } from "../hdf5/rowBlocks.ts";
import type { Modality } from "./fusion.ts";
import type { Batch, BatchPart } from "./rowSource.ts";

/** The modalities of a file, in the order in which blocks have them. */
export type Parts = readonly (readonly [Modality, ModalityIndex])[];

/** Room for rows, used again and again. */
export interface RowStore {
  /** The number in the file of each row that is held, [capacity]. */
  readonly rows: Int32Array;
  /** [capacity · D] for each modality. */
  readonly values: readonly Float32Array[];
}

export function createStore(parts: Parts, capacity: number): RowStore {
  return {
    rows: new Int32Array(capacity),
    values: parts.map(([, { columns }]) => new Float32Array(capacity * columns)),
  };
}

/** Puts the row with the number `row` of a block at the place `to`. */
export function putRow(store: RowStore, to: number, block: RowBlock, row: number): void {
  const rows = block.stop - block.start;
  store.rows[to] = row;
  for (const [part, values] of block.values.entries()) {
    const columns = values.length / rows;
    const at = (row - block.start) * columns;
    store.values[part]?.set(values.subarray(at, at + columns), to * columns);
  }
}

/** Puts what stands at the place `from` of one store at the place `to` of another (or of the same). */
export function copyRow(source: RowStore, from: number, target: RowStore, to: number): void {
  target.rows[to] = source.rows[from] ?? 0;
  for (const [part, values] of source.values.entries()) {
    const columns = values.length / source.rows.length;
    target.values[part]?.set(values.subarray(from * columns, (from + 1) * columns), to * columns);
  }
}

/** The first rows of a store as a batch, good until the store changes. */
export function batchOf(store: RowStore, count: number, parts: Parts, classIds: Int32Array): Batch {
  const rows = store.rows.subarray(0, count);
  const batch: Partial<Record<Modality, BatchPart>> = {};
  for (const [part, [modality, { columns, present }]] of parts.entries()) {
    const values = (store.values[part] ?? new Float32Array()).subarray(0, count * columns);
    const there = Float32Array.from(rows, (row) => present[row] ?? 0);
    for (const [i, isThere] of there.entries())
      if (isThere === 0) values.fill(0, i * columns, (i + 1) * columns);
    batch[modality] = { values, present: there };
  }
  return { rows: count, parts: batch, classIds: rows.map((row) => classIds[row] ?? 0) };
}
