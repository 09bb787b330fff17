import { UserError } from "@emotion-service/core/errors";
import { readCsvTable } from "@emotion-service/core/files/manifest";
import { canonicalEmotion } from "@emotion-service/core/labels";
import { addClips, withoutUsed } from "./match.ts";
import { type Item, type Leftover, type Matching, type Sample, groupBy } from "./parts.ts";

/** One line of a pairing manifest. */
export interface ManifestLine {
  readonly imagePath: string;
  readonly audioPath: string;
  /** The line of the file, from 1. */
  readonly line: number;
  /** Canonical emotion that stands above the files' own labels; undefined where the line gives none. */
  readonly label: string | undefined;
}

/**
 * Reads a CSV with the columns image_path, audio_path and, if it likes, label.
 * @throws UserError when it is missing, lacks a column, or has a label that is no emotion.
 */
export function readPairingManifest(path: string): ManifestLine[] {
  const { rows, lines } = readCsvTable(path, "--manifest", ["image_path", "audio_path"]);
  return rows.map((row, index) => {
    const line = lines[index] ?? 0;
    const word = row["label"]?.trim() ?? "";
    const label = word === "" ? undefined : canonicalEmotion(word);
    if (word !== "" && label === undefined)
      throw new UserError(
        "E_LAYOUT",
        `--manifest ${path}: line ${line}: label must be an emotion, is '${word}'`,
        { hint: "leave the label empty to take the files' own" },
      );
    return {
      line,
      imagePath: row["image_path"]?.trim() ?? "",
      audioPath: row["audio_path"]?.trim() ?? "",
      label,
    };
  });
}

/** What {@link matchByManifest} gives: a matching, and the lines that led nowhere. */
export interface ManifestMatching extends Matching {
  /** One sentence for each line whose image or clip is not in the files. */
  readonly missing: readonly string[];
}

/** Rows that lines of a manifest name together. */
interface NamedPair {
  readonly image: Item;
  readonly clip: Item;
  readonly label: string | undefined;
  readonly line: number;
}

/**
 * Pairs the rows that a manifest names together; an image or a clip may stand in several lines.
 * @param isJoined the images of one clip are its frames: one sample; else a sample a line
 * @throws UserError when two lines give one pair two labels
 */
export function matchByManifest(
  images: readonly Item[],
  audio: readonly Item[],
  lines: readonly ManifestLine[],
  isJoined = false,
): ManifestMatching {
  const samples: Sample[] = [];
  const leftovers: Leftover[] = [];
  const { pairs, missing } = findPairs(images, audio, lines);
  const bundles = isJoined
    ? [...groupBy(pairs, ({ clip }) => clip.path).values()]
    : pairs.map((pair) => [pair]);
  for (const bundle of bundles) addBundle(bundle, samples, leftovers);
  for (const item of [...images, ...audio])
    leftovers.push({ items: [item], cause: "not paired by the manifest", keepable: true });
  return { samples, leftovers: withoutUsed(samples, leftovers), missing };
}

/** The pairs that lines name, each once, and a sentence for each path that leads nowhere. */
function findPairs(
  images: readonly Item[],
  audio: readonly Item[],
  lines: readonly ManifestLine[],
): { readonly pairs: NamedPair[]; readonly missing: string[] } {
  const [findImage, findAudio] = [finder(images), finder(audio)];
  const missing: string[] = [];
  const pairs = new Map<string, NamedPair>();
  for (const { imagePath, audioPath, label, line } of lines) {
    const [image, clip] = [findImage(imagePath), findAudio(audioPath)];
    if (typeof image === "string" && imagePath !== "")
      missing.push(`${image} image '${imagePath}'`);
    if (typeof clip === "string" && audioPath !== "") missing.push(`${clip} clip '${audioPath}'`);
    if (typeof image === "string" || typeof clip === "string") continue;
    const key = JSON.stringify([image.path, clip.path]);
    const before = pairs.get(key);
    if (before?.label !== undefined && label !== undefined && before.label !== label)
      throw new UserError(
        "E_LAYOUT",
        `--manifest: lines ${before.line} and ${line} give one pair (${image.path}, ${clip.path}) two labels: ${before.label}, ${label}`,
        { hint: "take one of the lines away" },
      );
    if (before?.label === undefined) pairs.set(key, { image, clip, line, label });
  }
  return { pairs: [...pairs.values()], missing };
}

/** Adds the sample of one clip and its images; their line's label stands above the files' own. */
function addBundle(bundle: readonly NamedPair[], samples: Sample[], leftovers: Leftover[]): void {
  const [first] = bundle;
  if (first === undefined) return;
  const { clip } = first;
  const images = bundle.map(({ image }) => image).toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const given = new Set(bundle.flatMap(({ label }) => label ?? []));
  const [label] = given;
  if (label === undefined) addClips(images, [clip], "manifest", samples, leftovers);
  else if (given.size === 1) samples.push({ images, audio: clip, label });
  else {
    const cause = "lines of the manifest give frames of one clip several labels";
    for (const item of [...images, clip]) leftovers.push({ items: [item], cause, keepable: false });
  }
}

/**
 * Finds a row by its path, or by the end of a longer path ("data/faces/happy/1.jpg" finds "happy/1.jpg"); where there
 * is none, or where several rows have that path, the word for it.
 */
function finder(items: readonly Item[]): (path: string) => Item | "no" | "several rows of" {
  const byPath = groupBy(items, ({ path }) => path.normalize("NFC"));
  return (path) => {
    const folders = path.replaceAll("\\", "/").normalize("NFC").split("/");
    for (let first = 0; first < folders.length; first += 1) {
      const [item, another] = byPath.get(folders.slice(first).join("/")) ?? [];
      if (another !== undefined) return "several rows of";
      if (item !== undefined) return item;
    }
    return "no";
  };
}
