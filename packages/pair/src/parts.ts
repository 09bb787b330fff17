import { UNKNOWN_LABEL } from "@emotion-service/core/labels";

/** The parts that `--split` makes, in the order of its fractions. */
export const PARTS = ["train", "val", "test"] as const;
export type SplitPart = (typeof PARTS)[number];

/** A part, or "all" where nothing was split. */
export type Part = SplitPart | "all";

/** The ways to match, as `--match_by` names them. */
export const MATCH_WAYS = ["name", "id", "label", "manifest"] as const;
export type MatchWay = (typeof MATCH_WAYS)[number];

/** What `--frames` makes of several images that meet one clip: their mean, the first by path, or a row each. */
export const FRAME_RULES = ["mean", "first", "each"] as const;
export type FrameRule = (typeof FRAME_RULES)[number];

/** How much of the data each part is to get: at least 0 each, 1 together. A part of 0 is not written. */
export type Fractions = Readonly<Record<SplitPart, number>>;

export type Modality = "image" | "audio";

/** One row of an embeddings file. */
export interface Item {
  readonly modality: Modality;
  /** As the file has it. */
  readonly path: string;
  /** Canonical emotion, or "unknown". */
  readonly label: string;
  /** What `--group_by` makes of the path (a speaker), composed (NFC), else the path itself; rows of one group never stand in two parts. */
  readonly group: string;
  /** f4 [D], a view of the file's matrix. */
  readonly vector: Float32Array;
}

/** One row of a paired file before its vectors are copied; at least one modality is there. */
export interface Sample {
  /** The image, or the frames whose mean it is; empty where it is missing. */
  readonly images: readonly Item[];
  readonly audio: Item | undefined;
  readonly label: string;
}

/** Rows that found no partner: one row, or the frames of one clip. */
export interface Leftover {
  readonly items: readonly Item[];
  /** The cause, in words; counted and listed by it. */
  readonly cause: string;
  /** Whether `--keep_unmatched` may keep it as a row with one modality. */
  readonly keepable: boolean;
}

/** Every row of both sides is in a sample or in a leftover. */
export interface Matching {
  readonly samples: readonly Sample[];
  readonly leftovers: readonly Leftover[];
}

/** Sample for rows that stay alone. */
export function aloneSample({ items }: Leftover): Sample {
  const label = labelOf(items);
  return items[0]?.modality === "audio"
    ? { images: [], audio: items[0], label }
    : { images: items, audio: undefined, label };
}

/** The first known label of rows that do not contradict each other, else "unknown". */
export function labelOf(items: readonly Item[]): string {
  return items.find(({ label }) => label !== UNKNOWN_LABEL)?.label ?? UNKNOWN_LABEL;
}

/** Every row that a sample is made of. */
export function itemsOf({ images, audio }: Sample): Item[] {
  return audio === undefined ? [...images] : [...images, audio];
}

/** Items by key, keys and items in order of appearance (Map.groupBy, which Node 20 lacks). */
export function groupBy<T>(items: readonly T[], keyOf: (item: T) => string): Map<string, T[]> {
  const groups = new Map<string, T[]>();
  for (const item of items) {
    const key = keyOf(item);
    const group = groups.get(key);
    if (group === undefined) groups.set(key, [item]);
    else group.push(item);
  }
  return groups;
}
