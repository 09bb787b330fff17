import { UNKNOWN_LABEL } from "@emotion-service/core/labels";
import { shuffle } from "@emotion-service/core/random";
import { type Item, type Leftover, type Matching, type Sample, groupBy } from "./parts.ts";

/**
 * Sets aside the rows that can never be paired by label: those without a label, and those of a class that the other
 * modality lacks altogether.
 */
export function labelCandidates(
  images: readonly Item[],
  audio: readonly Item[],
): { readonly items: readonly Item[]; readonly leftovers: readonly Leftover[] } {
  const items: Item[] = [];
  const leftovers: Leftover[] = [];
  const both = labelsOf(images).filter((label) => labelsOf(audio).includes(label));
  for (const item of [...images, ...audio])
    if (item.label === UNKNOWN_LABEL)
      leftovers.push({ items: [item], cause: "has no label", keepable: true });
    else if (both.includes(item.label)) items.push(item);
    else leftovers.push({ items: [item], cause: lacking(item), keepable: true });
  return { items, leftovers };
}

/**
 * Pairs clips with images of the same emotion within one part of the data: the same number of pairs for every class,
 * each row of a side used as often as any other of its class (give or take one), no combination twice before all were
 * used once.
 * @param pairsPerClass pairs to make of each class; undefined: as many as the largest class of either side has rows
 * @param random seeded stream that decides which image meets which clip
 */
export function matchByLabel(
  items: readonly Item[],
  pairsPerClass: number | undefined,
  random: () => number,
): Matching {
  const images = items.filter(({ modality }) => modality === "image");
  const audio = items.filter(({ modality }) => modality === "audio");
  const imagesOf = groupBy(images, ({ label }) => label);
  const audioOf = groupBy(audio, ({ label }) => label);
  const classes = labelsOf(images).filter((label) => audioOf.has(label));
  const counts = classes.flatMap((label) => [
    imagesOf.get(label)?.length ?? 0,
    audioOf.get(label)?.length ?? 0,
  ]);
  const wanted = pairsPerClass ?? Math.max(0, ...counts);
  const samples: Sample[] = [];
  for (const label of classes) {
    const pairs = evenPairs(imagesOf.get(label) ?? [], audioOf.get(label) ?? [], wanted, random);
    for (const [image, clip] of pairs) samples.push({ images: [image], audio: clip, label });
  }
  const used = new Set(samples.flatMap(({ images: [image], audio: clip }) => [image, clip]));
  const leftovers = items
    .filter((item) => !used.has(item))
    .map((item): Leftover => {
      const paired = classes.includes(item.label);
      const cause = paired ? "not needed for --pairs_per_class" : `${lacking(item)} in its part`;
      return { items: [item], cause, keepable: !paired };
    });
  return { samples, leftovers };
}

/**
 * `count` pairs of two lists, each element used as often as any other of its list, give or take one. Walking both
 * lists in step repeats a combination after lcm(a, b) steps; there, one list is turned by one, which gives fresh
 * combinations until all a·b are used.
 */
export function evenPairs<A, B>(
  first: readonly A[],
  second: readonly B[],
  count: number,
  random: () => number,
): [A, B][] {
  const [a, b] = [shuffle([...first], random), shuffle([...second], random)];
  const period = (a.length * b.length) / greatestCommonDivisor(a.length, b.length);
  const pairs: [A, B][] = [];
  for (let step = 0; step < count; step += 1) {
    const turn = Math.floor(step / period);
    const left = a[(step + turn) % a.length];
    const right = b[step % b.length];
    if (left !== undefined && right !== undefined) pairs.push([left, right]);
  }
  return pairs;
}

function greatestCommonDivisor(a: number, b: number): number {
  return b === 0 ? a : greatestCommonDivisor(b, a % b);
}

function labelsOf(items: readonly Item[]): string[] {
  return [...new Set(items.map(({ label }) => label))]
    .filter((label) => label !== UNKNOWN_LABEL)
    .toSorted();
}

function lacking({ modality, label }: Item): string {
  return `no ${modality === "image" ? "audio" : "image"} of the class ${label}`;
}
