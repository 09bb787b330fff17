import { type FrameFeature, rowsOf } from "../audio/frameFeatures.ts";
import { type LogMelConfig, fixedFrames } from "../audio/logMelConfig.ts";
import { stableJson } from "./encoder.ts";
import {
  type AttributeValue,
  type H5Writer,
  createH5,
  writeArray,
  writeAttributes,
  writeStrings,
} from "./file.ts";
import { CREATED_BY, FORMAT_VERSION } from "./format.ts";
import { groupOf, growingDataset } from "./growingDataset.ts";
import type { FeatureRow } from "./preprocessedAudio.ts";

const GROUP = "features";
/** Rows of a chunk of features/fixed, the Python service's. */
const CHUNK_ROWS = 16;
/** Frames of a chunk of features/ragged. */
const CHUNK_FRAMES = 1024;
/** Numbers of a dataset that wait to be written: 8 MiB. */
const MOST_WAITING = 1 << 21;

export interface FeatureWriter {
  /** Takes a row, its features with the rows of the extras; rows are written `batchRows` at a time. The features may be reused after the call. */
  add(row: FeatureRow): void;
  /** Writes what is left, labels, paths and attributes, and closes the file. */
  finish(facts: {
    readonly audioDir: string;
    readonly errors: number;
    readonly attributes?: Readonly<Record<string, AttributeValue>>;
  }): void;
  /** Closes the file without finishing it. Safe to call after `finish`. */
  close(): void;
}

export interface FeatureWriterOptions {
  readonly config: LogMelConfig;
  /** What is stored beside the log-mel. */
  readonly extras?: readonly FrameFeature[];
  readonly batchRows: number;
  readonly compression: "none" | "gzip";
}

/**
 * Writes preprocessed audio at `path` (a staged output's temporary path): `features/fixed` [N, n_mels, frames], or,
 * when the duration is not fixed, `features/ragged` [sum of frames, n_mels] with `features/frames` [N]; each extra in a
 * dataset of its name beside it, its rows in the place of the mel bands.
 */
export async function createFeatureWriter(
  path: string,
  options: FeatureWriterOptions,
): Promise<FeatureWriter> {
  const { config, extras = [] } = options;
  const writer = await createH5(path);
  const ragged = config.fixed_duration === 0;
  const create = ragged ? raggedDataset : fixedDataset;
  const datasets = [
    {
      rows: config.n_mels,
      write: create(writer, ragged ? "ragged" : "fixed", config.n_mels, options),
    },
    ...extras.map((name) => {
      const rows = rowsOf(name, config);
      return { rows, write: create(writer, name, rows, options) };
    }),
  ];
  const labels: string[] = [];
  const paths: string[] = [];
  const frames: number[] = [];
  return {
    add: (row) => {
      labels.push(row.label);
      paths.push(row.path);
      frames.push(row.frames);
      let start = 0;
      for (const { rows, write } of datasets) {
        const end = start + rows * row.frames;
        write.add(row.features.subarray(start, end), row.frames);
        start = end;
      }
    },
    finish: ({ audioDir, errors, attributes = {} }) => {
      for (const { write } of datasets) write.finish();
      writer.edit((file) => {
        const group = groupOf(file, GROUP);
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
          ...attributes,
        });
      });
      writer.close();
    },
    close: () => writer.close(),
  };
}

/** Writes one dataset, clip after clip. */
interface DatasetWriter {
  /** Takes a clip's values, [rows, frames]. */
  add(values: Float32Array, frames: number): void;
  finish(): void;
}

type Options = Pick<FeatureWriterOptions, "config" | "batchRows" | "compression">;

/** [N, rows, frames] */
function fixedDataset(
  writer: H5Writer,
  name: string,
  rows: number,
  { config, batchRows, compression }: Options,
): DatasetWriter {
  const cell = [rows, fixedFrames(config)];
  const dataset = growingDataset(writer, {
    group: GROUP,
    name,
    cell,
    chunk: CHUNK_ROWS,
    compression,
  });
  const size = rows * fixedFrames(config);
  const most = Math.max(1, Math.min(batchRows, Math.floor(MOST_WAITING / size)));
  const waiting = new Float32Array(most * size);
  let clips = 0;
  const flush = (): void => {
    dataset.append(waiting.subarray(0, clips * size), clips);
    clips = 0;
  };
  return {
    add: (values) => {
      waiting.set(values, clips * size);
      clips += 1;
      if (clips === most) flush();
    },
    finish: flush,
  };
}

/** [sum of frames, rows] */
function raggedDataset(
  writer: H5Writer,
  name: string,
  rows: number,
  { batchRows, compression }: Options,
): DatasetWriter {
  const dataset = growingDataset(writer, {
    group: GROUP,
    name,
    cell: [rows],
    chunk: CHUNK_FRAMES,
    compression,
  });
  let waiting = new Float32Array(MOST_WAITING);
  let [clips, used] = [0, 0];
  const flush = (): void => {
    dataset.append(waiting.subarray(0, used), used / rows);
    [clips, used] = [0, 0];
    if (waiting.length > MOST_WAITING) waiting = new Float32Array(MOST_WAITING);
  };
  return {
    add: (values, frames) => {
      if (used > 0 && used + values.length > waiting.length) flush();
      if (values.length > waiting.length) waiting = new Float32Array(values.length);
      for (let row = 0; row < rows; row += 1)
        for (let t = 0; t < frames; t += 1)
          waiting[used + t * rows + row] = values[row * frames + t] ?? 0;
      used += values.length;
      clips += 1;
      if (clips === batchRows) flush();
    },
    finish: flush,
  };
}
