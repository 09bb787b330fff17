import { dirname, isAbsolute, join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import {
  AUDIO_EXTENSIONS,
  IMAGE_EXTENSIONS,
  VIDEO_EXTENSIONS,
  extensionOf,
} from "@emotion-service/core/files/listFiles";
import { type CsvRow, readCsvTable } from "@emotion-service/core/files/manifest";
import type { Input } from "@emotion-service/core/predict/scoreInput";

const KINDS = ["video", "image", "audio"] as const;
type Kind = (typeof KINDS)[number];

/** What a file is by its ending; .webm is taken for a video, whose picture may be missing. */
const EXTENSIONS: readonly (readonly [Kind, readonly string[]])[] = [
  ["video", VIDEO_EXTENSIONS],
  ["image", IMAGE_EXTENSIONS],
  ["audio", AUDIO_EXTENSIONS],
];

/**
 * The inputs that a CSV file names, a row each, in its order: by a column `path`, whose endings tell what the files are, or by the
 * columns `image`, `audio`, `video`. A relative path starts at the manifest's folder; other columns do not matter.
 * @throws UserError when it is missing, lacks these columns, has no row, or has one that names no input
 */
export function readManifest(file: string): Input[] {
  const { columns, rows, lines } = readCsvTable(file, "--manifest", []);
  const refuse = (what: string, hint: string): never => {
    throw new UserError("E_LAYOUT", `--manifest ${file}: ${what}`, { hint });
  };
  const kinds = KINDS.filter((kind) => columns.includes(kind));
  const hasPath = columns.includes("path");
  if (hasPath === kinds.length > 0)
    refuse(
      `must have the column path, or some of image, audio, video; has ${columns.join(", ") || "none"}`,
      "its first line must name the columns",
    );
  if (rows.length === 0)
    throw new UserError("E_INPUT_EMPTY", `--manifest ${file}: has no row below its first line`);
  return rows.map((row, i) => {
    const input = hasPath ? inputByPath(row) : inputByKinds(row, kinds);
    if (typeof input === "string") return refuse(`line ${lines[i] ?? 0}: ${input}`, LINE_HINT);
    return inFolder(input, dirname(file));
  });
}

const LINE_HINT = "mend the line, or take it away";

/** The input, or why the row names none. */
function inputByPath(row: CsvRow): Input | string {
  const path = cellOf(row, "path");
  if (path === "") return "path is empty";
  const ending = extensionOf(path);
  const [kind] = EXTENSIONS.find(([, extensions]) => extensions.includes(ending)) ?? [];
  if (kind === undefined)
    return `the ending of '${path}' does not tell what it is: name it in a column image, audio or video`;
  return { [kind]: path };
}

function inputByKinds(row: CsvRow, kinds: readonly Kind[]): Input | string {
  const given = kinds.filter((kind) => cellOf(row, kind) !== "");
  if (given.length === 0) return `${kinds.join(", ")}: nothing is named`;
  if (given.includes("video") && given.length > 1)
    return "names a video and another file: a video brings its own faces and sound";
  return Object.fromEntries(given.map((kind) => [kind, cellOf(row, kind)]));
}

function cellOf(row: CsvRow, column: string): string {
  return row[column]?.trim() ?? "";
}

function inFolder(input: Input, folder: string): Input {
  return Object.fromEntries(
    Object.entries(input).map(([kind, path]: [string, string]) => [
      kind,
      isAbsolute(path) ? path : join(folder, path),
    ]),
  );
}
