import { statSync } from "node:fs";
import { join } from "node:path";
import { createFrameMeter, type FrameFeature } from "@emotion-service/core/audio/frameFeatures";
import type { LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import { type Journal, openJournal } from "@emotion-service/core/files/journal";
import { AUDIO_EXTENSIONS, listFiles } from "@emotion-service/core/files/listFiles";
import { causeWithoutName, countBy, writeCsv } from "@emotion-service/core/files/manifest";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { type Shard, isInShard } from "@emotion-service/core/files/shard";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { refuseOtherShard, shardAttributes } from "@emotion-service/core/hdf5/shardAttributes";
import type { FileFacts } from "@emotion-service/core/labels";
import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import type { FeatureWorkerSettings, FileFeatures } from "./featureWorker.ts";
import { createLabelReader } from "./labelRule.ts";
import { MANIFEST_COLUMNS, type ManifestRow } from "./manifestRow.ts";
import { type PreprocessAudioSummary, summarise } from "./summary.ts";

export interface PreprocessAudioOptions {
  readonly audioDir: string;
  readonly outH5: string;
  readonly manifestDir: string;
  readonly manifestName: string;
  readonly config: LogMelConfig;
  /** What is stored beside the log-mel. */
  readonly extras: readonly FrameFeature[];
  /** A LabelRule or csv:FILE. */
  readonly labels: string;
  /** The slice of the files to process; all of them without it. */
  readonly shard?: Shard | undefined;
  /** Go on from what a run that was stopped had finished. */
  readonly resume: boolean;
  readonly workers: number;
  /** Time that a file may take, seconds. */
  readonly timeLimitSeconds: number;
  readonly batchRows: number;
  readonly compression: "none" | "gzip";
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** What the journal holds of a clip beside its features. */
type ClipFacts = Omit<FileFeatures, "features">;

/** A worker that does not answer is ended this long after the time limit, milliseconds. */
const GRACE_MS = 2000;

/**
 * Audio folder → log-mel HDF5 and a manifest, both whole or neither. Finished clips go to a journal beside the output
 * first, in whatever order they come, and from there into the file in the order of their paths.
 */
export async function preprocessAudio(
  options: PreprocessAudioOptions,
): Promise<PreprocessAudioSummary> {
  const { audioDir, outH5, shard } = options;
  createFrameMeter(options.extras, options.config); // refuses extras that these settings cannot give
  const all = listFiles(audioDir, AUDIO_EXTENSIONS, "--audio_dir");
  const paths = shard === undefined ? all : all.filter((path) => isInShard(path, shard));
  const labels = createLabelReader(options.labels, all);
  const manifest = join(options.manifestDir, options.manifestName);
  refuseReplacing(
    [outH5, manifest],
    all.map((path) => join(audioDir, path)),
  );
  await refuseOtherShard(outH5, shard);
  let journal: Journal<ClipFacts> | undefined;
  const rows = await withOutputs(async (outputs) => {
    const h5 = outputs.stage(outH5);
    const csv = outputs.stage(manifest);
    journal = openJournal<ClipFacts>(outH5, journalSettings(options), options.resume);
    const writer = await createFeatureWriter(h5, options);
    try {
      const found: ManifestRow[] = [];
      for await (const { path, outcome, key } of extractAll(paths, options, journal)) {
        const row = manifestRow(path, labels.factsOf(path), outcome);
        found.push(row);
        if (outcome.ok) {
          const { facts, numbers } = journal.read(key);
          writer.add({ features: numbers, frames: facts.frames, label: row.label, path });
        }
        options.onProgress?.(found.length, paths.length, "files");
      }
      if (shard === undefined) refuseNoRows(found, audioDir);
      const errors = found.filter(({ status }) => status === "failed").length;
      writer.finish({ audioDir, errors, attributes: shardAttributes(shard, all) });
      writeCsv(csv, MANIFEST_COLUMNS, found);
      return found;
    } catch (error) {
      journal.close(false);
      throw withWayOn(error, journal.count(), paths.length);
    } finally {
      writer.close();
    }
  });
  journal?.close(true);
  return summarise(rows, {
    options,
    manifest,
    resumed: journal?.resumed ?? 0,
    notes: labels.notes,
  });
}

/** One file's outcome; its features are in the journal under the key. */
interface Extracted {
  readonly path: string;
  readonly key: string;
  readonly outcome: Outcome<ClipFacts>;
}

/** Every file in order: from the journal where it is there, else by the workers. */
async function* extractAll(
  paths: readonly string[],
  options: PreprocessAudioOptions,
  journal: Journal<ClipFacts>,
): AsyncGenerator<Extracted, void, undefined> {
  const { audioDir, config, extras, workers, signal } = options;
  const files = paths.map((path) => join(audioDir, path));
  const keys = files.map(fingerprint);
  const isFinished = keys.map((key) => journal.has(key));
  const pending = [...files.keys()].filter((i) => isFinished[i] !== true);
  const limitMs = options.timeLimitSeconds * 1000;
  const settings: FeatureWorkerSettings = { config, extras, limitMs };
  const outcomes = mapInWorkers<string, FileFeatures, ClipFacts>(
    pending.map((i) => files[i] ?? ""),
    {
      script: new URL("featureWorker.js", import.meta.url),
      settings,
      workers,
      signal,
      limitMs: limitMs + GRACE_MS,
      keep: ({ features, ...facts }, n) => {
        journal.append(keys[pending[n] ?? 0] ?? "", facts, features);
        return facts;
      },
    },
  );
  try {
    for (const [i, path] of paths.entries()) {
      const key = keys[i] ?? "";
      if (isFinished[i] === true) {
        throwIfAborted(signal);
        yield { path, key, outcome: { ok: true, value: journal.read(key).facts } };
        continue;
      }
      const { value: outcome } = await outcomes.next();
      if (outcome !== undefined) yield { path, key, outcome };
    }
  } finally {
    await outcomes.return();
  }
}

/** What tells a file from what it was before: its path, size and time of change. */
function fingerprint(file: string): string {
  const stat = statSync(file, { throwIfNoEntry: false });
  return `${file} ${stat?.size} ${stat?.mtimeMs}`;
}

function journalSettings({ config, extras }: PreprocessAudioOptions) {
  return { ...config, features: ["mel", ...extras].join(",") };
}

function manifestRow(
  path: string,
  { label, speaker = "" }: FileFacts,
  outcome: Outcome<ClipFacts>,
): ManifestRow {
  if (!outcome.ok)
    return { path, label, speaker, status: "failed", cause: causeWithoutName(outcome.cause, path) };
  const { silent, durationSeconds, sampleRateHz, channels, frames } = outcome.value;
  return {
    path,
    label,
    speaker,
    status: silent ? "silent" : "ok",
    cause: silent ? "every sample is zero" : "",
    duration_seconds: durationSeconds.toFixed(6),
    sample_rate_hz: sampleRateHz,
    channels,
    frames,
  };
}

function refuseNoRows(rows: readonly ManifestRow[], audioDir: string): void {
  if (rows.some(({ status }) => status !== "failed")) return;
  const causes = countBy(rows.map(({ cause }) => cause));
  throw new UserError(
    "E_INPUT_BROKEN",
    `--audio_dir ${audioDir}: none of its ${rows.length} audio files could be read`,
    { hint: causes.map(([cause, count]) => `${count} × ${cause}`).join("; ") },
  );
}

/** The error of a run that was stopped, with the way on where some of the work is done. */
function withWayOn(error: unknown, done: number, files: number): unknown {
  if (!(error instanceof UserError) || done === 0) return error;
  const wayOn = `${done} of ${files} files are done: the same command with --resume goes on with the others`;
  const hint = error.hint === undefined ? wayOn : `${error.hint}; ${wayOn}`;
  return new UserError(error.code, error.message, { hint, cause: error });
}
