import type { PairedRows } from "../hdf5/paired.ts";
import type { Matrix } from "../hdf5/file.ts";

/** Rows of both modalities, with what is missing. */
export type ModalityRows = Pick<PairedRows, "image" | "audio" | "imagePresent" | "audioPresent">;

/** Mean over the rows where the modality is present (0 where it never is), [Di + Da]: image first, then audio. */
export function trainingMeans(rows: ModalityRows): Float32Array {
  const { image, audio } = rows;
  const means = new Float32Array(image.columns + audio.columns);
  means.set(presentMeans(image, rows.imagePresent));
  means.set(presentMeans(audio, rows.audioPresent), image.columns);
  return means;
}

function presentMeans({ data, rows, columns }: Matrix, present: Uint8Array): Float64Array {
  const sums = new Float64Array(columns);
  let count = 0;
  for (let row = 0; row < rows; row += 1) {
    if (present[row] === 0) continue;
    count += 1;
    for (let column = 0; column < columns; column += 1)
      sums[column]! += data[row * columns + column]!;
  }
  return count === 0 ? sums : sums.map((sum) => sum / count);
}

/** [image | audio] of each row, [N, Di + Da]; a missing modality is filled with its part of `means`, [Di + Da]. */
export function joinModalities(rows: ModalityRows, means: Float32Array): Matrix {
  const { image, audio } = rows;
  const columns = image.columns + audio.columns;
  const data = new Float32Array(image.rows * columns);
  const put = (part: Matrix, present: Uint8Array, offset: number): void => {
    const filling = means.subarray(offset, offset + part.columns);
    for (let row = 0; row < part.rows; row += 1) {
      const values = part.data.subarray(row * part.columns, (row + 1) * part.columns);
      data.set(present[row] === 0 ? filling : values, row * columns + offset);
    }
  };
  put(image, rows.imagePresent, 0);
  put(audio, rows.audioPresent, image.columns);
  return { data, rows: image.rows, columns };
}
