import { FRAME_FEATURES, type FrameFeature, rowsOf } from "../audio/frameFeatures.ts";
import { type LogMelConfig, DEFAULT_LOG_MEL, PAD_MODES } from "../audio/logMelConfig.ts";
import { UserError } from "../errors.ts";
import { UNKNOWN_LABEL, canonicalEmotion } from "../labels.ts";
import { concatenate } from "../audio/sound.ts";
import { requireRows } from "./embeddings.ts";
import {
  type AttributeValue,
  type Dataset,
  type File,
  findDataset,
  readAttributes,
  readH5,
  readStrings,
  requireDataset,
  toFloat32,
} from "./file.ts";

export interface FeatureRow {
  /** [n_mels, frames] row-major, dB; below them the rows of the extras, in their order, where these are asked for */
  readonly features: Float32Array;
  readonly frames: number;
  readonly label: string;
  readonly path: string;
}

/** What a preprocessed-audio file holds, apart from its features. */
export interface PreprocessedAudio {
  readonly config: LogMelConfig;
  readonly labels: readonly string[];
  readonly paths: readonly string[];
  /** What is stored beside the log-mel. */
  readonly extras: readonly FrameFeature[];
  /** Of the file itself. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/**
 * Reads preprocessed audio, a batch of rows at a time: fixed, fixed in 8 bits a cell, ragged, or the Python service's ragged
 * form. The file is open until `work` is done.
 * @param withExtras whether rows have the extras too
 * @param readRows fixed rows that are read at a time
 * @throws UserError when the file is missing, is not HDF5, or lacks a dataset
 */
export async function readPreprocessedAudio<T>(
  path: string,
  flag: string,
  work: (facts: PreprocessedAudio, rows: Iterable<FeatureRow>) => T | Promise<T>,
  withExtras = false,
  readRows = READ_ROWS,
): Promise<T> {
  return readH5(path, flag, (file) => {
    const cure = "write it with audio-preprocess";
    const labels = readStrings(requireDataset(file, "features/labels", path, cure)).map(
      (label) => canonicalEmotion(label) ?? UNKNOWN_LABEL,
    );
    const paths = readStrings(requireDataset(file, "features/paths", path, cure));
    requireRows(path, "features/labels, features/paths", labels.length, paths.length);
    const attributes = readAttributes(file);
    const config = configFrom(attributes, path);
    const extras = FRAME_FEATURES.filter((name) => findDataset(file, `features/${name}`));
    const facts = { config, labels, paths, extras, attributes };
    const names = withExtras ? extras : [];
    const flat = findDataset(file, "features/vlen_flat");
    const lengths = findDataset(file, "features/ragged") && readLengths(file, facts, path);
    if (lengths === undefined && flat !== undefined) {
      requireShape(flat, [paths.length], path);
      return work(facts, flatRows(flat, facts, path));
    }
    const isInBytes = findDataset(file, `features/${FIXED_U8}`) !== undefined;
    const fixed =
      isInBytes && findDataset(file, "features/fixed") === undefined ? FIXED_U8 : "fixed";
    const main = lengths === undefined ? fixed : "ragged";
    const open = (name: string, rows: number): Iterable<Part> =>
      openRows(file, name, rows, { lengths, readRows, facts, path });
    const datasets = [
      open(main, config.n_mels),
      ...names.map((name) => open(name, rowsOf(name, config))),
    ];
    return work(facts, zipped(datasets, facts));
  });
}

/** The fixed form in 8 bits a cell, and its attribute that says how it is meant. */
const FIXED_U8 = "fixed_u8";
const FIXED_U8_DECIBEL = "value * 80 / 255 - 80";

/** A clip's values of one dataset, [rows, frames]. */
interface Part {
  readonly values: Float32Array;
  readonly frames: number;
}

/** The clips of a dataset below `features`, in order; of its own lengths where these are given. */
function openRows(
  file: File,
  name: string,
  rows: number,
  how: {
    readonly lengths: Float32Array | undefined;
    readonly readRows: number;
    readonly facts: PreprocessedAudio;
    readonly path: string;
  },
): Iterable<Part> {
  const { lengths, readRows, path } = how;
  const { paths } = how.facts;
  const dataset = requireDataset(file, `features/${name}`, path, "write it with audio-preprocess");
  if (lengths === undefined) {
    requireShape(dataset, [paths.length, rows, dataset.shape?.[2] ?? 0], path);
    return fixedParts(dataset, readRows, path, name === FIXED_U8 && requireDecibel(dataset, path));
  }
  requireShape(dataset, [lengths.reduce((sum, frames) => sum + frames, 0), rows], path);
  return raggedParts(dataset, lengths, path);
}

function readLengths(file: File, { paths }: PreprocessedAudio, path: string): Float32Array {
  const dataset = requireDataset(file, "features/frames", path, "write it with audio-preprocess");
  const lengths =
    paths.length === 0 ? new Float32Array(0) : toFloat32(dataset.value, dataset.path, path);
  requireRows(path, "features/frames, features/paths", lengths.length, paths.length);
  return lengths;
}

/** The parts of each clip as one row. */
function* zipped(
  datasets: readonly Iterable<Part>[],
  facts: PreprocessedAudio,
): Generator<FeatureRow> {
  const [main, ...others] = datasets.map((parts) => parts[Symbol.iterator]());
  for (const row of facts.paths.keys()) {
    const first = main?.next().value as Part;
    if (others.length === 0) {
      yield rowOf(first.values, first.frames, facts, row);
      continue;
    }
    const parts = [first, ...others.map((other) => other.next().value as Part)];
    yield rowOf(concatenate(parts.map(({ values }) => values)), first.frames, facts, row);
  }
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

/** Throws unless cells of 8 bits say that they are meant as we take them. */
function requireDecibel(dataset: Dataset, path: string): true {
  const found: unknown = dataset.attrs["decibel"]?.value;
  if (found === FIXED_U8_DECIBEL) return true;
  throw new UserError(
    "E_LAYOUT",
    `${path}: '${dataset.path}' must have the attribute 'decibel' "${FIXED_U8_DECIBEL}", has ${JSON.stringify(found)}`,
    { hint: "write it with audio-preprocess" },
  );
}

const READ_ROWS = 64;

function* fixedParts(
  dataset: Dataset,
  readRows: number,
  path: string,
  inBytes: boolean,
): Generator<Part> {
  const [rows = 0, height = 0, frames = 0] = dataset.shape ?? [];
  const size = height * frames;
  for (let start = 0; start < rows; start += readRows) {
    const end = Math.min(rows, start + readRows);
    const stored = toFloat32(dataset.slice([[start, end], [], []]), dataset.path, path);
    const values = inBytes ? stored.map((value) => (value * 80) / 255 - 80) : stored;
    for (let at = 0; at < values.length; at += size)
      yield { values: values.subarray(at, at + size), frames };
  }
}

function* raggedParts(dataset: Dataset, lengths: Float32Array, path: string): Generator<Part> {
  const height = dataset.shape?.[1] ?? 0;
  let start = 0;
  for (const frames of lengths) {
    const stored = toFloat32(dataset.slice([[start, start + frames], []]), dataset.path, path);
    const values = new Float32Array(stored.length);
    for (let t = 0; t < frames; t += 1)
      for (let row = 0; row < height; row += 1)
        values[row * frames + t] = stored[t * height + row] ?? 0;
    start += frames;
    yield { values, frames };
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
