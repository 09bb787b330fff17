import { countBy, listCounts } from "@emotion-service/core/files/manifest";
import { unknownNote } from "./labelRule.ts";
import type { ManifestRow } from "./manifestRow.ts";
import type { PreprocessAudioOptions } from "./preprocessAudio.ts";

export interface PreprocessAudioSummary {
  readonly out_h5: string;
  readonly manifest: string;
  readonly files: number;
  readonly written: number;
  readonly silent: number;
  readonly failed: number;
  /** Files that an earlier run had finished. */
  readonly resumed: number;
  /** "2/8 by SLURM_ARRAY_TASK_ID"; null for the whole. */
  readonly shard: string | null;
  /** cause → files */
  readonly causes: Readonly<Record<string, number>>;
  /** label → rows */
  readonly labels: Readonly<Record<string, number>>;
  /** What of the labels one should know. */
  readonly notes: readonly string[];
}

export function summarise(
  rows: readonly ManifestRow[],
  run: {
    readonly options: PreprocessAudioOptions;
    readonly manifest: string;
    readonly resumed: number;
    readonly notes: readonly string[];
  },
): PreprocessAudioSummary {
  const { outH5, labels, shard } = run.options;
  const failed = rows.filter(({ status }) => status === "failed");
  const written = rows.filter(({ status }) => status !== "failed");
  const unknown = unknownNote(written, labels);
  return {
    out_h5: outH5,
    manifest: run.manifest,
    files: rows.length,
    written: written.length,
    silent: rows.filter(({ status }) => status === "silent").length,
    failed: failed.length,
    resumed: run.resumed,
    shard: shard === undefined ? null : `${shard.index}/${shard.count} by ${shard.source}`,
    causes: Object.fromEntries(countBy(failed.map(({ cause }) => cause))),
    labels: Object.fromEntries(countBy(written.map(({ label }) => label))),
    notes: unknown === undefined ? run.notes : [...run.notes, unknown],
  };
}

/** The summary as a person reads it. */
export function formatSummary(summary: PreprocessAudioSummary): string {
  const lines = [
    ...(summary.shard === null ? [] : [`shard ${summary.shard}`]),
    `${summary.written} of ${summary.files} files written to ${summary.out_h5}`,
    `labels: ${listCounts(summary.labels)}`,
    ...summary.notes,
    `manifest: ${summary.manifest}`,
  ];
  if (summary.resumed > 0) lines.push(`done before, by an earlier run: ${summary.resumed}`);
  if (summary.silent > 0) lines.push(`silent (every sample is zero): ${summary.silent}`);
  if (summary.failed > 0) {
    lines.push(`failed: ${summary.failed}`);
    for (const [cause, count] of Object.entries(summary.causes))
      lines.push(`  ${count} × ${cause}`);
  }
  return `${lines.join("\n")}\n`;
}
