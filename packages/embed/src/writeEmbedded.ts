import { dirname, join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { stemOf } from "@emotion-service/core/files/listFiles";
import { causeWithoutName, countBy, writeCsv } from "@emotion-service/core/files/manifest";
import type { Outputs } from "@emotion-service/core/files/outputs";
import {
  type EmbeddingRows,
  type Split,
  writeEmbeddings,
} from "@emotion-service/core/hdf5/embeddings";
import type { Embedded, EmbeddedRow } from "./embedRows.ts";
import { splitOf } from "./splitOf.ts";

export interface EmbedSummary {
  readonly out_h5: string;
  readonly manifest: string;
  readonly model: string;
  readonly dim: number;
  readonly inputs: number;
  readonly written: number;
  readonly failed: number;
  /** cause → inputs */
  readonly causes: Readonly<Record<string, number>>;
  /** label → rows */
  readonly labels: Readonly<Record<string, number>>;
  /** group → rows */
  readonly groups: Readonly<Record<string, number>>;
}

/** The files that one set of embeddings becomes. */
export interface Target {
  readonly outH5: string;
  readonly manifest: string;
}

export function targetOf(outH5: string, manifestName?: string): Target {
  const name = manifestName ?? `${stemOf(outH5)}_manifest.csv`;
  return { outH5, manifest: join(dirname(outH5), name) };
}

export function filesOf({ outH5, manifest }: Target): string[] {
  return [outH5, manifest];
}

/** Finds out now that the files can be written; writes them when there are embeddings. */
export function stageEmbeddings(
  outputs: Outputs,
  target: Target,
): (embedded: Embedded) => Promise<EmbedSummary> {
  const h5 = outputs.stage(target.outH5);
  const csv = outputs.stage(target.manifest);
  return async (embedded) => {
    refuseNoRows(embedded.rows);
    const splits = groupRows(embedded);
    await writeEmbeddings(h5, { encoder: embedded.encoder, splits });
    writeManifest(csv, embedded.rows);
    return summarise(embedded, splits, target.outH5, target.manifest);
  };
}

function refuseNoRows(rows: readonly EmbeddedRow[]): void {
  if (rows.some(({ embedding }) => embedding !== undefined)) return;
  const causes = countBy(rows.map(genericCause)).map(([cause, count]) => `${count} × ${cause}`);
  throw new UserError("E_INPUT_BROKEN", `none of the ${rows.length} inputs gave an embedding`, {
    hint: causes.join("; "),
  });
}

function genericCause({ cause, path }: EmbeddedRow): string {
  return causeWithoutName(cause, path);
}

function groupRows({ encoder, rows }: Embedded): Map<Split, EmbeddingRows> {
  const whole = rows.filter(({ embedding }) => embedding !== undefined);
  const split = splitOf(whole.map(({ path }) => path));
  const splits = new Map<Split, EmbeddingRows>();
  for (const name of ["all", "train", "val", "test"] as const) {
    const members = whole.filter(({ path }) => split(path) === name);
    if (members.length === 0) continue;
    const data = new Float32Array(members.length * encoder.dim);
    for (const [i, { embedding }] of members.entries())
      if (embedding !== undefined) data.set(embedding, i * encoder.dim);
    splits.set(name, {
      embeddings: { data, rows: members.length, columns: encoder.dim },
      labels: members.map(({ label }) => label),
      paths: members.map(({ path }) => path),
    });
  }
  return splits;
}

function writeManifest(path: string, rows: readonly EmbeddedRow[]): void {
  writeCsv(
    path,
    ["path", "label", "status", "cause"],
    rows.map((row) => ({
      path: row.path,
      label: row.label,
      status: row.embedding === undefined ? "failed" : "ok",
      cause: genericCause(row),
    })),
  );
}

function summarise(
  { encoder, rows }: Embedded,
  splits: ReadonlyMap<Split, EmbeddingRows>,
  outH5: string,
  manifest: string,
): EmbedSummary {
  const failed = rows.filter(({ embedding }) => embedding === undefined);
  const written = rows.filter(({ embedding }) => embedding !== undefined);
  return {
    out_h5: outH5,
    manifest,
    model: encoder.model,
    dim: encoder.dim,
    inputs: rows.length,
    written: written.length,
    failed: failed.length,
    causes: Object.fromEntries(countBy(failed.map(genericCause))),
    labels: Object.fromEntries(countBy(written.map(({ label }) => label))),
    groups: Object.fromEntries([...splits].map(([name, group]) => [name, group.paths.length])),
  };
}
