import { utteranceIdOf } from "@emotion-service/core/labels";
import { stemOf } from "@emotion-service/core/files/listFiles";
import { applyFrames } from "./frames.ts";
import { matchById, matchByName } from "./match.ts";
import { type ManifestLine, matchByManifest } from "./matchManifest.ts";
import { type FrameRule, type Item, type MatchWay, type Matching, itemsOf } from "./parts.ts";

export interface MatchOptions {
  readonly matchBy: MatchWay | "auto";
  /** What a stem's recording shares with its frames; undefined: the RAVDESS and CREMA-D names. */
  readonly idPattern?: ((stem: string) => string | undefined) | undefined;
  /** The lines of `--manifest`. */
  readonly manifest?: readonly ManifestLine[] | undefined;
  /** undefined: "mean" by id, "each" by manifest, and by name no image has the name of another. */
  readonly frames?: FrameRule | undefined;
}

export interface Choice {
  readonly matchBy: MatchWay;
  /** Why, in a sentence. */
  readonly reason: string;
  /** What became of several images of one clip; undefined where there cannot be any. */
  readonly frames: FrameRule | undefined;
  /** What it gives; undefined for "label", which is matched within each part of the split. */
  readonly matching: Matching | undefined;
  /** Lines of the manifest that name what is not there. */
  readonly missing: readonly string[];
}

/**
 * How the rows are matched. "auto" takes the manifest or the id pattern that is given; else names, if they match for
 * half of the rows of the side that has fewer; else ids likewise; else labels.
 */
export function chooseMatching(
  images: readonly Item[],
  audio: readonly Item[],
  { matchBy, idPattern, manifest, frames }: MatchOptions,
): Choice {
  const byName = (): Matching => matchByName(images, audio, frames !== undefined);
  const byId = (): Matching => matchById(images, audio, idOf);
  const smaller = images.length < audio.length ? images : audio;
  const idOf = (path: string): string | undefined =>
    idPattern === undefined ? utteranceIdOf(path) : idPattern(stemOf(path));
  if (manifest !== undefined) {
    const isJoined = frames === "mean" || frames === "first";
    const { missing, ...matching } = matchByManifest(images, audio, manifest, isJoined);
    return { ...by("manifest", given("--manifest"), matching, frames ?? "each"), missing };
  }
  if (matchBy === "name") return by("name", given("--match_by name"), byName(), frames);
  if (matchBy === "id") return by("id", given("--match_by id"), byId(), frames ?? "mean");
  if (matchBy === "label") return by("label", given("--match_by label"));
  if (idPattern !== undefined) return by("id", given("--id_pattern"), byId(), frames ?? "mean");
  const noun = smaller === images ? "images" : "clips";
  const share = (count: number): string => `${count} of ${smaller.length} ${noun}`;
  const named = byName();
  const namedCount = matchedOf(smaller, named);
  if (2 * namedCount >= smaller.length)
    return by("name", `names match for ${share(namedCount)}`, named, frames);
  const identified = byId();
  const idCount = matchedOf(smaller, identified);
  if (2 * idCount >= smaller.length)
    return by(
      "id",
      `names match for ${share(namedCount)}, ids for ${idCount}`,
      identified,
      frames ?? "mean",
    );
  return by("label", `names match for ${share(namedCount)}, ids for ${idCount}: less than half`);
}

function by(matchBy: MatchWay, reason: string, matching?: Matching, frames?: FrameRule): Choice {
  const rows =
    matching === undefined || frames === undefined ? matching : applyFrames(matching, frames);
  return { matchBy, reason, frames, matching: rows, missing: [] };
}

function given(flag: string): string {
  return `${flag} was given`;
}

/** How many rows of a side stand in a pair. */
function matchedOf(side: readonly Item[], { samples }: Matching): number {
  const paired = new Set(samples.flatMap(itemsOf));
  return side.filter((item) => paired.has(item)).length;
}
