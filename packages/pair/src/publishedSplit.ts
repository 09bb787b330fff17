import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { readCsvTable } from "@emotion-service/core/files/manifest";
import { type Item, PARTS, type SplitPart } from "./parts.ts";
import type { Unit } from "./split.ts";

/** Where a line of `--split_csv` puts a speaker; rows of one that is to be ignored are dropped. */
type Place = SplitPart | "ignore";
const PLACES: readonly string[] = [...PARTS, "ignore"];

/** A split that somebody published: `--split_csv`. */
export interface PublishedSplit {
  /** The file's name without folders, and the SHA-256 of its bytes, hex. */
  readonly name: string;
  readonly sha256: string;
  /** By the speaker's name as the file has it, composed (NFC). */
  readonly places: ReadonlyMap<string, Place>;
}

/**
 * Reads a CSV with the columns speaker and split; it may have others.
 * @throws UserError when it is missing, lacks a column, or has a value that is no part, no speaker, or two parts for one
 */
export function readPublishedSplit(path: string): PublishedSplit {
  const { rows, lines } = readCsvTable(path, "--split_csv", ["speaker", "split"]);
  const found = new Map<string, { readonly place: Place; readonly line: number }>();
  const refuse = (message: string, hint: string): never => {
    throw new UserError("E_LAYOUT", `--split_csv ${path}: ${message}`, { hint });
  };
  for (const [index, row] of rows.entries()) {
    const line = lines[index] ?? 0;
    const speaker = (row["speaker"] ?? "").trim().normalize("NFC");
    const word = (row["split"] ?? "").trim();
    if (speaker === "") refuse(`line ${line}: names no speaker`, "fill it in, or take it away");
    if (!isPlace(word))
      return refuse(
        `line ${line}: split must be train, val, test or ignore, is '${word}'`,
        "ignore leaves a speaker out",
      );
    const before = found.get(speaker);
    if (before !== undefined && before.place !== word)
      refuse(
        `lines ${before.line} and ${line} put the speaker ${speaker} into ${before.place} and into ${word}`,
        "a speaker belongs to one part: take one of the lines away",
      );
    found.set(speaker, { place: word, line: before?.line ?? line });
  }
  if (found.size === 0) refuse("has no line", "name a speaker and its split on each line");
  return {
    name: basename(path),
    sha256: createHash("sha256").update(readFileSync(path)).digest("hex"),
    places: new Map([...found].map(([speaker, { place }]) => [speaker, place])),
  };
}

function isPlace(word: string): word is Place {
  return PLACES.includes(word);
}

/** What a published split says of the groups that are there. */
export interface Placement {
  /** The file's name, for messages. */
  readonly name: string;
  readonly placeOf: ReadonlyMap<string, Place>;
  /** Speakers of the file that no row has. */
  readonly absent: readonly string[];
}

/**
 * Finds each group in a published split: by its whole name ("cremad:1001"), else by what stands behind the colon.
 * @throws UserError when a speaker that a row names is not in the file, or when a short name fits two of them
 */
export function placeGroups(
  { name, places }: PublishedSplit,
  items: readonly Item[],
  noun: string,
): Placement {
  const placeOf = new Map<string, Place>();
  const meant = new Map<string, string>();
  const missing = new Set<string>();
  for (const item of items) {
    const { group } = item;
    if (placeOf.has(group) || missing.has(group)) continue;
    const key = places.has(group) ? group : shortName(group);
    const place = places.get(key);
    const other = meant.get(key);
    if (place === undefined) {
      if (isNamed(item)) missing.add(group);
    } else if (other !== undefined)
      throw new UserError(
        "E_LAYOUT",
        `--split_csv ${name}: '${key}' may be ${other} or ${group}, and both have rows`,
        { hint: `write the whole names, such as ${group}` },
      );
    else {
      placeOf.set(group, place);
      meant.set(key, group);
    }
  }
  if (missing.size > 0) throw notListed(name, [...missing].toSorted(), noun);
  return { name, placeOf, absent: [...places.keys()].filter((key) => !meant.has(key)) };
}

/** Whether a row's group is a speaker (or what a pattern found), not the row's own path. */
export function isNamed({ group, path }: Item): boolean {
  return group !== path.normalize("NFC");
}

/** "1001" of "cremad:1001". */
function shortName(group: string): string {
  return group.slice(group.indexOf(":") + 1);
}

/**
 * The part of each unit whose rows a published split names.
 * @throws UserError when rows join speakers of two parts
 */
export function placeUnits(
  units: readonly Unit[],
  { name, placeOf }: Placement,
): Map<Unit, SplitPart> {
  const assigned = new Map<Unit, SplitPart>();
  for (const unit of units)
    for (const item of unit.items) {
      const place = placeOf.get(item.group);
      if (place === undefined || place === "ignore") continue;
      const before = assigned.get(unit);
      if (before !== undefined && before !== place) {
        const other = unit.items.find(({ group }) => placeOf.get(group) === before);
        throw new UserError(
          "E_LAYOUT",
          `--split_csv ${name}: pairs join ${other?.group ?? ""} (${before}) with ${item.group} (${place}), directly or through shared images and clips; such as '${item.path}'`,
          { hint: "put both into one part, or take the pairs that join them away" },
        );
      }
      assigned.set(unit, place);
    }
  return assigned;
}

/** Speakers that an error names. */
const NAMES_SHOWN = 5;

/** The error of speakers, or of rows without one, that a published split does not place. */
export function notListed(name: string, groups: readonly string[], noun: string): UserError {
  const named = groups.slice(0, NAMES_SHOWN).join(", ");
  const more = groups.length > NAMES_SHOWN ? ", …" : "";
  return new UserError(
    "E_LAYOUT",
    `--split_csv ${name}: lacks ${groups.length} ${groups.length === 1 ? noun.replace(/s$/, "") : noun} of the rows: ${named}${more}`,
    { hint: "add a line for each, with the split 'ignore' for those to leave out" },
  );
}
