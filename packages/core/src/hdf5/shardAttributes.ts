import { UserError } from "../errors.ts";
import { statOf } from "../files/listFiles.ts";
import { type Shard, inputsSha256 } from "../files/shard.ts";
import { type AttributeValue, readAttributes, readH5 } from "./file.ts";

/** The attributes of a shard's file, by which merge-h5 knows its place; none for the whole. */
export function shardAttributes(
  shard: Shard | undefined,
  inputs: readonly string[],
): Readonly<Record<string, AttributeValue>> {
  if (shard === undefined) return {};
  return {
    shard: nameOf(shard),
    inputs: inputs.length,
    inputs_sha256: inputsSha256(inputs),
  };
}

/** "2/8" */
function nameOf({ index, count }: Shard): string {
  return `${index}/${count}`;
}

/**
 * Refuses to replace one shard's file by another's: the tasks of an array may have been given the same output.
 * @throws UserError E_FLAG
 */
export async function refuseOtherShard(target: string, shard: Shard | undefined): Promise<void> {
  if (shard === undefined || statOf(target)?.isFile() !== true) return;
  const there = await readH5(target, "--out_h5", (file) => readAttributes(file)["shard"]).catch(
    () => undefined, // no HDF5 file: nobody's shard
  );
  if (there === undefined || there === nameOf(shard)) return;
  throw new UserError(
    "E_FLAG",
    `--out_h5 ${target}: holds shard ${there}, this run is shard ${nameOf(shard)}`,
    { hint: "give each shard an output of its own, such as audio_1.h5, audio_2.h5" },
  );
}
