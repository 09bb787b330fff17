import { canonicalEmotion } from "../labels.ts";
import { FUSION_HINT, printable, unsupported } from "./failures.ts";
import { isArray, numbersOf, textsOf } from "./numpy.ts";

/**
 * The names of a checkpoint's outputs, canonical where they are emotions, of its `class_labels`: a list, an array, or a dict
 * of either way. `name` is the file's.
 * @throws UserError E_LAYOUT when there are none, or not one for each output
 */
export function classesOf(value: unknown, outputs: number, name: string): string[] {
  const labels: unknown = value instanceof Map ? value.get("class_labels") : undefined;
  if (labels === undefined || labels === null)
    throw unsupported(
      name,
      "must say what its outputs are called in 'class_labels', which it lacks",
      FUSION_HINT,
    );
  const words = wordsOf(labels, name);
  if (words.length !== outputs || outputs < 2 || words.includes(undefined))
    throw unsupported(
      name,
      `'class_labels' must name each of the ${outputs} outputs, of which there are 2 at least; it names ${words.length}`,
      FUSION_HINT,
    );
  const names = words.map((word) => canonicalEmotion(word ?? "") ?? printable(String(word)));
  if (new Set(names).size === names.length) return names;
  throw unsupported(name, `'class_labels' must differ, are ${names.join(", ")}`, FUSION_HINT);
}

type Word = string | number | undefined;

/** In the order of the outputs; undefined where one has no name. */
function wordsOf(labels: unknown, name: string): Word[] {
  if (isArray(labels))
    return labels.dtype?.letter === "U" || labels.dtype?.letter === "O"
      ? textsOf(labels, name)
      : [...numbersOf(labels, name)];
  if (Array.isArray(labels)) return labels.map(wordOf);
  if (!(labels instanceof Map)) return [];
  const entries = [...labels].map(([key, label]) => [wordOf(key), wordOf(label)] as const);
  const isNamed = entries.every(([key]) => typeof key === "string" && !/^\d+$/.test(key));
  const byPlace = new Map(
    entries.map(([key, label]) => (isNamed ? [label, key] : [Number(key), label])),
  );
  return entries.map((_, place) => byPlace.get(place));
}

function wordOf(word: unknown): Word {
  return typeof word === "string" || typeof word === "number" ? word : undefined;
}
