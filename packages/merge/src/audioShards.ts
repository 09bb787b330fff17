import type { FrameFeature } from "@emotion-service/core/audio/frameFeatures";
import { type LogMelConfig, fixedFrames } from "@emotion-service/core/audio/logMelConfig";
import { breathe } from "@emotion-service/core/breathe";
import { UserError } from "@emotion-service/core/errors";
import {
  type AttributeValue,
  type Dataset,
  type File,
  findDataset,
  readAttributes,
  readError,
  readH5,
} from "@emotion-service/core/hdf5/file";
import {
  type FeatureRow,
  readPreprocessedAudio,
} from "@emotion-service/core/hdf5/preprocessedAudio";
import { SHARD_ATTRIBUTES, shardPlaceFrom } from "@emotion-service/core/hdf5/shardAttributes";
import { FLAG, type ShardHead, readErrors } from "./checkShards.ts";

/** What a shard of preprocessed audio says of itself, apart from its rows. */
export interface AudioHead extends ShardHead {
  readonly audioDir: string;
  readonly compression: "none" | "gzip";
  /** The attributes of the whole, but for what is counted or named in each shard. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A shard that is open. */
export interface AudioShard {
  readonly head: AudioHead;
  readonly config: LogMelConfig;
  readonly extras: readonly FrameFeature[];
  /** Paths of its rows. */
  readonly paths: readonly string[];
  readonly labels: readonly string[];
  /** Its rows with their extras, read a few at a time. */
  readonly rows: Iterable<FeatureRow>;
}

const COMMAND = "audio-preprocess";
/** Attributes that each shard has of its own. */
const OWN_ATTRIBUTES = [...SHARD_ATTRIBUTES, "audio_dir", "num_samples", "errors"];

/** @throws UserError when the file is missing, is not HDF5, or does not say how many files failed */
export function readAudioHead(path: string): Promise<AudioHead> {
  return readH5(path, FLAG, (file) => {
    const all = readAttributes(file);
    const attributes = Object.fromEntries(
      Object.entries(all).filter(([name]) => !OWN_ATTRIBUTES.includes(name)),
    );
    const { feature_config: _, ...settings } = attributes; // JSON of what stands beside it
    const datasets = featureDatasets(file);
    return {
      file: path,
      place: shardPlaceFrom(all),
      settings: { ...settings, ...shapesOf(datasets) },
      audioDir: String(all["audio_dir"] ?? ""),
      errors: readErrors(all, path, COMMAND),
      command: COMMAND,
      compression: datasets.some(isGzipped) ? "gzip" : "none",
      attributes,
    };
  });
}

function featureDatasets(file: File): Dataset[] {
  return file
    .paths()
    .filter((name) => name.startsWith("features/"))
    .flatMap((name) => findDataset(file, name) ?? []);
}

/** "features/fixed" → "[rows, 64, 94]" */
function shapesOf(datasets: readonly Dataset[]): Record<string, string> {
  return Object.fromEntries(
    datasets.map(({ path, shape }) => [
      path.replace(/^\//, ""),
      `[${["rows", ...(shape ?? []).slice(1)].join(", ")}]`,
    ]),
  );
}

/** HDF5's number of the filter. */
const GZIP = 1;

function isGzipped({ filters }: Dataset): boolean {
  return filters.some(({ id }) => id === GZIP);
}

/** Fixed rows of all shards together that are in memory: 24 MiB at the defaults. */
const ROWS_HELD = 1024;
/** Of one shard at most. */
const ROWS_OF_ONE = 64;

/** Opens all shards at once, hands them to `work`, closes them once that is done. */
export function withAudioShards<T>(
  heads: readonly AudioHead[],
  signal: AbortSignal | undefined,
  work: (shards: readonly AudioShard[]) => Promise<T>,
  opened: readonly AudioShard[] = [],
): Promise<T> {
  const head = heads[opened.length];
  if (head === undefined) return work(opened);
  return readPreprocessedAudio(
    head.file,
    FLAG,
    async ({ config, extras, paths, labels }, rows) => {
      await breathe(signal);
      const shard = {
        head,
        config,
        extras,
        paths,
        labels,
        rows: checkedRows(rows, config, head.file),
      };
      return withAudioShards(heads, signal, work, [...opened, shard]);
    },
    true,
    Math.max(1, Math.min(ROWS_OF_ONE, Math.floor(ROWS_HELD / heads.length))),
  );
}

/**
 * The rows, of the length that the settings say. What fails in reading them names their own file, and not the one that was
 * opened last.
 */
function* checkedRows(
  rows: Iterable<FeatureRow>,
  config: LogMelConfig,
  file: string,
): Generator<FeatureRow> {
  const wanted = config.fixed_duration > 0 ? fixedFrames(config) : undefined;
  try {
    for (const row of rows) {
      if (wanted !== undefined && row.frames !== wanted) throw wrongLength(file, row, wanted);
      yield row;
    }
  } catch (error) {
    throw readError(error, file, FLAG);
  }
}

function wrongLength(file: string, { path, frames }: FeatureRow, wanted: number): UserError {
  return new UserError(
    "E_LAYOUT",
    `${file}: '${path}' must have the ${wanted} frames that 'fixed_duration' says, has ${frames}`,
    { hint: "the file was made by hand; make it again with audio-preprocess --shard" },
  );
}
