import { type Part, type Sample, itemsOf } from "./parts.ts";

/** How many different groups, images and clips a part has. */
export interface PartContent {
  readonly groups: number;
  readonly images: number;
  readonly audio: number;
}

/**
 * Proves that no group (of either modality), no image and no clip stands in two parts, from nothing but the rows that
 * are going to be written.
 * @returns what each part has
 * @throws Error when something stands in two parts: that is a fault of this program, never of its input
 */
export function checkSplit(parts: ReadonlyMap<Part, readonly Sample[]>): Map<Part, PartContent> {
  const seenIn = new Map<string, Part>();
  const contents = new Map<Part, PartContent>();
  for (const [part, samples] of parts) {
    const here = { groups: new Set<string>(), image: new Set<string>(), audio: new Set<string>() };
    for (const { modality, path, group } of samples.flatMap(itemsOf)) {
      here.groups.add(group);
      here[modality].add(path);
    }
    for (const [kind, names] of Object.entries(here))
      for (const name of names) {
        const key = `${kind} ${name}`;
        const other = seenIn.get(key);
        if (other !== undefined)
          throw new Error(`the split is not clean: ${key} stands in ${other} and in ${part}`);
        seenIn.set(key, part);
      }
    contents.set(part, {
      groups: here.groups.size,
      images: here.image.size,
      audio: here.audio.size,
    });
  }
  return contents;
}
