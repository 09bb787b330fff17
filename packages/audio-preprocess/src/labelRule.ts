import { UserError } from "@emotion-service/core/errors";
import { countBy, readCsv } from "@emotion-service/core/files/manifest";
import {
  EMOTIONS,
  type FileFacts,
  LABEL_RULES,
  UNKNOWN_LABEL,
  canonicalEmotion,
  factsOf,
} from "@emotion-service/core/labels";

const CSV_PREFIX = "csv:";
/** Words of a label column that are shown when they are no emotion. */
const WORDS_SHOWN = 5;

/** What `--labels` says of the files. */
export interface LabelReader {
  /** Label and speaker of a file by its path, relative to --audio_dir. */
  readonly factsOf: (path: string) => FileFacts;
  /** A line for each way in which a CSV does not fit the files; none by another rule. */
  readonly notes: readonly string[];
}

/**
 * Reads labels by `--labels`: a rule's name, or csv:FILE with the columns path (relative to the audio folder), label and,
 * if it likes, speaker. The speaker is the CSV's, else the file name's, whatever the rule.
 * @throws UserError when the rule is not known, or the CSV lacks a column, contradicts itself or names none of `paths`
 */
export function createLabelReader(rule: string, paths: readonly string[]): LabelReader {
  if (rule.startsWith(CSV_PREFIX)) return readerByCsv(rule.slice(CSV_PREFIX.length), paths);
  const named = LABEL_RULES.find((name) => name === rule);
  if (named === undefined)
    throw new UserError(
      "E_FLAG",
      `--labels ${rule}: must be ${LABEL_RULES.join(", ")} or ${CSV_PREFIX}FILE`,
    );
  return {
    factsOf: (path) => ({ label: factsOf(path, named).label, speaker: factsOf(path).speaker }),
    notes: [],
  };
}

/**
 * The line that counts the rows without a label, and says where `--labels` looked for one; undefined when all have one.
 */
export function unknownNote(
  rows: readonly { readonly path: string; readonly label: string }[],
  rule: string,
): string | undefined {
  const unknown = rows.filter(({ label }) => label === UNKNOWN_LABEL);
  if (unknown.length === 0) return undefined;
  const count = `label unknown: ${unknown.length} of ${counted(rows.length, "file")}`;
  const cure = rule.startsWith(CSV_PREFIX) ? "" : ` (--labels ${CSV_PREFIX}FILE names them)`;
  return `${count}, such as '${unknown[0]?.path ?? ""}': no emotion in ${placeOf(rule)}${cure}`;
}

/** Where a rule looks for the emotion. */
function placeOf(rule: string): string {
  if (rule.startsWith(CSV_PREFIX)) return rule.slice(CSV_PREFIX.length);
  if (rule === "auto") return "the name of the file or its folders";
  return rule === "folder" ? "the names of its folders" : `a file name of ${rule}`;
}

/** What a CSV says of one path. */
interface CsvEntry extends FileFacts {
  /** The label as written, trimmed. */
  readonly word: string;
  /** From 1, the header not counted. */
  readonly row: number;
}

function readerByCsv(file: string, paths: readonly string[]): LabelReader {
  const entries = readLabelCsv(file);
  const entryOf = (path: string): CsvEntry | undefined => entries.get(pathKey(path));
  requireSomeFile(file, entries, paths);
  return {
    factsOf: (path) => ({
      label: entryOf(path)?.label ?? UNKNOWN_LABEL,
      speaker: entryOf(path)?.speaker ?? factsOf(path).speaker,
    }),
    notes: csvNotes(entries, paths).map((note) => `${file}: ${note}`),
  };
}

/** Entry by path; a path may stand in several rows that agree. */
function readLabelCsv(file: string): ReadonlyMap<string, CsvEntry> {
  const entries = new Map<string, CsvEntry>();
  for (const [index, cells] of readCsv(file, "--labels", ["path", "label"]).entries()) {
    const path = pathKey(cells["path"] ?? "");
    const entry = readEntry(cells, index + 1);
    const before = entries.get(path);
    if (before === undefined) entries.set(path, entry);
    else requireAgreement(file, path, before, entry);
  }
  return entries;
}

function readEntry(cells: Partial<Record<string, string>>, row: number): CsvEntry {
  const word = cells["label"]?.trim() ?? "";
  const speaker = cells["speaker"]?.trim() ?? "";
  const label = canonicalEmotion(word) ?? UNKNOWN_LABEL;
  return { word, label, speaker: speaker === "" ? undefined : speaker, row };
}

/** One spelling of a path: "/" between folders, no "./" in front, accents composed. */
function pathKey(path: string): string {
  return path
    .replaceAll("\\", "/")
    .replace(/^(?:\.\/+)+/, "")
    .normalize();
}

function requireAgreement(file: string, path: string, before: CsvEntry, entry: CsvEntry): void {
  const sameLabel = before.label === entry.label;
  if (sameLabel && before.speaker === entry.speaker) return;
  const [thing, first, second] = sameLabel
    ? ["speaker", before.speaker ?? "", entry.speaker ?? ""]
    : ["label", before.word, entry.word];
  throw new UserError(
    "E_LAYOUT",
    `--labels ${file}: '${path}' must have one ${thing}, has '${first}' in row ${before.row} and '${second}' in row ${entry.row}`,
    { hint: "keep the row that is right" },
  );
}

function requireSomeFile(
  file: string,
  entries: ReadonlyMap<string, CsvEntry>,
  paths: readonly string[],
): void {
  if (paths.some((path) => entries.has(pathKey(path)))) return;
  const [first] = entries.keys();
  if (first === undefined)
    throw new UserError("E_LAYOUT", `--labels ${file}: must have a row for each file, has none`);
  throw new UserError(
    "E_LAYOUT",
    `--labels ${file}: none of its ${entries.size} paths, such as '${first}', is one of the ${paths.length} audio files, such as '${paths[0] ?? ""}'`,
    { hint: "its paths must be relative to --audio_dir, with / between folders" },
  );
}

/** How a CSV does not fit the files: paths that lead nowhere, words that are no emotion, files that it does not name. */
function csvNotes(entries: ReadonlyMap<string, CsvEntry>, paths: readonly string[]): string[] {
  const keys = new Set(paths.map(pathKey));
  const strays = [...entries.keys()].filter((path) => !keys.has(path));
  const left = paths.filter((path) => !entries.has(pathKey(path)));
  const notes: string[] = [];
  if (strays.length > 0)
    notes.push(
      `${strays.length} of its ${counted(entries.size, "path")} ${isOrAre(strays.length)} no file of --audio_dir, such as '${strays[0]}'`,
    );
  const words = strangeWords([...entries.values()]);
  if (words !== undefined) notes.push(words);
  if (left.length > 0)
    notes.push(
      `${left.length} of the ${counted(paths.length, "file")} of --audio_dir ${isOrAre(left.length)} not in it, such as '${left[0]}'`,
    );
  return notes;
}

/** "'bored' (3 rows) is no emotion; known: angry, …"; an empty label and `unknown` say so themselves. */
function strangeWords(entries: readonly CsvEntry[]): string | undefined {
  const strange = entries.filter(
    ({ label, word }) =>
      label === UNKNOWN_LABEL && word !== "" && word.toLowerCase() !== UNKNOWN_LABEL,
  );
  const words = countBy(strange.map(({ word }) => word));
  if (words.length === 0) return undefined;
  const shown = words
    .slice(0, WORDS_SHOWN)
    .map(([word, rows]) => `'${word}' (${counted(rows, "row")})`);
  if (words.length > WORDS_SHOWN) shown.push(`${words.length - WORDS_SHOWN} more`);
  return `${shown.join(", ")} ${isOrAre(words.length)} no emotion; known: ${EMOTIONS.join(", ")}`;
}

/** "1 file", "2 files" */
function counted(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

function isOrAre(count: number): string {
  return count === 1 ? "is" : "are";
}
