import { writeFileSync } from "node:fs";
import Papa from "papaparse";

/**
 * Writes rows as CSV (RFC 4180, UTF-8, a header line) with the given columns; undefined becomes an empty field.
 */
export function writeCsv<Row extends object>(
  path: string,
  columns: readonly (keyof Row & string)[],
  rows: readonly Row[],
): void {
  const text = Papa.unparse(
    { fields: [...columns], data: rows.map((row) => columns.map((column) => row[column] ?? "")) },
    { newline: "\n" },
  );
  writeFileSync(path, `${text}\n`);
}

/** Counts of equal strings, most frequent first, ties by name: the causes of failed files, the rows of a label. */
export function countBy(values: Iterable<string>): [value: string, count: number][] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
