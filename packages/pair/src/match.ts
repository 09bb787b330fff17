import { stemOf } from "@emotion-service/core/files/listFiles";
import { UNKNOWN_LABEL } from "@emotion-service/core/labels";
import {
  type Item,
  type Leftover,
  type MatchWay,
  type Matching,
  type Sample,
  groupBy,
  itemsOf,
  labelOf,
} from "./parts.ts";

/** Rows by key; rows without a key are passed over. */
function byKey(
  items: readonly Item[],
  keyOf: (path: string) => string | undefined,
): Map<string, Item[]> {
  const withKey = items.filter(({ path }) => keyOf(path) !== undefined);
  return groupBy(withKey, ({ path }) => (keyOf(path) ?? "").normalize("NFC"));
}

/** "happy/a.jpg" → "happy/a". */
function relativeStem(path: string): string {
  return path.replace(/\.[^./]+$/, "");
}

/**
 * Pairs an image with the clip of the same relative path without extension, else of the same file name without
 * extension. A name that several rows of one side bear is ambiguous: none of them is paired by it.
 * @param hasFrames several images of one name are frames of the one clip of that name, and several clips of one name all
 *   go with its one image
 */
export function matchByName(
  images: readonly Item[],
  audio: readonly Item[],
  hasFrames = false,
): Matching {
  const samples: Sample[] = [];
  const leftovers: Leftover[] = [];
  const done = new Set<Item>();
  for (const nameOf of [relativeStem, stemOf]) {
    const audioByName = byKey(audio, nameOf);
    for (const [name, sameImages] of byKey(images, nameOf)) {
      const sameAudio = audioByName.get(name) ?? [];
      const waits = (item: Item): boolean => !done.has(item);
      if (!sameImages.some(waits) || !sameAudio.some(waits)) continue;
      const open = [...sameImages, ...sameAudio].filter(waits);
      for (const item of open) done.add(item);
      const [few, many] = [sameImages.length, sameAudio.length].toSorted((a, b) => a - b);
      if (many === 1 || (hasFrames && few === 1))
        addClips(sameImages, sameAudio, "name", samples, leftovers);
      else {
        const cause = `ambiguous: ${sameImages.length} ${sameImages.length === 1 ? "image" : "images"} and ${sameAudio.length} ${sameAudio.length === 1 ? "clip" : "clips"} of one name`;
        for (const item of open) leftovers.push({ items: [item], cause, keepable: true });
      }
    }
  }
  for (const item of [...images, ...audio])
    if (!done.has(item)) leftovers.push(alone([item], "name"));
  return { samples, leftovers: withoutUsed(samples, leftovers) };
}

/**
 * Pairs every clip with all frames that bear its id.
 * @param idOf what a path's recording and its frames share; undefined: no id, no partner
 */
export function matchById(
  images: readonly Item[],
  audio: readonly Item[],
  idOf: (path: string) => string | undefined,
): Matching {
  const samples: Sample[] = [];
  const leftovers: Leftover[] = [];
  const framesById = byKey(images, idOf);
  const clipsById = byKey(audio, idOf);
  for (const [id, frames] of framesById) {
    const clips = clipsById.get(id) ?? [];
    if (clips.length > 0) addClips(frames, clips, "id", samples, leftovers);
    else leftovers.push(alone(frames, "id"));
  }
  for (const [id, clips] of clipsById)
    if (!framesById.has(id)) for (const clip of clips) leftovers.push(alone([clip], "id"));
  for (const item of [...images, ...audio])
    if (idOf(item.path) === undefined)
      leftovers.push({ items: [item], cause: "its name holds no id", keepable: true });
  return { samples, leftovers: withoutUsed(samples, leftovers) };
}

/** Adds a pair for every clip; all rows as leftovers where the frames' emotions contradict each other. */
export function addClips(
  frames: readonly Item[],
  clips: readonly Item[],
  by: MatchWay,
  samples: Sample[],
  leftovers: Leftover[],
): void {
  const labels = new Set(frames.map(({ label }) => label));
  labels.delete(UNKNOWN_LABEL);
  if (labels.size <= 1) for (const clip of clips) addPair(frames, clip, samples, leftovers);
  else {
    const cause = `frames of one ${by === "manifest" ? "clip" : by} have several labels`;
    for (const item of [...frames, ...clips])
      leftovers.push({ items: [item], cause, keepable: false });
  }
}

/** Adds a pair, or both sides as leftovers where their emotions contradict each other. */
function addPair(
  images: readonly Item[],
  audio: Item,
  samples: Sample[],
  leftovers: Leftover[],
): void {
  const imageLabel = labelOf(images);
  if (imageLabel !== audio.label && imageLabel !== UNKNOWN_LABEL && audio.label !== UNKNOWN_LABEL) {
    const cause = `labels differ: image ${imageLabel}, audio ${audio.label}`;
    leftovers.push({ items: images, cause, keepable: false });
    leftovers.push({ items: [audio], cause, keepable: false });
    return;
  }
  const label = audio.label === UNKNOWN_LABEL ? imageLabel : audio.label;
  samples.push({ images, audio, label });
}

/** A row may fail with one partner and pair with another: it is left over only if it never paired, and only once. */
export function withoutUsed(
  samples: readonly Sample[],
  leftovers: readonly Leftover[],
): Leftover[] {
  const seen = new Set(samples.flatMap(itemsOf));
  return leftovers.flatMap((leftover) => {
    const items = leftover.items.filter((item) => !seen.has(item));
    for (const item of items) seen.add(item);
    return items.length === 0 ? [] : [{ ...leftover, items }];
  });
}

function alone(items: readonly Item[], by: "name" | "id"): Leftover {
  const other = items[0]?.modality === "image" ? "clip" : "image";
  return { items, cause: `no ${other} of the same ${by}`, keepable: true };
}
