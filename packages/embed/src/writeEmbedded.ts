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
  const rowsOf = inputs.map((input) => manifestRows(input, work));
  const rows = rowsOf.flat();
  if (shard === undefined) refuseNoRows(rows);
  const failed = rows.filter(({ status }) => status === "failed").length;
  const all = plan.inputs.map(({ path }) => path);
  const attributes = { errors: failed, ...shardAttributes(shard, all) };
  const groups = groupRows(work, rowsOf, signal);
  await writeEmbeddingGroups(staged.outH5, { encoder: plan.encoder, attributes }, groups);
  const boxColumns = plan.allFaces === true ? BOX_COLUMNS : [];
  writeCsv(staged.manifest, ["path", "label", "status", "cause", ...boxColumns], rows);
  return summarise(rows, {
    inputs: inputs.length,
    target,
    encoder: plan.encoder,
    resumed: inputs.length - work.pending.length,
    shard,
    groups: [...groups].map(([split, { paths }]) => [split, paths.length]),
  });
}

/** Columns of the manifest where a row is a face: where it is in its picture, pixels. */
const BOX_COLUMNS = ["x", "y", "width", "height"] as const;

/** One row for an input, or one for each of its faces. */
function manifestRows(input: EmbedInput, work: EmbedWork): ManifestRow[] {
  const { path, label } = input;
  const { embedding, cause, boxes } = work.rowOf(input);
  if (embedding === undefined)
    return [{ path, label, status: "failed", cause: causeWithoutName(cause, path) }];
  if (work.plan.allFaces !== true) return [{ path, label, status: "ok", cause: "" }];
  return boxes.map(([x, y, width, height], i) => ({
    path: `${path}#${String(i + 1).padStart(2, "0")}`, // in the order of the paths: 10 comes after 09
    label,
    status: "ok",
    cause: "",
    x,
    y,
    width,
    height,
  }));
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
  rowsOf: readonly (readonly ManifestRow[])[],
  signal: AbortSignal | undefined,
): Map<Split, EmbeddingGroup> {
  const split = splitOf(work.plan.inputs.map(({ path }) => path));
  const groups = new Map<Split, EmbeddingGroup>();
  for (const name of SPLITS) {
    const members = work.inputs
      .map((input, i) => ({ input, rows: rowsOf[i] ?? [] }))
      .filter(({ input, rows }) => rows[0]?.status === "ok" && split(input.path) === name);
    if (members.length === 0) continue;
    const rows = members.flatMap((member) => member.rows);
    groups.set(name, {
      labels: rows.map(({ label }) => label),
      paths: rows.map(({ path }) => path),
      rows: embeddingsOf(
        members.map(({ input }) => input),
        work,
        signal,
      ),
    });
  }
  return groups;
}

const NONE = new Float32Array(0);
/** Rows between two chances for Ctrl-C. */
const ROWS_A_TURN = 256;

async function* embeddingsOf(
  inputs: readonly EmbedInput[],
  work: EmbedWork,
  signal: AbortSignal | undefined,
): AsyncGenerator<Float32Array, void, undefined> {
  const { dim } = work.plan.encoder;
  for (const [i, input] of inputs.entries()) {
    if (i % ROWS_A_TURN === 0) await breathe(signal);
    const { embedding = NONE } = work.rowOf(input);
    for (let at = 0; at < embedding.length; at += dim) yield embedding.subarray(at, at + dim);
  }
}
