import type { Matrix } from "../hdf5/file.ts";

/** One modality of some rows. */
export interface ModalityPart {
  /** [N, D] */
  readonly values: Matrix;
  /** 1 where the modality is there, [N]. */
  readonly present: Uint8Array;
}

/** Gathers means block by block; the blocks make no difference to them. */
export interface MeanSums {
  /** Adds rows of every modality. */
  add(parts: readonly ModalityPart[]): void;
  /** Mean over the rows where a modality is present (0 where it never is), the modalities one after another, [sum of D]. */
  means(): Float32Array;
}

/** @param columns values of each modality, D */
export function createMeanSums(columns: readonly number[]): MeanSums {
  const sums = columns.map((count) => new Float64Array(count));
  const counts = columns.map(() => 0);
  return {
    add: (parts) => {
      for (const [i, part] of parts.entries())
        counts[i] = (counts[i] ?? 0) + addPresentRows(part, sums[i] ?? new Float64Array());
    },
    means: () =>
      Float32Array.from(
        sums.flatMap((sum, i) => Array.from(sum, (value) => value / Math.max(1, counts[i] ?? 0))),
      ),
  };
}

/** Adds the rows that are there to `sums` [D]; returns how many they are. */
function addPresentRows({ values, present }: ModalityPart, sums: Float64Array): number {
  const { data, rows, columns } = values;
  let count = 0;
  for (let row = 0; row < rows; row += 1) {
    if (present[row] === 0) continue;
    count += 1;
    const first = row * columns;
    for (let column = 0; column < columns; column += 1) sums[column]! += data[first + column]!;
  }
  return count;
}

/** The modalities of each row side by side, [N, sum of D]; a missing one is filled with its part of `means`, [sum of D]. */
export function joinModalities(parts: readonly ModalityPart[], means: Float32Array): Matrix {
  const rows = parts[0]?.values.rows ?? 0;
  const columns = parts.reduce((sum, { values }) => sum + values.columns, 0);
  const data = new Float32Array(rows * columns);
  let offset = 0;
  for (const { values, present } of parts) {
    const filling = means.subarray(offset, offset + values.columns);
    for (let row = 0; row < rows; row += 1) {
      const first = row * values.columns;
      const there = values.data.subarray(first, first + values.columns);
      data.set(present[row] === 0 ? filling : there, row * columns + offset);
    }
    offset += values.columns;
  }
  return { data, rows, columns };
}
