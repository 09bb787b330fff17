import { join } from "node:path";
import type { FrameFeature } from "@emotion-service/core/audio/frameFeatures";
import { rowsOf } from "@emotion-service/core/audio/frameFeatures";
import {
  DEFAULT_LOG_MEL,
  type LogMelConfig,
  fixedFrames,
} from "@emotion-service/core/audio/logMelConfig";
import { writeCsv } from "@emotion-service/core/files/manifest";
import { type Shard, isInShard } from "@emotion-service/core/files/shard";
import type { AttributeValue } from "@emotion-service/core/hdf5/file";
import type { FeatureRow } from "@emotion-service/core/hdf5/preprocessedAudio";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { shardAttributes } from "@emotion-service/core/hdf5/shardAttributes";
import { EMOTIONS } from "@emotion-service/core/labels";
import { createRandom } from "@emotion-service/core/random";

export const FIXED: LogMelConfig = { ...DEFAULT_LOG_MEL, n_mels: 3, fixed_duration: 0.5 };
export const RAGGED: LogMelConfig = { ...FIXED, fixed_duration: 0, pad_mode: "reflect" };

/** A run of audio-preprocess, its files made without any sound. */
export interface MadeRun {
  /** Paths of all files, sorted. */
  readonly inputs: readonly string[];
  /** Those that could not be read. */
  readonly failed?: readonly string[];
  readonly config?: LogMelConfig;
  readonly extras?: readonly FrameFeature[];
  readonly compression?: "none" | "gzip";
  readonly batchRows?: number;
  readonly audioDir?: string;
  /** Attributes that are put in the place of a run's. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** Rows that are put in the place of a run's. */
  readonly rowPaths?: readonly string[];
}

const sumOf = (text: string): number => Buffer.from(text).reduce((sum, byte) => sum + byte, 0);

/** The row of a file: values, length and label that its path alone decides. */
function rowOf(path: string, { config = FIXED, extras = [] }: MadeRun): FeatureRow {
  const random = createRandom(sumOf(path));
  const frames = config.fixed_duration > 0 ? fixedFrames(config) : 1 + (sumOf(path) % 900);
  const rows = extras.reduce((sum, name) => sum + rowsOf(name, config), config.n_mels);
  return {
    features: Float32Array.from({ length: rows * frames }, () => -80 * random()),
    frames,
    label: EMOTIONS[sumOf(path) % EMOTIONS.length] ?? "",
    path,
  };
}

/** Writes what a run would write: of all its files, or of a shard of them. */
export async function writeMade(path: string, run: MadeRun, shard?: Shard): Promise<void> {
  const { inputs, failed = [], config = FIXED, compression = "none", batchRows = 4 } = run;
  const slice = inputs.filter((input) => shard === undefined || isInShard(input, shard));
  const written = run.rowPaths ?? slice.filter((input) => !failed.includes(input));
  const options = { config, extras: run.extras ?? [], batchRows, compression };
  const writer = await createFeatureWriter(path, options);
  for (const input of written) writer.add(rowOf(input, run));
  writer.finish({
    audioDir: run.audioDir ?? "clips",
    errors: slice.filter((input) => failed.includes(input)).length,
    attributes: { ...shardAttributes(shard, inputs), ...run.attributes },
  });
}

const COLUMNS = ["path", "label", "status", "cause", "frames"] as const;

/** Writes the manifest of a run or of a shard of it. */
export function writeMadeManifest(
  path: string,
  run: MadeRun,
  shard?: Shard,
  columns: readonly (typeof COLUMNS)[number][] = COLUMNS,
): void {
  const slice = run.inputs.filter((input) => shard === undefined || isInShard(input, shard));
  const lines = slice.map((input) => {
    const { label, frames } = rowOf(input, run);
    return run.failed?.includes(input) === true
      ? { path: input, label, status: "failed", cause: "is empty (0 bytes), or so" }
      : { path: input, label, status: "ok", cause: "", frames };
  });
  writeCsv(path, columns, lines);
}

/** Shard `index` of `count`. */
export const shard = (index: number, count: number): Shard => ({
  index,
  count,
  source: "--shard",
});

/** The files `s1.h5`, `s2.h5`, … and `m1.csv`, … of a run in `count` shards; returns their paths. */
export async function writeShards(folder: string, run: MadeRun, count: number) {
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  const shards = numbers.map((n) => join(folder, `s${n}.h5`));
  const manifests = numbers.map((n) => join(folder, `m${n}.csv`));
  for (const n of numbers) {
    await writeMade(shards[n - 1] ?? "", run, shard(n, count));
    writeMadeManifest(manifests[n - 1] ?? "", run, shard(n, count));
  }
  return { shards, manifests };
}

/** So many paths, sorted, in a few folders. */
export const madePaths = (count: number): string[] =>
  Array.from({ length: count }, (_, i) => `speaker ${i % 3}/take_${i}.wav`).sort();
