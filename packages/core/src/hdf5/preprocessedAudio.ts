import { type LogMelConfig, DEFAULT_LOG_MEL, PAD_MODES } from "../audio/logMel.ts";
import { UserError } from "../errors.ts";
import { UNKNOWN_LABEL, canonicalEmotion } from "../labels.ts";
import { stableJson } from "./encoder.ts";
import { requireRows } from "./embeddings.ts";
import {
  type AttributeValue,
  type Dataset,
  type File,
  createH5,
  findDataset,
  readAttributes,
  readH5,
  readStrings,
  requireDataset,
  toFloat32,
  writeArray,
  writeAttributes,
  writeStrings,
} from "./file.ts";
import { CREATED_BY, FORMAT_VERSION } from "./format.ts";

/** Rows of a chunk of features/fixed, the Python service's. */
const CHUNK_ROWS = 16;
/** Frames of a chunk of features/ragged. */
const CHUNK_FRAMES = 1024;

export interface FeatureRow {
  /** dB, [n_mels, frames] row-major */
  readonly features: Float32Array;
  readonly frames: number;
  readonly label: string;
  readonly path: string;
}

export interface FeatureWriter {
  /** Takes a row; rows are written `batchRows` at a time. */
  add(row: FeatureRow): void;
  /** Writes what is left, labels, paths and attributes, and closes the file. */
  finish(facts: { readonly audioDir: string; readonly errors: number }): void;
  /** Closes the file without finishing it. Safe to call after `finish`. */
  close(): void;
}

interface FeatureWriterOptions {
  readonly config: LogMelConfig;
  readonly batchRows: number;
  readonly compression: "none" | "gzip";
}

/**
 * Writes preprocessed audio at `path` (a staged output's temporary path): `features/fixed` [N, n_mels, frames], or,
 * when the duration is not fixed, `features/ragged` [sum of frames, n_mels] with `features/frames` [N].
 */
export async function createFeatureWriter(
  path: string,
  { config, batchRows, compression }: FeatureWriterOptions,
): Promise<FeatureWriter> {
  const writer = await createH5(path);
  const ragged = config.fixed_duration === 0;
  const labels: string[] = [];
  const paths: string[] = [];
  const frames: number[] = [];
  let batch: FeatureRow[] = [];
  let dataset: Dataset | undefined;
  let length = 0; // of the dataset's first axis

  const create = (file: File, cell: readonly number[], chunk: number): Dataset => {
    const group = file.create_group("features");
    return group.create_dataset({
      name: ragged ? "ragged" : "fixed",
      data: new Float32Array(0),
      shape: [0, ...cell],
      maxshape: [null, ...cell],
      chunks: [chunk, ...cell],
      dtype: "<f",
      ...(compression === "gzip" ? { compression: 4 } : {}),
    });
  };
  const flush = (): void => {
    const [first] = batch;
    if (first === undefined) return;
    writer.edit((file) => {
      const cell = ragged ? [config.n_mels] : [config.n_mels, first.frames];
      dataset ??= create(file, cell, ragged ? CHUNK_FRAMES : CHUNK_ROWS);
      const rows = ragged ? batch.reduce((sum, row) => sum + row.frames, 0) : batch.length;
      dataset.resize([length + rows, ...cell]);
      dataset.write_slice(
        [[length, length + rows], ...cell.map((): [] => [])],
        concatenate(batch, ragged ? config.n_mels : undefined),
      );
      length += rows;
    });
    batch = [];
  };
  return {
    add: (row) => {
      batch.push(row);
      labels.push(row.label);
      paths.push(row.path);
      frames.push(row.frames);
      if (batch.length === batchRows) flush();
    },
    finish: ({ audioDir, errors }) => {
      flush();
      writer.edit((file) => {
        const group = file.get("features");
        if (group === null || !("create_group" in group)) throw new Error("no rows were written");
        if (ragged) writeArray(group, "frames", Int32Array.from(frames), [frames.length], "<i");
        writeStrings(group, "labels", labels);
        writeStrings(group, "paths", paths);
        writeAttributes(file, {
          format: "emotion-service preprocessed audio",
          format_version: FORMAT_VERSION,
          created_by: CREATED_BY,
          ...config,
          audio_dir: audioDir,
          num_samples: paths.length,
          errors,
          feature_config: stableJson(config),
        });
      });
      writer.close();
    },
    close: () => writer.close(),
  };
}

/** Rows one after another; transposed to [frames, nMels] when `nMels` is given. */
function concatenate(rows: readonly FeatureRow[], nMels: number | undefined): Float32Array {
  const values = new Float32Array(rows.reduce((sum, row) => sum + row.features.length, 0));
  let at = 0;
  for (const { features, frames } of rows) {
    if (nMels === undefined) values.set(features, at);
    else
      for (let t = 0; t < frames; t += 1)
        for (let band = 0; band < nMels; band += 1)
          values[at + t * nMels + band] = features[band * frames + t] ?? 0;
    at += features.length;
  }
  return values;
}

/** What a preprocessed-audio file holds, apart from its features. */
export interface PreprocessedAudio {
  readonly config: LogMelConfig;
  readonly labels: readonly string[];
  readonly paths: readonly string[];
}

/**
 * Reads preprocessed audio, a batch of rows at a time: fixed, ragged, or the Python service's ragged form.
 * @throws UserError when the file is missing, is not HDF5, or lacks a dataset
 */
export async function readPreprocessedAudio<T>(
  path: string,
  flag: string,
  work: (facts: PreprocessedAudio, rows: Iterable<FeatureRow>) => T,
): Promise<T> {
  return readH5(path, flag, (file) => {
    const cure = "write it with audio-preprocess";
    const labels = readStrings(requireDataset(file, "features/labels", path, cure)).map(
      (label) => canonicalEmotion(label) ?? UNKNOWN_LABEL,
    );
    const paths = readStrings(requireDataset(file, "features/paths", path, cure));
    requireRows(path, "features/labels, features/paths", labels.length, paths.length);
    const facts = { config: configFrom(readAttributes(file), path), labels, paths };
    const nMels = facts.config.n_mels;
    const ragged = findDataset(file, "features/ragged");
    const flat = findDataset(file, "features/vlen_flat");
    if (ragged === undefined && flat !== undefined) {
      requireShape(flat, [paths.length], path);
      return work(facts, flatRows(flat, facts, path));
    }
    if (ragged === undefined) {
      const fixed = requireDataset(file, "features/fixed", path, cure);
      const frames = fixed.shape?.[2] ?? 0;
      requireShape(fixed, [paths.length, nMels, frames], path);
      return work(facts, fixedRows(fixed, facts, path));
    }
    const lengthsDataset = requireDataset(file, "features/frames", path, cure);
    const lengths = toFloat32(lengthsDataset.value, lengthsDataset.path, path);
    requireRows(path, "features/frames, features/paths", lengths.length, paths.length);
    requireShape(ragged, [lengths.reduce((sum, frames) => sum + frames, 0), nMels], path);
    return work(facts, raggedRows(ragged, lengths, facts, path));
  });
}

/** Throws unless features have the shape that paths, frames and the attribute n_mels say. */
function requireShape(dataset: Dataset, expected: readonly number[], path: string): void {
  const [wanted, got] = [expected.join(", "), (dataset.shape ?? []).join(", ")];
  if (wanted === got) return;
  throw new UserError(
    "E_LAYOUT",
    `${path}: '${dataset.path}' must have the shape [${wanted}], has [${got}]`,
    { hint: "the file is damaged or was made by hand; make it again" },
  );
}

const READ_ROWS = 64;

function* fixedRows(
  dataset: Dataset,
  facts: PreprocessedAudio,
  path: string,
): Iterable<FeatureRow> {
  const [rows = 0, nMels = 0, frames = 0] = dataset.shape ?? [];
  const size = nMels * frames;
  for (let start = 0; start < rows; start += READ_ROWS) {
    const end = Math.min(rows, start + READ_ROWS);
    const values = toFloat32(dataset.slice([[start, end], [], []]), dataset.path, path);
    for (let row = start; row < end; row += 1) {
      const at = (row - start) * size;
      yield rowOf(values.subarray(at, at + size), frames, facts, row);
    }
  }
}

function* raggedRows(
  dataset: Dataset,
  lengths: Float32Array,
  facts: PreprocessedAudio,
  path: string,
): Iterable<FeatureRow> {
  const nMels = dataset.shape?.[1] ?? 0;
  let start = 0;
  for (const [row, frames] of lengths.entries()) {
    const values = toFloat32(dataset.slice([[start, start + frames], []]), dataset.path, path);
    const features = new Float32Array(values.length);
    for (let t = 0; t < frames; t += 1)
      for (let band = 0; band < nMels; band += 1)
        features[band * frames + t] = values[t * nMels + band] ?? 0;
    start += frames;
    yield rowOf(features, frames, facts, row);
  }
}

/** The Python service's ragged form: a list of n_mels · frames values a row, [n_mels, frames] row-major. */
function* flatRows(dataset: Dataset, facts: PreprocessedAudio, path: string): Iterable<FeatureRow> {
  const { n_mels: nMels } = facts.config;
  for (const row of facts.paths.keys()) {
    const lists: unknown = dataset.slice([[row, row + 1]]);
    const list: unknown = Array.isArray(lists) ? lists[0] : undefined;
    const features = toFloat32(list, dataset.path, path);
    const frames = features.length / nMels;
    if (!(Number.isInteger(frames) && frames > 0))
      throw new UserError(
        "E_LAYOUT",
        `${path}: '${dataset.path}' row ${row}: must have a multiple of ${nMels} values (n_mels), has ${features.length}`,
        { hint: "make it again with audio-preprocess" },
      );
    yield rowOf(features, frames, facts, row);
  }
}

function rowOf(
  features: Float32Array,
  frames: number,
  facts: PreprocessedAudio,
  row: number,
): FeatureRow {
  return {
    features,
    frames,
    label: facts.labels[row] ?? UNKNOWN_LABEL,
    path: facts.paths[row] ?? "",
  };
}

/** The feature settings from a file's attributes; the Python service's files lack the last two. */
function configFrom(
  attributes: Readonly<Record<string, AttributeValue>>,
  path: string,
): LogMelConfig {
  const number = (name: "sr" | "n_fft" | "hop_length" | "n_mels" | "fixed_duration"): number => {
    const value = Number(attributes[name] ?? NaN);
    if (Number.isFinite(value)) return value;
    throw new UserError("E_LAYOUT", `${path}: lacks the attribute '${name}', a number`, {
      hint: "write it with audio-preprocess",
    });
  };
  return {
    sr: number("sr"),
    n_fft: number("n_fft"),
    hop_length: number("hop_length"),
    n_mels: number("n_mels"),
    fixed_duration: number("fixed_duration"),
    top_db: Number(attributes["top_db"] ?? DEFAULT_LOG_MEL.top_db),
    pad_mode: PAD_MODES.find((mode) => mode === attributes["pad_mode"]) ?? "constant",
  };
}
