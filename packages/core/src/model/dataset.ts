import type { EncoderInfo } from "../hdf5/encoder.ts";
import type { Matrix } from "../hdf5/file.ts";

/** One modality of a set of rows. */
export interface ModalityRows {
  readonly encoder: EncoderInfo;
  /** As the encoder gave it, [N, D]. */
  readonly values: Matrix;
  /** [N]: 1 where the modality is there */
  readonly present: Uint8Array;
}

/** The values of a set of rows, by modality. */
export interface RowValues {
  readonly rows: number;
  readonly image?: ModalityRows;
  readonly audio?: ModalityRows;
}

/** The mean and deviation that standardise one modality, [D] each. */
export interface Standardisation {
  readonly mean: Float32Array;
  readonly deviation: Float32Array;
}

/** Over the rows where the modality is there; a constant value's deviation counts as 1. */
export function fitStandardisation({ values, present }: ModalityRows): Standardisation {
  const { data, rows, columns } = values;
  const sums = new Float64Array(columns);
  const squares = new Float64Array(columns);
  let count = 0;
  for (let row = 0; row < rows; row += 1) {
    if (present[row] !== 1) continue;
    count += 1;
    for (let i = 0; i < columns; i += 1) sums[i] = (sums[i] ?? 0) + (data[row * columns + i] ?? 0);
  }
  const mean = Float32Array.from(sums, (sum) => sum / Math.max(1, count));
  for (let row = 0; row < rows; row += 1)
    if (present[row] === 1)
      for (let i = 0; i < columns; i += 1)
        squares[i] = (squares[i] ?? 0) + ((data[row * columns + i] ?? 0) - (mean[i] ?? 0)) ** 2;
  return { mean, deviation: deviationOf(squares, count) };
}

/** From the summed squared distances from the mean, of the population, [D]; a constant value's counts as 1. */
export function deviationOf(squares: Float64Array, count: number): Float32Array {
  return Float32Array.from(squares, (sum) => {
    const value = Math.sqrt(sum / Math.max(1, count));
    return value > 1e-6 ? value : 1;
  });
}
