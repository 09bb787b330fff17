import { countBy, listCounts } from "@emotion-service/core/files/manifest";
import type { Shard } from "@emotion-service/core/files/shard";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import type { Target } from "./writeEmbedded.ts";

/** One line of the manifest: every input has one, or one a face. */
export interface ManifestRow {
  readonly path: string;
  readonly label: string;
  readonly status: "ok" | "failed";
  readonly cause: string;
  /** Of a face where all are embedded: its box in the picture, pixels. */
  readonly x?: number;
  readonly y?: number;
  readonly width?: number;
  readonly height?: number;
}

export interface EmbedSummary {
  readonly out_h5: string;
  readonly manifest: string;
  readonly model: string;
  readonly dim: number;
  readonly inputs: number;
  /** Rows. */
  readonly written: number;
  readonly failed: number;
  /** Inputs that an earlier run had finished. */
  readonly resumed: number;
  /** "2/8 by SLURM_ARRAY_TASK_ID"; null for the whole. */
  readonly shard: string | null;
  /** cause → inputs */
  readonly causes: Readonly<Record<string, number>>;
  /** label → rows */
  readonly labels: Readonly<Record<string, number>>;
  /** group → rows */
  readonly groups: Readonly<Record<string, number>>;
}

export function summarise(
  rows: readonly ManifestRow[],
  run: {
    readonly target: Target;
    readonly encoder: EncoderInfo;
    readonly inputs: number;
    readonly resumed: number;
    readonly shard: Shard | undefined;
    /** Rows of each group. */
    readonly groups: readonly (readonly [string, number])[];
  },
): EmbedSummary {
  const { target, encoder, inputs, resumed, shard, groups } = run;
  const failed = rows.filter(({ status }) => status === "failed");
  const written = rows.filter(({ status }) => status === "ok");
  return {
    out_h5: target.outH5,
    manifest: target.manifest,
    model: encoder.model,
    dim: encoder.dim,
    inputs,
    written: written.length,
    failed: failed.length,
    resumed,
    shard: shard === undefined ? null : `${shard.index}/${shard.count} by ${shard.source}`,
    causes: Object.fromEntries(countBy(failed.map(({ cause }) => cause))),
    labels: Object.fromEntries(countBy(written.map(({ label }) => label))),
    groups: Object.fromEntries(groups),
  };
}

/** The summary as a person reads it. */
export function formatSummary(summary: EmbedSummary): string {
  const { written, inputs, failed } = summary;
  const perInput = written === inputs - failed;
  const what = perInput ? `${written} of ${inputs} embeddings` : `${written} embeddings of ${inputs} inputs`; // prettier-ignore
  const lines = [
    ...(summary.shard === null ? [] : [`shard ${summary.shard}`]),
    `${what} (${summary.model}, ${summary.dim} values each) written to ${summary.out_h5}`,
    `labels: ${listCounts(summary.labels)}`,
    `groups: ${listCounts(summary.groups)}`,
    `manifest: ${summary.manifest}`,
  ];
  if (summary.resumed > 0) lines.push(`done before, by an earlier run: ${summary.resumed}`);
  if (failed > 0) {
    lines.push(`failed: ${failed}`);
    for (const [cause, count] of Object.entries(summary.causes))
      lines.push(`  ${count} × ${cause}`);
  }
  return `${lines.join("\n")}\n`;
}
