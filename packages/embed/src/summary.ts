import { listCounts } from "@emotion-service/core/files/manifest";
import type { EmbedSummary } from "./writeEmbedded.ts";

/** The summary as a person reads it. */
export function formatSummary(summary: EmbedSummary): string {
  const lines = [
    `${summary.written} of ${summary.inputs} embeddings (${summary.model}, ${summary.dim} values each) written to ${summary.out_h5}`,
    `labels: ${listCounts(summary.labels)}`,
    `groups: ${listCounts(summary.groups)}`,
    `manifest: ${summary.manifest}`,
  ];
  if (summary.failed > 0) {
    lines.push(`failed: ${summary.failed}`);
    for (const [cause, count] of Object.entries(summary.causes))
      lines.push(`  ${count} × ${cause}`);
  }
  return `${lines.join("\n")}\n`;
}
