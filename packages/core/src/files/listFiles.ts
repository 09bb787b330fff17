import { type Dirent, type Stats, readdirSync, realpathSync, statSync } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "../errors.ts";

export const AUDIO_EXTENSIONS: readonly string[] = [
  ".wav",
  ".wave",
  ".aif",
  ".aiff",
  ".au",
  ".flac",
  ".mp3",
  ".ogg",
  ".oga",
  ".opus",
  ".m4a",
  ".aac",
  ".wma",
  ".webm",
  ".amr",
];
export const IMAGE_EXTENSIONS: readonly string[] = [
  ".jpg",
  ".jpeg",
  ".png",
  ".webp",
  ".gif",
  ".tif",
  ".tiff",
  ".avif",
];
export const VIDEO_EXTENSIONS: readonly string[] = [
  ".mp4",
  ".mov",
  ".mkv",
  ".avi",
  ".webm",
  ".m4v",
  ".flv",
  ".mpg",
  ".mpeg",
  ".ts",
  ".mts",
  ".m2ts",
  ".wmv",
  ".3gp",
  ".ogv",
];

/** How the system says that nothing is at a path: not there, below a file, a link to itself, a name that cannot be. */
const NOTHING_THERE = ["ENOENT", "ENOTDIR", "ELOOP", "ENAMETOOLONG"];

/** What is at `path` (links followed), or undefined where nothing is. */
export function statOf(path: string): Stats | undefined {
  try {
    return statSync(path);
  } catch (error) {
    if (error instanceof Error && "code" in error && NOTHING_THERE.includes(String(error.code)))
      return undefined;
    throw error;
  }
}

/** Throws unless `path` is a folder that exists; `flag` names where it came from. */
export function requireFolder(path: string, flag: string): void {
  const stat = statOf(path);
  if (stat === undefined)
    throw new UserError("E_INPUT_MISSING", `${flag} ${path}: no such folder`, {
      hint: "check the spelling; a relative path starts at the folder the command runs in",
    });
  if (!stat.isDirectory())
    throw new UserError("E_INPUT_MISSING", `${flag} ${path}: must be a folder, is a file`, {
      hint: "name the folder that holds the file",
    });
}

/** Throws unless `path` is a file that exists; `flag` names where it came from. */
export function requireFile(path: string, flag: string): void {
  const stat = statOf(path);
  if (stat === undefined)
    throw new UserError("E_INPUT_MISSING", `${flag} ${path}: no such file`, {
      hint: "check the spelling; a relative path starts at the folder the command runs in",
    });
  if (stat.isDirectory())
    throw new UserError("E_INPUT_MISSING", `${flag} ${path}: must be a file, is a folder`);
}

/**
 * Relative paths ("/" between folders) of the files below `folder` whose extension is in `extensions`,
 * sorted by code unit: the row order of every file that we write. Names that start with "." are passed over.
 */
export function listFiles(folder: string, extensions: readonly string[], flag: string): string[] {
  requireFolder(folder, flag);
  const wanted = new Set(extensions);
  const found: string[] = [];
  const above = new Set<string>(); // the folders around the one being visited: a link may lead back to one
  const visit = (relative: string): void => {
    const real = realpathSync(join(folder, relative));
    if (above.has(real)) return;
    above.add(real);
    for (const entry of readFolder(join(folder, relative))) {
      if (entry.name.startsWith(".")) continue;
      const path = relative === "" ? entry.name : `${relative}/${entry.name}`;
      const stat = entry.isSymbolicLink() ? statOf(join(folder, path)) : entry;
      if (stat?.isDirectory() === true) visit(path);
      else if (stat?.isFile() === true && wanted.has(extensionOf(path))) found.push(path);
    }
    above.delete(real);
  };
  visit("");
  if (found.length === 0)
    throw new UserError(
      "E_INPUT_EMPTY",
      `${flag} ${folder}: holds no file that ends in ${extensions.join(" ")}`,
      { hint: "name the folder that holds the files; folders below it are searched too" },
    );
  return found.sort((a, b) => (a < b ? -1 : 1));
}

function readFolder(path: string): Dirent[] {
  try {
    return readdirSync(path, { withFileTypes: true });
  } catch (error) {
    throw new UserError("E_INPUT_MISSING", `${path}: cannot be read (${causeOf(error)})`, {
      hint: "allow reading of the folder, or take it away",
      cause: error,
    });
  }
}

/** ".wav" of "a/B.WAV"; "" where there is none. */
export function extensionOf(path: string): string {
  return /\.[^./]+$/.exec(path)?.[0].toLowerCase() ?? "";
}

/** The file's name without folders and extension. */
export function stemOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1).replace(/\.[^.]+$/, "");
}
