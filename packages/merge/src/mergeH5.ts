import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { writeCsv } from "@emotion-service/core/files/manifest";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { inputsSha256 } from "@emotion-service/core/files/shard";
import type { FeatureRow } from "@emotion-service/core/hdf5/preprocessedAudio";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { type AudioHead, type AudioShard, readAudioHead, withAudioShards } from "./audioShards.ts";
import { checkShards } from "./checkShards.ts";
import { giveWay } from "./giveWay.ts";
import { mergeManifests } from "./mergeManifests.ts";
import { type MergedRow, type ShardPaths, mergedOrder } from "./mergedOrder.ts";
import { type MergeSummary, summarise } from "./summary.ts";

export interface MergeH5Options {
  /** The files of all shards, in any order. */
  readonly shards: readonly string[];
  readonly outH5: string;
  /** The manifests of all shards, and the whole one to write. */
  readonly manifests?: { readonly files: readonly string[]; readonly out: string } | undefined;
  readonly batchRows: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The files of `audio-preprocess --shard` → the file that one run would have written, with the same `batchRows` to the
 * byte; and their manifests likewise. Whole or absent.
 */
export async function mergeH5(options: MergeH5Options): Promise<MergeSummary> {
  const { outH5, manifests } = options;
  refuseReplacing(
    [outH5, ...(manifests === undefined ? [] : [manifests.out])],
    [...options.shards, ...(manifests?.files ?? [])],
  );
  const heads = checkShards(await readHeads(options));
  const errors = heads.reduce((sum, head) => sum + head.errors, 0);
  return withAudioShards(heads, options.signal, async (shards) => {
    const paths = shards.map((shard): ShardPaths => ({
      file: shard.head.file,
      paths: shard.paths,
    }));
    const order = mergedOrder(paths);
    const inputs = requireInputs(heads, order, errors);
    const manifest = manifests && mergeManifests(manifests.files, paths, inputs);
    if (manifest !== undefined) requireFingerprint(heads, manifest.lines, "--manifests");
    await withOutputs(async (outputs) => {
      const h5 = outputs.stage(outH5);
      const csv = manifests && outputs.stage(manifests.out);
      await writeRows(h5, shards, order, { ...options, errors });
      if (csv !== undefined && manifest !== undefined)
        writeCsv(csv, manifest.columns, manifest.lines);
    });
    return summarise(shards, { outH5, outManifest: manifests?.out, errors });
  });
}

async function readHeads({ shards, signal }: MergeH5Options): Promise<AudioHead[]> {
  const heads: AudioHead[] = [];
  for (const file of shards) {
    await giveWay(signal);
    heads.push(await readAudioHead(file));
  }
  return heads;
}

/** The number of inputs of the whole: each has a row or has failed. */
function requireInputs(
  heads: readonly AudioHead[],
  order: readonly MergedRow[],
  errors: number,
): number {
  const rows = order.length;
  const inputs = heads[0]?.place?.inputs ?? rows + errors;
  if (rows + errors !== inputs)
    throw new UserError(
      "E_LAYOUT",
      `<shards>: their rows and failed files must be the ${inputs} inputs, are ${rows} and ${errors}`,
      { hint: "a file was changed by hand; run its shard again" },
    );
  if (rows === 0)
    throw new UserError("E_INPUT_EMPTY", `<shards>: none of their ${inputs} inputs has a row`, {
      hint: "their manifests say why each file failed",
    });
  if (errors === 0) requireFingerprint(heads, order, "<shards>");
  return inputs;
}

/** Throws unless these are all inputs of which the shards are. */
function requireFingerprint(
  heads: readonly AudioHead[],
  sorted: readonly { readonly path?: string }[],
  what: string,
): void {
  const place = heads[0]?.place;
  const found = inputsSha256(sorted.map(({ path = "" }) => path));
  if (place === undefined || place.inputsSha256 === found) return;
  throw new UserError(
    "E_LAYOUT",
    `${what}: the paths in them must be the inputs of which the shards are (fingerprint ${place.inputsSha256.slice(0, 8)}), are others (${found.slice(0, 8)})`,
    { hint: "a file is of another run or was changed by hand; run its shard again" },
  );
}

/** Rows between two chances for Ctrl-C. */
const ROWS_A_TURN = 64;

/** Writes the rows of the shards in this order, then what is said of the whole. */
async function writeRows(
  path: string,
  shards: readonly AudioShard[],
  order: readonly MergedRow[],
  run: Pick<MergeH5Options, "batchRows" | "onProgress" | "signal"> & { readonly errors: number },
): Promise<void> {
  const [first] = shards;
  if (first === undefined) return;
  const { config, extras, head } = first;
  const { compression, audioDir, attributes } = head;
  const { batchRows, errors } = run;
  const rows = shards.map((shard) => shard.rows[Symbol.iterator]());
  const writer = await createFeatureWriter(path, { config, extras, batchRows, compression });
  try {
    for (const [done, { shard }] of order.entries()) {
      if (done % ROWS_A_TURN === 0) await giveWay(run.signal);
      writer.add(rows[shard]?.next().value as FeatureRow);
      run.onProgress?.(done + 1, order.length, "rows");
    }
    writer.finish({ audioDir, errors, attributes });
  } finally {
    writer.close();
  }
}
