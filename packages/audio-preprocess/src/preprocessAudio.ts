import { join } from "node:path";
import { setImmediate } from "node:timers/promises";
import { createFrameMeter, type FrameFeature } from "@emotion-service/core/audio/frameFeatures";
import type { LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import { type Journal, openJournal } from "@emotion-service/core/files/journal";
import { AUDIO_EXTENSIONS, listFiles } from "@emotion-service/core/files/listFiles";
import { causeWithoutName, countBy, writeCsv } from "@emotion-service/core/files/manifest";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { type Shard, isInShard } from "@emotion-service/core/files/shard";
import { keyOfFile, withWayOn } from "@emotion-service/core/files/unfinished";
import type { AttributeValue } from "@emotion-service/core/hdf5/file";
import { CREATED_BY } from "@emotion-service/core/hdf5/format";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { refuseOtherShard, shardAttributes } from "@emotion-service/core/hdf5/shardAttributes";
import type { FileFacts } from "@emotion-service/core/labels";
import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import type { FeatureWorkerSettings, FileFeatures } from "./featureWorker.ts";
import { type LabelReader, createLabelReader } from "./labelRule.ts";
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

/** A file to process. */
interface Input {
  /** Relative to the audio folder. */
  readonly path: string;
  readonly file: string;
  /** Its key in the journal. */
  readonly key: string;
}

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
  const inputs = paths.map((path) => inputOf(path, audioDir));
  let journal: Journal<ClipFacts> | undefined;
  let resumed = 0;
  const countDone = (): number => inputs.filter(({ key }) => journal?.has(key) === true).length;
  try {
    const rows = await withOutputs(async (outputs) => {
      const h5 = outputs.stage(outH5);
      const csv = outputs.stage(manifest);
      journal = openJournal<ClipFacts>(outH5, journalSettings(options), options.resume);
      resumed = countDone();
      try {
        const attributes = shardAttributes(shard, all);
        const found = await writeFeatures(h5, { inputs, journal, labels, attributes }, options);
        writeCsv(csv, MANIFEST_COLUMNS, found);
        return found;
      } catch (error) {
        journal.close(false); // before its folder goes, should this run have made it
        throw error;
      }
    });
    journal?.close(true);
    return summarise(rows, { options, manifest, resumed, notes: labels.notes });
  } catch (error) {
    journal?.close(false);
    throw withWayOn(error, countDone(), inputs.length, "files");
  }
}

/** Writes the HDF5 file; returns a row of the manifest for every input. */
async function writeFeatures(
  h5: string,
  work: {
    readonly inputs: readonly Input[];
    readonly journal: Journal<ClipFacts>;
    readonly labels: LabelReader;
    readonly attributes: Readonly<Record<string, AttributeValue>>;
  },
  options: PreprocessAudioOptions,
): Promise<ManifestRow[]> {
  const { inputs, journal, labels, attributes } = work;
  const { audioDir, shard } = options;
  const rows: ManifestRow[] = [];
  const writer = await createFeatureWriter(h5, options);
  try {
    for await (const { path, key, outcome } of extractAll(inputs, options, journal)) {
      const facts = labels.factsOf(path);
      if (outcome.ok) {
        const { facts: clip, numbers } = journal.read(key);
        rows.push(clipRow(path, facts, clip));
        writer.add({ features: numbers, frames: clip.frames, label: facts.label, path });
      } else rows.push(failedRow(path, facts, outcome.cause));
      options.onProgress?.(rows.length, inputs.length, "files");
    }
    if (shard === undefined) refuseNoRows(rows, audioDir);
    const errors = rows.filter(({ status }) => status === "failed").length;
    writer.finish({ audioDir, errors, attributes });
    return rows;
  } finally {
    writer.close();
  }
}

/** What became of a file; if it is well, all of its clip is in the journal under the key. */
interface Extracted extends Input {
  readonly outcome: Outcome<void>;
}

/** A worker that does not answer is ended this long after the time limit, milliseconds: ffmpeg has been ended by then. */
const GRACE_MS = 2000;
/** Files from the journal between two looks at what else goes on: Ctrl-C. */
const FILES_PER_LOOK = 64;

/** Every file in order: from the journal where it is there, else by the workers. */
async function* extractAll(
  inputs: readonly Input[],
  options: PreprocessAudioOptions,
  journal: Journal<ClipFacts>,
): AsyncGenerator<Extracted, void, undefined> {
  const { config, extras, workers, signal } = options;
  const isFinished = inputs.map(({ key }) => journal.has(key));
  const pending = inputs.filter((_, i) => isFinished[i] !== true);
  const limitMs = options.timeLimitSeconds * 1000;
  const settings: FeatureWorkerSettings = { config, extras, limitMs };
  const outcomes = mapInWorkers<string, FileFeatures, void>(
    pending.map(({ file }) => file),
    {
      script: new URL("featureWorker.js", import.meta.url),
      settings,
      workers,
      signal,
      limitMs,
      graceMs: GRACE_MS,
      keep: ({ features, ...facts }, n) => journal.append(pending[n]?.key ?? "", facts, features),
    },
  );
  try {
    for (const [i, input] of inputs.entries()) {
      if (isFinished[i] === true) {
        if (i % FILES_PER_LOOK === 0) await setImmediate();
        throwIfAborted(signal);
        yield { ...input, outcome: { ok: true, value: undefined } };
        continue;
      }
      const { value: outcome } = await outcomes.next();
      if (outcome !== undefined) yield { ...input, outcome };
    }
  } finally {
    await outcomes.return();
  }
}

function inputOf(path: string, audioDir: string): Input {
  const file = join(audioDir, path);
  return { path, file, key: keyOfFile(file) };
}

/** All that a clip's features depend on beside the file. */
function journalSettings({ config, extras }: PreprocessAudioOptions) {
  return { ...config, features: ["mel", ...extras].join(","), created_by: CREATED_BY };
}

function failedRow(path: string, { label, speaker = "" }: FileFacts, cause: string): ManifestRow {
  return { path, label, speaker, status: "failed", cause: causeWithoutName(cause, path) };
}

function clipRow(
  path: string,
  { label, speaker = "" }: FileFacts,
  { silent, durationSeconds, sampleRateHz, channels, frames }: ClipFacts,
): ManifestRow {
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
