import { breathe } from "@emotion-service/core/breathe";
import { UserError } from "@emotion-service/core/errors";
import type { AttributeValue } from "@emotion-service/core/hdf5/file";
import type { ShardPlace } from "@emotion-service/core/hdf5/shardAttributes";
import type { MergeH5Options } from "./mergeH5.ts";

/** What a message calls the files that are read. */
export const FLAG = "shard";

/** What a shard's file says of itself, whatever its layout is. */
export interface ShardHead {
  readonly file: string;
  /** undefined in a file that is no shard */
  readonly place: ShardPlace | undefined;
  /** What every shard of a whole has alike, by name: settings, and the shapes of the datasets. */
  readonly settings: Readonly<Record<string, AttributeValue>>;
  /** Its inputs that have no row. */
  readonly errors: number;
  /** What wrote it. */
  readonly command: "audio-preprocess" | "embed";
}

/** What each shard says of itself, read one after another. */
export async function readHeads<Head>(
  { shards, signal }: MergeH5Options,
  read: (file: string) => Promise<Head>,
): Promise<Head[]> {
  const heads: Head[] = [];
  for (const file of shards) {
    await breathe(signal);
    heads.push(await read(file));
  }
  return heads;
}

/** @throws UserError E_LAYOUT when a shard does not say how many of its inputs have no row */
export function readErrors(
  attributes: Readonly<Record<string, AttributeValue>>,
  file: string,
  command: ShardHead["command"],
): number {
  const errors = attributes["errors"];
  if (typeof errors === "number" && Number.isInteger(errors)) return errors;
  throw new UserError("E_LAYOUT", `${file}: lacks the attribute 'errors', a whole number`, {
    hint: `name only files that ${command} --shard i/n wrote`,
  });
}

/**
 * The shards of one whole in their order, each there once. A single file that is no shard is the whole by itself: a run
 * by `--shard 1/1`.
 * @throws UserError for a file that is no shard (E_LAYOUT), one of another whole (E_SETTINGS), one that is there twice
 * (E_LAYOUT) or missing (E_INPUT_MISSING)
 */
export function checkShards<Head extends ShardHead>(heads: readonly Head[]): readonly Head[] {
  if (heads.length === 1 && heads[0]?.place === undefined) return heads;
  const shards = heads.map(placed);
  const [first, ...others] = shards;
  if (first === undefined) return [];
  for (const other of others) refuseForeign(first, other);
  const inOrder = shards.toSorted((a, b) => a.place.index - b.place.index);
  refuseDoubled(inOrder);
  refuseMissing(inOrder, first.place.count, first.head.command);
  return inOrder.map(({ head }) => head);
}

interface Placed<Head> {
  readonly head: Head;
  readonly place: ShardPlace;
}

function placed<Head extends ShardHead>(head: Head): Placed<Head> {
  if (head.place !== undefined) return { head, place: head.place };
  throw new UserError(
    "E_LAYOUT",
    `${head.file}: must be a shard, lacks the attributes 'shard' (such as 2/8), 'inputs' and 'inputs_sha256'`,
    { hint: `name only files that ${head.command} --shard i/n wrote` },
  );
}

function refuseForeign(first: Placed<ShardHead>, other: Placed<ShardHead>): void {
  const [a, b] = [first.place, other.place];
  const [firstFile, file] = [first.head.file, other.head.file];
  const [firstFormat, format] = [first, other].map(({ head }) => head.settings["format"]);
  if (firstFormat !== format)
    throw new UserError(
      "E_SETTINGS",
      `${file}: must be ${firstFormat}, as ${firstFile} is, is ${format ?? "of another writer"}`,
      { hint: "merge the files of one command" },
    );
  if (a.count !== b.count)
    throw new UserError(
      "E_SETTINGS",
      `${file}: must be one of ${a.count} shards, as ${firstFile} is, is shard ${b.index}/${b.count}`,
      { hint: "merge the shards of one division: the same n in every --shard i/n" },
    );
  if (a.inputs !== b.inputs || a.inputsSha256 !== b.inputsSha256)
    throw new UserError(
      "E_SETTINGS",
      `${file}: must be of the same inputs as ${firstFile} (${inputsOf(a)}), is of others (${inputsOf(b)})`,
      { hint: "run the shards again that saw other inputs" },
    );
  const differences = differencesOf(first.head.settings, other.head.settings);
  if (differences.length > 0)
    throw new UserError(
      "E_SETTINGS",
      `${file}: made with other settings than ${firstFile}: ${differences.join("; ")}`,
      { hint: "run the shards with the same flags" },
    );
}

/** "120 files, fingerprint 3f2a91c0" */
function inputsOf({ inputs, inputsSha256 }: ShardPlace): string {
  return `${inputs} files, fingerprint ${inputsSha256.slice(0, 8)}`;
}

/** "hop_length is 256, must be 512" */
function differencesOf(
  wanted: ShardHead["settings"],
  got: ShardHead["settings"],
): readonly string[] {
  const names = [...new Set([...Object.keys(wanted), ...Object.keys(got)])];
  return names
    .filter((name) => wanted[name] !== got[name])
    .map((name) => `${name} is ${got[name] ?? "absent"}, must be ${wanted[name] ?? "absent"}`);
}

function refuseDoubled(inOrder: readonly Placed<ShardHead>[]): void {
  for (const [i, { head, place }] of inOrder.entries()) {
    const before = inOrder[i - 1];
    if (before?.place.index === place.index)
      throw new UserError(
        "E_LAYOUT",
        `shard ${place.index}/${place.count}: must be given once, is ${before.head.file} and ${head.file}`,
        { hint: "name each shard's file once, without what earlier runs left" },
      );
  }
}

/** Numbers that a message lists. */
const NUMBERS_SHOWN = 20;

function refuseMissing(
  shards: readonly Placed<ShardHead>[],
  count: number,
  command: ShardHead["command"],
): void {
  const there = new Set(shards.map(({ place }) => place.index));
  const missing = Array.from({ length: count }, (_, i) => i + 1).filter((n) => !there.has(n));
  if (missing.length === 0) return;
  const shown = missing.slice(0, NUMBERS_SHOWN).join(", ");
  const more = missing.length - NUMBERS_SHOWN;
  throw new UserError(
    "E_INPUT_MISSING",
    `<shards>: must be all ${count} of the whole, ${shown}${more > 0 ? ` and ${more} more` : ""} ${missing.length === 1 ? "is" : "are"} missing`,
    { hint: `run ${command} --shard ${missing[0]}/${count}, or name its file` },
  );
}
