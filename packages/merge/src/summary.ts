import { countBy, listCounts } from "@emotion-service/core/files/manifest";

/** What `--json` prints. */
export interface MergeSummary {
  readonly out_h5: string;
  /** null without `--out_manifest` */
  readonly out_manifest: string | null;
  readonly shards: number;
  /** Rows of the whole. */
  readonly written: number;
  /** Inputs without a row. */
  readonly failed: number;
  /** label → rows */
  readonly labels: Readonly<Record<string, number>>;
}

export function summarise(
  labels: readonly string[],
  run: {
    readonly outH5: string;
    readonly outManifest: string | undefined;
    readonly shards: number;
    readonly errors: number;
  },
): MergeSummary {
  return {
    out_h5: run.outH5,
    out_manifest: run.outManifest ?? null,
    shards: run.shards,
    written: labels.length,
    failed: run.errors,
    labels: Object.fromEntries(countBy(labels)),
  };
}

/** The summary as a person reads it. */
export function formatSummary(summary: MergeSummary): string {
  const { shards, written, failed } = summary;
  const lines = [
    `${written} rows of ${shards} shard${shards === 1 ? "" : "s"} written to ${summary.out_h5}`,
    `labels: ${listCounts(summary.labels)}`,
  ];
  if (summary.out_manifest !== null) lines.push(`manifest: ${summary.out_manifest}`);
  if (failed > 0) lines.push(`failed, without a row: ${failed}`);
  return `${lines.join("\n")}\n`;
}
