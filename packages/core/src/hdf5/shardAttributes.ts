import { UserError } from "../errors.ts";
import { statOf } from "../files/listFiles.ts";
import { type Shard, inputsSha256 } from "../files/shard.ts";
import { type AttributeValue, readAttributes, readH5 } from "./file.ts";

/** What a shard's file says of its place in the whole. */
export interface ShardPlace {
  /** from 1 */
  readonly index: number;
  /** shards of the whole */
  readonly count: number;
  /** files of the whole */
  readonly inputs: number;
  /** fingerprint of the whole's sorted paths */
  readonly inputsSha256: string;
}

/** The names of what {@link shardAttributes} gives. */
export const SHARD_ATTRIBUTES = ["shard", "inputs", "inputs_sha256"] as const;

type Attributes = Readonly<Record<string, AttributeValue>>;

/** The attributes of a shard's file, by which merge-h5 knows its place; none for the whole. */
export function shardAttributes(shard: Shard | undefined, inputs: readonly string[]): Attributes {
  if (shard === undefined) return {};
  return {
    shard: nameOf(shard),
    inputs: inputs.length,
    inputs_sha256: inputsSha256(inputs),
  };
}

/** The inverse of {@link shardAttributes}; undefined where they are not those of a shard. */
export function shardPlaceFrom(attributes: Attributes): ShardPlace | undefined {
  const [, index, count] = /^([1-9]\d*)\/([1-9]\d*)$/.exec(String(attributes["shard"])) ?? [];
  const inputs = attributes["inputs"];
  const inputsHash = attributes["inputs_sha256"];
  const isShard =
    Number(index) <= Number(count) && Number.isInteger(inputs) && typeof inputsHash === "string";
  if (!isShard) return undefined;
  return {
    index: Number(index),
    count: Number(count),
    inputs: Number(inputs),
    inputsSha256: inputsHash,
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
