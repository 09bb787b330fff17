import type { PairedFile } from "../hdf5/paired.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import type { Matrix } from "../hdf5/file.ts";
import { type FusionBatch, MODALITIES, type Modality } from "./fusion.ts";
import type { Tf } from "./backend.ts";

/** One modality of a set of rows. */
export interface ModalityRows {
  readonly encoder: EncoderInfo;
  /** As the encoder gave it, not standardised, [N, D]. */
  readonly values: Matrix;
  /** [N]: 1 where the modality is there */
  readonly present: Uint8Array;
}

/** What a model is trained or measured on. */
export interface Dataset {
  readonly rows: number;
  readonly image?: ModalityRows;
  readonly audio?: ModalityRows;
  /** Canonical emotions, [N]. */
  readonly labels: readonly string[];
  readonly groups: readonly string[];
  readonly paths: readonly string[];
  readonly matchBy: string;
}

/** All rows of a paired file, with the modalities wanted. */
export function datasetFromPairs(
  { rows, imageEncoder, audioEncoder, matchBy }: PairedFile,
  modalities: readonly Modality[],
): Dataset {
  return {
    rows: rows.labels.length,
    ...(modalities.includes("image")
      ? { image: { encoder: imageEncoder, values: rows.image, present: rows.imagePresent } }
      : {}),
    ...(modalities.includes("audio")
      ? { audio: { encoder: audioEncoder, values: rows.audio, present: rows.audioPresent } }
      : {}),
    labels: rows.labels,
    groups: rows.groups,
    paths: rows.paths,
    matchBy,
  };
}

/** The rows named, in that order. */
export function selectRows(dataset: Dataset, indices: readonly number[]): Dataset {
  const pick = <T>(items: readonly T[]): T[] => indices.map((i) => items[i] as T);
  const modality = (rows: ModalityRows): ModalityRows => {
    const { columns } = rows.values;
    const data = new Float32Array(indices.length * columns);
    for (const [to, from] of indices.entries())
      data.set(rows.values.data.subarray(from * columns, (from + 1) * columns), to * columns);
    return {
      encoder: rows.encoder,
      values: { data, rows: indices.length, columns },
      present: Uint8Array.from(indices, (i) => rows.present[i] ?? 0),
    };
  };
  return {
    rows: indices.length,
    ...(dataset.image === undefined ? {} : { image: modality(dataset.image) }),
    ...(dataset.audio === undefined ? {} : { audio: modality(dataset.audio) }),
    labels: pick(dataset.labels),
    groups: pick(dataset.groups),
    paths: pick(dataset.paths),
    matchBy: dataset.matchBy,
  };
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
  const deviation = Float32Array.from(squares, (sum) => {
    const value = Math.sqrt(sum / Math.max(1, count));
    return value > 1e-6 ? value : 1;
  });
  return { mean, deviation };
}

/** Standardised values; the rows without the modality are zeros. */
export function standardise(
  { values, present, encoder }: ModalityRows,
  { mean, deviation }: Standardisation,
): ModalityRows {
  const { data, rows, columns } = values;
  const standard = new Float32Array(data.length);
  for (let row = 0; row < rows; row += 1)
    if (present[row] === 1)
      for (let i = 0; i < columns; i += 1)
        standard[row * columns + i] =
          ((data[row * columns + i] ?? 0) - (mean[i] ?? 0)) / (deviation[i] ?? 1);
  return { encoder, values: { data: standard, rows, columns }, present };
}

/**
 * The tensors of a batch of standardised rows. `hide` says which modality of a row is to be treated as missing.
 */
export function toBatch(
  tf: Tf,
  dataset: Dataset,
  indices: ArrayLike<number>,
  hide: (row: number, modality: Modality) => boolean,
): FusionBatch {
  const batch: FusionBatch = {};
  for (const modality of MODALITIES) {
    const rows = dataset[modality];
    if (rows === undefined) continue;
    const { data, columns } = rows.values;
    const values = new Float32Array(indices.length * columns);
    const present = new Float32Array(indices.length);
    for (let i = 0; i < indices.length; i += 1) {
      const row = indices[i] ?? 0;
      if (rows.present[row] !== 1 || hide(row, modality)) continue;
      values.set(data.subarray(row * columns, (row + 1) * columns), i * columns);
      present[i] = 1;
    }
    batch[modality] = {
      values: tf.tensor2d(values, [indices.length, columns]),
      present: tf.tensor2d(present, [indices.length, 1]),
    };
  }
  return batch;
}
