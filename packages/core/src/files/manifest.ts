import { readFileSync, writeFileSync } from "node:fs";
import Papa from "papaparse";
import { UserError } from "../errors.ts";
import { requireFile } from "./listFiles.ts";
import { outputError } from "./outputs.ts";
import { createTextWriter } from "./textWriter.ts";

/**
 * Writes rows as CSV (RFC 4180, UTF-8, a header line) with the given columns; undefined becomes an empty field.
 * @throws UserError E_OUTPUT when it cannot be written: the disk is full
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
  try {
    writeFileSync(path, `${text}\n`);
  } catch (error) {
    throw outputError(path, error);
  }
}

/** A CSV file that is written line by line. */
export interface CsvWriter {
  /** Adds a line. */
  write(fields: readonly (string | number)[]): void;
  /** Writes what is held, and closes the file. */
  close(): void;
}

/**
 * Starts a CSV file as {@link writeCsv} writes one, whose rows need not be held at once.
 * @throws UserError E_OUTPUT, from any of its functions, when it cannot be written: the disk is full
 */
export function createCsvWriter(path: string, columns: readonly string[]): CsvWriter {
  const text = createTextWriter(path);
  const write = (fields: readonly (string | number)[]): void =>
    text.write(`${Papa.unparse([fields], { newline: "\n" })}\n`);
  write(columns);
  return { write, close: () => text.close() };
}

/**
 * The rows of a CSV file with a header line, by column; `flag` names where the path came from.
 * @throws UserError when the file is missing or its header lacks one of `columns`.
 */
export function readCsv(path: string, flag: string, columns: readonly string[]): CsvRow[] {
  return readCsvTable(path, flag, columns).rows;
}

/** A line of a CSV file by column; a line that is cut short lacks the last ones. */
export type CsvRow = Partial<Record<string, string>>;

/** A CSV file with a header line. */
export interface CsvTable {
  /** The columns that the header line names. */
  readonly columns: string[];
  readonly rows: CsvRow[];
  /** The line of the file where each row begins, from 1; empty lines count. */
  readonly lines: number[];
}

/** As {@link readCsv}, with the columns and where the rows stand. */
export function readCsvTable(path: string, flag: string, columns: readonly string[]): CsvTable {
  requireFile(path, flag);
  // Papa counts an empty last line against the separator that it guesses: ";" of two columns is not seen then.
  const text = readFileSync(path, "utf8").replace(/^\uFEFF/, "").replace(/[\r\n]+$/, ""); // prettier-ignore
  const above = /^(?:[ \t]*\r?\n)*/.exec(text)?.[0] ?? "";
  const { data, meta } = Papa.parse<CsvRow>(text.slice(above.length), { header: true });
  const there = meta.fields ?? [];
  for (const column of columns)
    if (!there.includes(column))
      throw new UserError(
        "E_LAYOUT",
        `${flag} ${path}: lacks the column '${column}' (it has: ${there.join(", ") || "none"})`,
        { hint: `its first line must name the columns ${columns.join(",")}` },
      );
  return { columns: there, ...withoutEmptyLines(data, 2 + lineBreaksIn(above)) };
}

/** The rows of lines that are not empty, and their line numbers; `line` is that of the first. */
function withoutEmptyLines(
  data: readonly CsvRow[],
  line: number,
): Pick<CsvTable, "rows" | "lines"> {
  const rows: CsvRow[] = [];
  const lines: number[] = [];
  for (const row of data) {
    const cells = Object.values(row);
    if (cells.length > 1 || cells[0] !== "") {
      rows.push(row);
      lines.push(line);
    }
    line += 1 + lineBreaksIn(cells.join(""));
  }
  return { rows, lines };
}

function lineBreaksIn(text: string): number {
  return text.split("\n").length - 1;
}

/** Counts of equal strings, most frequent first, ties by name: the causes of failed files, the rows of a label. */
export function countBy(values: Iterable<string>): [value: string, count: number][] {
  const counts = new Map<string, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

/** "happy 12, sad 7" */
export function listCounts(counts: Readonly<Record<string, number>>): string {
  return Object.entries(counts)
    .map(([name, count]) => `${name} ${count}`)
    .join(", ");
}

/** A cause without the name of its own file, so that equal causes count as one. */
export function causeWithoutName(cause: string, path: string): string {
  const at = cause.indexOf(`${path}: `);
  return at === -1 ? cause : cause.slice(at + path.length + 2);
}
