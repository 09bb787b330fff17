import { UserError } from "@emotion-service/core/errors";
import { type CsvRow, readCsvTable } from "@emotion-service/core/files/manifest";
import type { ShardPaths } from "./mergedOrder.ts";

export interface Manifest {
  readonly columns: readonly string[];
  /** A line for every input, in the order of the paths. */
  readonly lines: readonly CsvRow[];
}

/** A line, and the file that it stands in. */
interface Line {
  readonly file: string;
  readonly path: string;
  readonly row: CsvRow;
}

/**
 * The manifests of shards as the one that one run would have written.
 * @param shards what has a row
 * @param inputs files of all shards together
 * @throws UserError when one is missing or doubled, or is of another run
 */
export function mergeManifests(
  files: readonly string[],
  shards: readonly ShardPaths[],
  inputs: number,
): Manifest {
  const tables = files.map((file) => ({ file, ...readCsvTable(file, "--manifests", ["path"]) }));
  const columns = requireSameColumns(tables);
  const lines = tables.flatMap(({ file, rows }) =>
    rows.map((row, i): Line => ({ file, path: pathOf(row, columns, file, i), row })),
  );
  lines.sort((a, b) => (a.path < b.path ? -1 : 1));
  refuseDoubled(lines);
  requireLines(lines, shards, inputs);
  return { columns, lines: lines.map(({ row }) => row) };
}

function requireSameColumns(
  tables: readonly { readonly file: string; readonly columns: readonly string[] }[],
): readonly string[] {
  const [first] = tables;
  const wanted = first?.columns ?? [];
  for (const { file, columns } of tables)
    if (columns.join() !== wanted.join())
      throw new UserError(
        "E_SETTINGS",
        `--manifests ${file}: must have the columns of ${first?.file} (${wanted.join(", ")}), has ${columns.join(", ")}`,
        { hint: "merge the manifests of one run's shards" },
      );
  return wanted;
}

/** The path of a line that has a field for each column. */
function pathOf(row: CsvRow, columns: readonly string[], file: string, index: number): string {
  const fields = Object.keys(row).length;
  if (fields === columns.length) return row["path"] ?? "";
  throw new UserError(
    "E_LAYOUT",
    `--manifests ${file}: row ${index + 1} must have ${columns.length} fields, has ${fields < columns.length ? fields : "more"}`,
    { hint: "the file is cut short or was changed by hand; run its shard again" },
  );
}

function refuseDoubled(lines: readonly Line[]): void {
  for (const [i, line] of lines.entries()) {
    const before = lines[i - 1];
    if (before?.path === line.path)
      throw new UserError(
        "E_LAYOUT",
        `--manifests: '${line.path}' must have one line, has one in ${before.file} and one in ${line.file}`,
        { hint: "name each shard's manifest once" },
      );
  }
}

/** Throws unless there is a line for every input, and the files that did not fail are those that have a row. */
function requireLines(lines: readonly Line[], shards: readonly ShardPaths[], inputs: number): void {
  const byPath = new Map(lines.map((line) => [line.path, line]));
  const rowFiles = new Map(shards.flatMap(({ file, paths }) => paths.map((path) => [path, file])));
  for (const [path, file] of rowFiles)
    if (!byPath.has(path))
      throw new UserError(
        "E_INPUT_MISSING",
        `--manifests: must have a line for '${path}' of ${file}`,
        {
          hint: "name the manifest of that shard too",
        },
      );
  if (lines.length !== inputs)
    throw new UserError(
      "E_LAYOUT",
      `--manifests: must have a line for each of the ${inputs} inputs, have ${lines.length}`,
      { hint: "name the manifest of every shard, and no other" },
    );
  for (const { file, path, row } of lines) {
    const isWritten = row["status"] !== "failed";
    if (isWritten === rowFiles.has(path)) continue;
    throw new UserError(
      "E_SETTINGS",
      `--manifests ${file}: says of '${path}' that it is ${row["status"]}, and ${rowFiles.get(path) ?? "no shard"} has a row of it`,
      { hint: "name the manifests that the runs of these shards wrote" },
    );
  }
}
