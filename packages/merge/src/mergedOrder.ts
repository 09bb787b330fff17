import { UserError } from "@emotion-service/core/errors";

/** Paths of a shard's rows, and the file that they stand in. */
export interface ShardPaths {
  readonly file: string;
  readonly paths: readonly string[];
}

/** A row of the whole. */
export interface MergedRow {
  readonly path: string;
  /** The shard that has it, from 0. */
  readonly shard: number;
}

/**
 * The rows of the whole in the order of their paths by code unit, in which one run would write them.
 * @throws UserError E_LAYOUT when the rows of a shard are in another order, or a path stands in two
 */
export function mergedOrder(shards: readonly ShardPaths[]): readonly MergedRow[] {
  for (const shard of shards) refuseOutOfOrder(shard);
  const rows = shards.flatMap(({ paths }, shard) => paths.map((path) => ({ path, shard })));
  rows.sort((a, b) => (a.path < b.path ? -1 : 1));
  for (const [i, row] of rows.entries()) refuseTwice(rows[i - 1], row, shards);
  return rows;
}

function refuseOutOfOrder({ file, paths }: ShardPaths): void {
  for (const [i, path] of paths.entries()) {
    const before = paths[i - 1];
    if (before !== undefined && before > path)
      throw new UserError(
        "E_LAYOUT",
        `${file}: its rows must be in the order of their paths, has '${before}' before '${path}'`,
        { hint: "the file was made by hand; make it again with --shard" },
      );
  }
}

function refuseTwice(
  before: MergedRow | undefined,
  row: MergedRow,
  shards: readonly ShardPaths[],
): void {
  if (before?.path !== row.path) return;
  const [first, second] = [before, row].map(({ shard }) => shards[shard]?.file ?? "");
  throw new UserError(
    "E_LAYOUT",
    `'${row.path}': must have one row, has one in ${first} and one in ${second}`,
    { hint: "run these shards again, on the same files" },
  );
}
