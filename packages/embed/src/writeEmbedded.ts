import { dirname, join } from "node:path";
import { breathe } from "@emotion-service/core/breathe";
import { UserError } from "@emotion-service/core/errors";
import { stemOf } from "@emotion-service/core/files/listFiles";
import { causeWithoutName, countBy, writeCsv } from "@emotion-service/core/files/manifest";
import { type Outputs, withOutputs } from "@emotion-service/core/files/outputs";
import { withWayOn } from "@emotion-service/core/files/unfinished";
import {
  type EmbeddingGroup,
  SPLITS,
  type Split,
  writeEmbeddingGroups,
} from "@emotion-service/core/hdf5/embeddings";
import { refuseOtherShard, shardAttributes } from "@emotion-service/core/hdf5/shardAttributes";
import type { Begin, EmbedRun } from "./embedRows.ts";
import { type EmbedInput, type EmbedWork, beginWork } from "./embedWork.ts";
import { splitOf } from "./splitOf.ts";
import { type EmbedSummary, type ManifestRow, summarise } from "./summary.ts";

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

/** An output, and what embeds its inputs. */
export interface Part {
  readonly target: Target;
  readonly embed: (begin: Begin) => Promise<void>;
}

/**
 * Embeds the inputs of each part in turn, then writes all outputs, whole or none. What is finished stays in a journal beside
 * each output until then.
 */
export async function writeEmbedded(
  parts: readonly Part[],
  run: EmbedRun,
): Promise<EmbedSummary[]> {
  for (const { target } of parts) await refuseOtherShard(target.outH5, run.shard);
  const works: EmbedWork[] = [];
  const closeAll = (isDone: boolean): void => {
    for (const work of works) work.close(isDone);
  };
  try {
    const summaries = await withOutputs(async (outputs) => {
      const staged = parts.map(({ target }) => stage(outputs, target));
      try {
        for (const { target, embed } of parts)
          await embed((plan) => {
            const work = beginWork(target.outH5, plan, run);
            works.push(work);
            return work;
          });
        const written: EmbedSummary[] = [];
        for (const [i, work] of works.entries())
          written.push(await writeWork(work, staged[i]!, parts[i]!.target, run));
        return written;
      } catch (error) {
        closeAll(isHopeless(error)); // before its folder goes, should this run have made it
        throw error;
      }
    });
    closeAll(true);
    return summaries;
  } catch (error) {
    closeAll(false);
    const sum = (count: (work: EmbedWork) => number): number =>
      works.reduce((total, work) => total + count(work), 0);
    const done = isHopeless(error) ? 0 : sum((work) => work.countDone());
    throw withWayOn(
      error,
      done,
      sum(({ inputs }) => inputs.length),
      "inputs",
    );
  }
}

/** Every input was looked at and none will do: going on would end the same way. */
function isHopeless(error: unknown): boolean {
  return error instanceof UserError && error.code === "E_INPUT_BROKEN";
}

/** Finds out now that the files can be written; their temporary names. */
function stage(outputs: Outputs, { outH5, manifest }: Target): Target {
  return { outH5: outputs.stage(outH5), manifest: outputs.stage(manifest) };
}

async function writeWork(
  work: EmbedWork,
  staged: Target,
  target: Target,
  { shard, signal }: EmbedRun,
): Promise<EmbedSummary> {
  const { plan, inputs } = work;
  const rows = inputs.map((input) => manifestRow(input, work));
  if (shard === undefined) refuseNoRows(rows);
  const failed = rows.filter(({ status }) => status === "failed").length;
  const all = plan.inputs.map(({ path }) => path);
  const attributes = { errors: failed, ...shardAttributes(shard, all) };
  const groups = groupRows(work, rows, signal);
  await writeEmbeddingGroups(staged.outH5, { encoder: plan.encoder, attributes }, groups);
  writeCsv(staged.manifest, ["path", "label", "status", "cause"], rows);
  return summarise(rows, {
    target,
    encoder: plan.encoder,
    resumed: inputs.length - work.pending.length,
    shard,
    groups: [...groups].map(([split, { paths }]) => [split, paths.length]),
  });
}

function manifestRow(input: EmbedInput, work: EmbedWork): ManifestRow {
  const { path, label } = input;
  const { embedding, cause } = work.rowOf(input);
  return {
    path,
    label,
    status: embedding === undefined ? "failed" : "ok",
    cause: causeWithoutName(cause, path),
  };
}

function refuseNoRows(rows: readonly ManifestRow[]): void {
  if (rows.some(({ status }) => status === "ok")) return;
  const causes = countBy(rows.map(({ cause }) => cause)).map(
    ([cause, count]) => `${count} × ${cause}`,
  );
  throw new UserError("E_INPUT_BROKEN", `none of the ${rows.length} inputs gave an embedding`, {
    hint: causes.join("; "),
  });
}

/** The rows that were written, by their group. Which groups there are, all inputs say, those of other shards too. */
function groupRows(
  work: EmbedWork,
  rows: readonly ManifestRow[],
  signal: AbortSignal | undefined,
): Map<Split, EmbeddingGroup> {
  const split = splitOf(work.plan.inputs.map(({ path }) => path));
  const groups = new Map<Split, EmbeddingGroup>();
  for (const name of SPLITS) {
    const members = work.inputs.filter(
      ({ path }, i) => rows[i]?.status === "ok" && split(path) === name,
    );
    if (members.length === 0) continue;
    groups.set(name, {
      labels: members.map(({ label }) => label),
      paths: members.map(({ path }) => path),
      rows: embeddingsOf(members, work, signal),
    });
  }
  return groups;
}

/** Rows between two chances for Ctrl-C. */
const ROWS_A_TURN = 256;

async function* embeddingsOf(
  inputs: readonly EmbedInput[],
  work: EmbedWork,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array, void, undefined> {
  for (const [i, input] of inputs.entries()) {
    if (i % ROWS_A_TURN === 0) await breathe(signal);
    const { embedding } = work.rowOf(input);
    if (embedding !== undefined) yield embedding;
  }
}
