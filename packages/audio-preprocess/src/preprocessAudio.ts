import { join } from "node:path";
import type { LogMelConfig } from "@emotion-service/core/audio/logMel";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { AUDIO_EXTENSIONS, listFiles } from "@emotion-service/core/files/listFiles";
import {
  causeWithoutName,
  countBy,
  listCounts,
  writeCsv,
} from "@emotion-service/core/files/manifest";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudio";
import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import type { ClipFeatures } from "./featureWorker.ts";
import { createLabelReader } from "./labelRule.ts";

export interface PreprocessAudioOptions {
  readonly audioDir: string;
  readonly outH5: string;
  readonly manifestDir: string;
  readonly manifestName: string;
  readonly config: LogMelConfig;
  /** auto, cremad, ravdess, folder or csv:FILE */
  readonly labels: string;
  readonly workers: number;
  readonly batchRows: number;
  readonly compression: "none" | "gzip";
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** One line of the manifest: every input file has one. */
interface ManifestRow {
  readonly path: string;
  readonly label: string;
  readonly speaker: string;
  readonly status: "ok" | "silent" | "failed";
  readonly cause: string;
  readonly duration_seconds?: string;
  readonly sample_rate_hz?: number;
  readonly channels?: number;
  readonly frames?: number;
}

const MANIFEST_COLUMNS = [
  "path",
  "label",
  "speaker",
  "status",
  "cause",
  "duration_seconds",
  "sample_rate_hz",
  "channels",
  "frames",
] as const;

export interface PreprocessAudioSummary {
  readonly out_h5: string;
  readonly manifest: string;
  readonly files: number;
  readonly written: number;
  readonly silent: number;
  readonly failed: number;
  /** cause → files */
  readonly causes: Readonly<Record<string, number>>;
  /** label → rows */
  readonly labels: Readonly<Record<string, number>>;
}

/** Audio folder → log-mel HDF5 and a manifest, both whole or neither. */
export async function preprocessAudio(
  options: PreprocessAudioOptions,
): Promise<PreprocessAudioSummary> {
  const paths = listFiles(options.audioDir, AUDIO_EXTENSIONS, "--audio_dir");
  const labels = createLabelReader(options.labels, paths);
  const manifest = join(options.manifestDir, options.manifestName);
  refuseReplacing(
    [options.outH5, manifest],
    paths.map((path) => join(options.audioDir, path)),
  );
  return withOutputs(async (outputs) => {
    const h5 = outputs.stage(options.outH5);
    const csv = outputs.stage(manifest);
    const writer = await createFeatureWriter(h5, options);
    try {
      const rows: ManifestRow[] = [];
      for await (const outcome of extractAll(paths, options)) {
        const path = paths[rows.length] ?? "";
        const row = manifestRow(path, labels.factsOf(path), outcome);
        rows.push(row);
        if (outcome.ok) writer.add({ ...outcome.value, label: row.label, path });
        options.onProgress?.(rows.length, paths.length, "files");
      }
      refuseNoRows(rows, options.audioDir);
      const errors = rows.filter(({ status }) => status === "failed").length;
      writer.finish({ audioDir: options.audioDir, errors });
      writeCsv(csv, MANIFEST_COLUMNS, rows);
      return summarise(rows, options.outH5, manifest);
    } finally {
      writer.close();
    }
  });
}

function extractAll(
  paths: readonly string[],
  { audioDir, config, workers, signal }: PreprocessAudioOptions,
): AsyncGenerator<Outcome<ClipFeatures>> {
  return mapInWorkers<string, ClipFeatures>(
    paths.map((path) => join(audioDir, path)),
    { script: new URL("featureWorker.js", import.meta.url), settings: config, workers, signal },
  );
}

function manifestRow(
  path: string,
  { label, speaker = "" }: { readonly label: string; readonly speaker: string | undefined },
  outcome: Outcome<ClipFeatures>,
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

function summarise(
  rows: readonly ManifestRow[],
  outH5: string,
  manifest: string,
): PreprocessAudioSummary {
  const failed = rows.filter(({ status }) => status === "failed");
  const written = rows.filter(({ status }) => status !== "failed");
  return {
    out_h5: outH5,
    manifest,
    files: rows.length,
    written: written.length,
    silent: rows.filter(({ status }) => status === "silent").length,
    failed: failed.length,
    causes: Object.fromEntries(countBy(failed.map(({ cause }) => cause))),
    labels: Object.fromEntries(countBy(written.map(({ label }) => label))),
  };
}

/** The summary as a person reads it. */
export function formatSummary(summary: PreprocessAudioSummary): string {
  const lines = [
    `${summary.written} of ${summary.files} files written to ${summary.out_h5}`,
    `labels: ${listCounts(summary.labels)}`,
    `manifest: ${summary.manifest}`,
  ];
  if (summary.silent > 0) lines.push(`silent (every sample is zero): ${summary.silent}`);
  if (summary.failed > 0) {
    lines.push(`failed: ${summary.failed}`);
    for (const [cause, count] of Object.entries(summary.causes))
      lines.push(`  ${count} × ${cause}`);
  }
  return `${lines.join("\n")}\n`;
}
