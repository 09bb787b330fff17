import { UserError } from "@emotion-service/core/errors";
import { writeCsv } from "@emotion-service/core/files/manifest";
import { withOutputs } from "@emotion-service/core/files/outputs";
import { inputsSha256 } from "@emotion-service/core/files/shard";
import type { ShardHead } from "./checkShards.ts";
import type { MergeH5Options } from "./mergeH5.ts";
import { mergeManifests } from "./mergeManifests.ts";
import type { ShardPaths } from "./mergedOrder.ts";
import { type MergeSummary, summarise } from "./summary.ts";

/** All shards of a whole together, whatever they hold. */
export interface Whole {
  readonly heads: readonly ShardHead[];
  /** Paths of the rows of each shard. */
  readonly shards: readonly ShardPaths[];
  /** All rows in the order of their paths. */
  readonly order: readonly { readonly path: string }[];
  /** Of all rows, in any order. */
  readonly labels: readonly string[];
}

/**
 * Checks that the shards are all of a whole, and writes it and its manifest, both or neither.
 * @param write writes the HDF5 file; is told how many inputs have no row
 */
export async function writeWhole(
  { heads, shards, order, labels }: Whole,
  { outH5, manifests }: MergeH5Options,
  write: (h5: string, errors: number) => Promise<void>,
): Promise<MergeSummary> {
  const errors = heads.reduce((sum, head) => sum + head.errors, 0);
  const inputs = requireInputs(heads, order, errors);
  const manifest = manifests && mergeManifests(manifests.files, shards, inputs);
  if (manifest !== undefined) requireFingerprint(heads, manifest.lines, "--manifests");
  await withOutputs(async (outputs) => {
    const h5 = outputs.stage(outH5);
    const csv = manifests && outputs.stage(manifests.out);
    await write(h5, errors);
    if (csv !== undefined && manifest !== undefined)
      writeCsv(csv, manifest.columns, manifest.lines);
  });
  return summarise(labels, {
    outH5,
    outManifest: manifests?.out,
    shards: heads.length,
    errors,
  });
}

/** The number of inputs of the whole: each has a row or has failed. */
function requireInputs(
  heads: readonly ShardHead[],
  order: readonly { readonly path: string }[],
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
  heads: readonly ShardHead[],
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
