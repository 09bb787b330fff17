/** One line of the manifest: every input file has one. */
export interface ManifestRow {
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

export const MANIFEST_COLUMNS = [
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
