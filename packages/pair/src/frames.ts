import type { FrameRule, Leftover, Matching, Sample } from "./parts.ts";

/**
 * Makes of every sample (and leftover) of several images what `--frames` says: "mean" leaves it one row, "first" keeps
 * its first image by path, "each" makes a row of every image, with the clip again.
 * @param matching its images of one sample are sorted by path
 */
export function applyFrames({ samples, leftovers }: Matching, rule: FrameRule): Matching {
  if (rule === "mean") return { samples, leftovers };
  if (rule === "each")
    return {
      samples: samples.flatMap((sample) =>
        sample.images.length > 1
          ? sample.images.map((image): Sample => ({ ...sample, images: [image] }))
          : [sample],
      ),
      leftovers: leftovers.flatMap((leftover) =>
        leftover.items.map((item): Leftover => ({ ...leftover, items: [item] })),
      ),
    };
  const firsts = samples.map((sample) => ({ ...sample, images: sample.images.slice(0, 1) }));
  const used = new Set(firsts.flatMap(({ images }) => images));
  const later = new Set(samples.flatMap(({ images }) => images.slice(1)));
  return {
    samples: firsts,
    leftovers: [
      ...[...later].filter((item) => !used.has(item)).map((item) => notFirst([item])),
      ...leftovers.flatMap((leftover) => firstOf(leftover)),
    ],
  };
}

/** The first row of a leftover, and the rest of it. */
function firstOf(leftover: Leftover): Leftover[] {
  const [first, ...rest] = leftover.items;
  if (first === undefined || rest.length === 0) return [leftover];
  return [{ ...leftover, items: [first] }, notFirst(rest)];
}

function notFirst(items: Leftover["items"]): Leftover {
  return { items, cause: "not the first frame of its clip (--frames first)", keepable: false };
}
