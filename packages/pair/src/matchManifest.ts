import { UserError } from "@emotion-service/core/errors";
import { readCsv } from "@emotion-service/core/files/manifest";
import { canonicalEmotion } from "@emotion-service/core/labels";
import { addPair, withoutUsed } from "./match.ts";
import type { Item, Leftover, Matching, Sample } from "./parts.ts";

/** One line of a pairing manifest. */
export interface ManifestLine {
  readonly imagePath: string;
  readonly audioPath: string;
  /** Canonical emotion that stands above the files' own labels; undefined where the line gives none. */
  readonly label: string | undefined;
}

/**
 * Reads a CSV with the columns image_path, audio_path and, if it likes, label.
 * @throws UserError when it is missing, lacks a column, or has a label that is no emotion.
 */
export function readPairingManifest(path: string): ManifestLine[] {
  return readCsv(path, "--manifest", ["image_path", "audio_path"]).map((row, index) => {
    const word = row["label"]?.trim() ?? "";
    const label = word === "" ? undefined : canonicalEmotion(word);
    if (word !== "" && label === undefined)
      throw new UserError(
        "E_LAYOUT",
        `--manifest ${path}: row ${index + 1}: label must be an emotion, is '${word}'`,
        { hint: "leave the label empty to take the files' own" },
      );
    return {
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

/** Pairs the rows that a manifest names together; an image or a clip may stand in several lines. */
export function matchByManifest(
  images: readonly Item[],
  audio: readonly Item[],
  lines: readonly ManifestLine[],
): ManifestMatching {
  const [findImage, findAudio] = [finder(images), finder(audio)];
  const samples: Sample[] = [];
  const leftovers: Leftover[] = [];
  const missing: string[] = [];
  const seen = new Set<string>();
  for (const { imagePath, audioPath, label } of lines) {
    const [image, clip] = [findImage(imagePath), findAudio(audioPath)];
    if (image === undefined && imagePath !== "") missing.push(`no image '${imagePath}'`);
    if (clip === undefined && audioPath !== "") missing.push(`no clip '${audioPath}'`);
    if (image === undefined || clip === undefined) continue;
    const key = JSON.stringify([image.path, clip.path]);
    if (seen.has(key)) continue;
    seen.add(key);
    if (label === undefined) addPair([image], clip, samples, leftovers);
    else samples.push({ images: [image], audio: clip, label });
  }
  for (const item of [...images, ...audio])
    leftovers.push({ items: [item], cause: "not paired by the manifest", keepable: true });
  return { samples, leftovers: withoutUsed(samples, leftovers), missing };
}

/** Finds a row by its path, or by the end of a longer path ("data/faces/happy/1.jpg" finds "happy/1.jpg"). */
function finder(items: readonly Item[]): (path: string) => Item | undefined {
  const byPath = new Map(items.map((item) => [item.path, item]));
  return (path) => {
    const folders = path.replaceAll("\\", "/").split("/");
    for (let first = 0; first < folders.length; first += 1) {
      const item = byPath.get(folders.slice(first).join("/"));
      if (item !== undefined) return item;
    }
    return undefined;
  };
}
