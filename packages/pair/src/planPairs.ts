import { UserError } from "@emotion-service/core/errors";
import { countBy } from "@emotion-service/core/files/manifest";
import { createRandom } from "@emotion-service/core/random";
import { type MatchOptions, chooseMatching } from "./choose.ts";
import { divide } from "./divide.ts";
import { labelCandidates, matchByLabel } from "./matchLabel.ts";
import {
  type Fractions,
  type FrameRule,
  type Item,
  type Leftover,
  type MatchWay,
  type Matching,
  PARTS,
  type Part,
  type Sample,
  aloneSample,
  groupBy,
  itemsOf,
} from "./parts.ts";
import { type Placement, type PublishedSplit, placeGroups } from "./publishedSplit.ts";
import type { Atom } from "./split.ts";

export interface PlanOptions extends MatchOptions {
  /** Canonical emotions to keep; undefined: all. */
  readonly classes: readonly string[] | undefined;
  /** Rows without a partner stay, with one modality. */
  readonly keepUnmatched: boolean;
  /** Pairs of each class in train, when matched by label; undefined: as many as the largest class has rows. */
  readonly pairsPerClass: number | undefined;
  readonly seed: number;
  /** undefined: no split, or the published one. */
  readonly fractions: Fractions | undefined;
  /** Which part each speaker belongs to; stands above `fractions`. */
  readonly published?: PublishedSplit | undefined;
  /** Whether data that cannot be split is an error; else it stays whole. */
  readonly splitRequired: boolean;
  /** What a group is, in the plural: "speakers". */
  readonly groupNoun: string;
}

export interface Plan {
  readonly matchBy: MatchWay;
  /** Why it was matched so. */
  readonly reason: string;
  /** What became of several images of one clip; undefined where there cannot be any. */
  readonly frames: FrameRule | undefined;
  /** The rows of each part, or of "all" alone where nothing was split; sorted by path. */
  readonly parts: ReadonlyMap<Part, readonly Sample[]>;
  /** Rows that are in no part. */
  readonly dropped: readonly Leftover[];
  /** Why the data stays whole although a split was wanted. */
  readonly notSplit: string | undefined;
  /** Lines of the manifest that name what is not there. */
  readonly missing: readonly string[];
  /** Speakers of a published split that no row has. */
  readonly absent: readonly string[];
}

/** What the steps share: the options, and where a published split puts each group. */
interface Settings extends PlanOptions {
  readonly placement: Placement | undefined;
}

type Division = Pick<Plan, "parts" | "dropped" | "notSplit">;

/**
 * Decides which image goes with which clip and which part each pair goes to; touches no file.
 * @throws UserError when nothing pairs, or when a split that was asked for is impossible
 */
export function planPairs(
  images: readonly Item[],
  audio: readonly Item[],
  options: PlanOptions,
): Plan {
  const { published, groupNoun } = options;
  const everything = [...images, ...audio];
  const placement = published && placeGroups(published, everything, groupNoun);
  const isIgnored = ({ group }: Item): boolean => placement?.placeOf.get(group) === "ignore";
  const [seen, heard] = [images, audio].map((side) => side.filter((item) => !isIgnored(item)));
  const choice = chooseMatching(seen ?? [], heard ?? [], options);
  const { matchBy, reason, frames, matching, missing } = choice;
  refuseOtherWay(matchBy, options);
  const settings = { ...options, placement };
  const division =
    matching === undefined
      ? planByLabel(seen ?? [], heard ?? [], settings)
      : planMatched(onlyClasses(matching, options.classes), settings);
  const dropped = [...everything.filter(isIgnored).map(ignored), ...division.dropped];
  if (division.parts.size === 0) throw nothingPairs(matchBy, images, audio, dropped);
  const absent = placement?.absent ?? [];
  return { matchBy, reason, frames, missing, absent, ...division, dropped };
}

/** Refuses the flags that only some ways of matching have, once "auto" has chosen one. */
function refuseOtherWay(matchBy: MatchWay, { pairsPerClass, frames }: PlanOptions): void {
  if (matchBy !== "label" && pairsPerClass !== undefined)
    throw new UserError("E_FLAG", `--pairs_per_class: needs matching by label, is by ${matchBy}`, {
      hint: "leave it out, or add --match_by label",
    });
  if (matchBy === "label" && frames !== undefined)
    throw new UserError("E_FLAG", "--frames: needs matching by name, id or manifest, is by label", {
      hint: "leave it out: by label, every image goes with clips of its own",
    });
}

function ignored(item: Item): Leftover {
  return { items: [item], cause: "its speaker is 'ignore' in --split_csv", keepable: false };
}

/** Divides pairs that are made already. */
function planMatched({ samples, leftovers }: Matching, options: Settings): Division {
  const kept = leftovers.filter(({ keepable }) => options.keepUnmatched && keepable);
  const rows = [...samples, ...kept.map(aloneSample)];
  const paired = new Set(samples.flatMap(itemsOf));
  const atoms = rows.map((row): Atom => {
    const items = itemsOf(row);
    return { items, stratum: `${row.label} ${items.map(({ modality }) => modality).join()}` };
  });
  const { partOf, notSplit } = divide(atoms, options, createRandom(options.seed), {
    isCore: ({ items }) => items.some((item) => paired.has(item)),
    isNeeded: () => true,
  });
  const stays = new Set(kept);
  return {
    parts: sortedParts(rows, partOf),
    dropped: leftovers.filter((leftover) => !stays.has(leftover)),
    notSplit,
  };
}

/** Divides the rows first, then pairs rows of one emotion within each part. */
function planByLabel(images: readonly Item[], audio: readonly Item[], options: Settings): Division {
  const isWanted = ({ label }: Item): boolean => options.classes?.includes(label) ?? true;
  const { items, leftovers } = labelCandidates(images.filter(isWanted), audio.filter(isWanted));
  const leftOut = [
    ...leftovers,
    ...unwanted([...images, ...audio].filter((item) => !isWanted(item))),
  ];
  const candidates = new Set(items);
  const stays = ({ keepable }: Leftover): boolean => options.keepUnmatched && keepable;
  const alone = leftOut.filter(stays).flatMap((leftover) => leftover.items);
  const atoms = [...items, ...alone].map((item): Atom => ({
    items: [item],
    stratum: `${item.label} ${item.modality}`,
  }));
  const random = createRandom(options.seed);
  const { partOf, notSplit, fractions } = divide(atoms, options, random, {
    isCore: (unit) => unit.items.some((item) => candidates.has(item) && item.modality === "audio"),
    isNeeded: (item) => candidates.has(item) && item.modality === "image",
  });
  const inParts = groupBy(items, (item) => partOf.get(item) ?? "all");
  const matchings = ([...PARTS, "all"] as const).map((part) =>
    matchByLabel(inParts.get(part) ?? [], pairsOf(part, options.pairsPerClass, fractions), random),
  );
  const samples = matchings.flatMap((matching) => matching.samples);
  const unmatched = [...leftOut, ...matchings.flatMap((matching) => matching.leftovers)];
  const rows = [...samples, ...unmatched.filter(stays).map(aloneSample)];
  const dropped = unmatched.filter((leftover) => !stays(leftover));
  return { parts: sortedParts(rows, partOf), dropped, notSplit };
}

/** `--pairs_per_class` is for train (or for what is not split); the other parts get their share of it. */
function pairsOf(
  part: Part,
  pairsPerClass: number | undefined,
  fractions: Fractions | undefined,
): number | undefined {
  if (pairsPerClass === undefined || fractions === undefined || part === "all")
    return pairsPerClass;
  const whole = fractions.train > 0 ? fractions.train : Math.max(fractions.val, fractions.test);
  return Math.max(1, Math.round((pairsPerClass * fractions[part]) / whole));
}

/** Rows by part, parts in the order of PARTS, rows by path. */
function sortedParts(
  rows: readonly Sample[],
  partOf: ReadonlyMap<Item, Part>,
): Map<Part, readonly Sample[]> {
  const keyed = rows.map((row) => ({ row, key: sortKey(row), part: partOf.get(itemsOf(row)[0]!) }));
  keyed.sort((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const byPart = groupBy(keyed, ({ part }) => part ?? "all");
  const parts = new Map<Part, readonly Sample[]>();
  for (const part of [...PARTS, "all"] as const) {
    const members = byPart.get(part);
    if (members !== undefined)
      parts.set(
        part,
        members.map(({ row }) => row),
      );
  }
  return parts;
}

function sortKey({ images, audio }: Sample): string {
  return [audio ?? images[0], images[0]].map((item) => item?.path ?? "").join("\0");
}

/** Moves pairs and single rows of other classes to what is dropped. */
function onlyClasses(
  { samples, leftovers }: Matching,
  classes: readonly string[] | undefined,
): Matching {
  if (classes === undefined) return { samples, leftovers };
  const isWanted = (label: string): boolean => classes.includes(label);
  const wanted = samples.filter(({ label }) => isWanted(label));
  const kept = new Set(wanted.flatMap(itemsOf));
  const others = samples.flatMap(itemsOf).filter((item) => !kept.has(item));
  const rest = leftovers.filter(({ items: [item] }) => isWanted(item?.label ?? ""));
  const restOthers = leftovers.filter(({ items: [item] }) => !isWanted(item?.label ?? ""));
  const dropped = unwanted([...others, ...restOthers.flatMap(({ items }) => items)]);
  return { samples: wanted, leftovers: [...rest, ...dropped] };
}

function unwanted(items: readonly Item[]): Leftover[] {
  return [...new Set(items)].map((item) => ({
    items: [item],
    cause: "its class is not in --classes",
    keepable: false,
  }));
}

function exampleOf(items: readonly Item[]): string {
  return `'${items[0]?.path ?? ""}' (${items[0]?.label ?? ""})`;
}

function nothingPairs(
  matchBy: MatchWay,
  images: readonly Item[],
  audio: readonly Item[],
  dropped: readonly Leftover[],
): UserError {
  const [[commonest] = []] = countBy(dropped.map(({ cause }) => cause));
  return new UserError(
    "E_INPUT_EMPTY",
    `nothing pairs by ${matchBy}: no row of the ${images.length} images, such as ${exampleOf(images)}, goes with any of the ${audio.length} clips, such as ${exampleOf(audio)}; most often: ${commonest ?? "no cause"}`,
    { hint: "try another --match_by, or name the pairs in a file with --manifest" },
  );
}
