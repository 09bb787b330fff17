import { table } from "@emotion-service/core/cli/table";
import { countBy } from "@emotion-service/core/files/manifest";
import type { PartContent } from "./checkSplit.ts";
import { PARTS, type MatchWay, type Modality, type Part, type Sample, itemsOf } from "./parts.ts";
import type { Plan } from "./planPairs.ts";

/** What stands in one file. */
interface PartSummary {
  /** Rows of the paired file. */
  readonly rows: number;
  /** Rows that have one modality alone. */
  readonly alone: number;
  /** Different speakers (or what `--group_by` makes of a path); a row is of its clip's speaker. */
  readonly speakers: number;
  /** Different images (frames, where several make a row) and clips. */
  readonly images: number;
  readonly audio: number;
  /** Least and most rows that use one image, one clip. */
  readonly image_uses: readonly [least: number, most: number];
  readonly audio_uses: readonly [least: number, most: number];
  /** Rows of each class. */
  readonly classes: Readonly<Record<string, number>>;
}

/** What `--json` prints. */
export interface PairSummary {
  readonly match_by: MatchWay;
  readonly reason: string;
  /** True where image and audio of a pair share the emotion alone. */
  readonly different_people: boolean;
  /** Rows of the file of all pairs. */
  readonly rows: number;
  readonly all: PartSummary;
  /** Empty where nothing was split. */
  readonly splits: Readonly<Partial<Record<Part, PartSummary>>>;
  /** What was checked to stand in one part only; absent where nothing was split. */
  readonly apart?: { readonly speakers: true; readonly images: true; readonly audio: true };
  /** How many rows of each input were dropped, by cause. */
  readonly dropped: Readonly<Record<Modality, Readonly<Record<string, number>>>>;
  readonly warnings: readonly string[];
  readonly files: readonly string[];
  /** What a speaker is called in the printed summary. */
  readonly group_noun: string;
}

/** Counts what a plan holds; `contents` is what checkSplit proved. */
export function summarise(
  plan: Plan,
  contents: ReadonlyMap<Part, PartContent>,
  groupNoun: string,
  files: readonly string[],
  stale: readonly string[],
): PairSummary {
  const samples = [...plan.parts.values()].flat();
  const isSplit = !plan.parts.has("all");
  const splits = [...plan.parts].filter(([part]) => part !== "all");
  return {
    match_by: plan.matchBy,
    reason: plan.reason,
    different_people: plan.matchBy === "label",
    rows: samples.length,
    all: partSummary(samples),
    splits: Object.fromEntries(splits.map(([part, rows]) => [part, partSummary(rows)])),
    ...(isSplit && contents.size > 0
      ? { apart: { speakers: true, images: true, audio: true } }
      : {}),
    dropped: { image: droppedBy(plan, "image"), audio: droppedBy(plan, "audio") },
    warnings: warningsOf(plan, samples, stale),
    files,
    group_noun: groupNoun,
  };
}

function partSummary(samples: readonly Sample[]): PartSummary {
  const uses = (modality: Modality): number[] =>
    countBy(
      samples
        .flatMap(itemsOf)
        .filter((item) => item.modality === modality)
        .map(({ path }) => path),
    ).map(([, count]) => count);
  const [image, audio] = [uses("image"), uses("audio")];
  const classes = countBy(samples.map(({ label }) => label)).toSorted(([a], [b]) =>
    a < b ? -1 : 1,
  );
  return {
    rows: samples.length,
    alone: samples.filter((row) => row.images.length === 0 || row.audio === undefined).length,
    speakers: new Set(samples.map((row) => (row.audio ?? row.images[0])?.group)).size,
    images: image.length,
    audio: audio.length,
    image_uses: [image.at(-1) ?? 0, image[0] ?? 0],
    audio_uses: [audio.at(-1) ?? 0, audio[0] ?? 0],
    classes: Object.fromEntries(classes),
  };
}

function droppedBy({ dropped }: Plan, modality: Modality): Record<string, number> {
  const rows = dropped.flatMap(({ items, cause }) => items.map((item) => ({ item, cause })));
  const own = rows.filter(({ item }) => item.modality === modality);
  return Object.fromEntries(countBy(own.map(({ cause }) => cause)));
}

function warningsOf(plan: Plan, samples: readonly Sample[], stale: readonly string[]): string[] {
  const warnings: string[] = [];
  if (plan.matchBy === "label") warnings.push(...strangers(samples));
  if (plan.notSplit !== undefined) warnings.push(`Not split: ${plan.notSplit}.`);
  const [first] = plan.missing;
  if (first !== undefined)
    warnings.push(
      `The manifest names ${plan.missing.length} files that are not there: ${first}, …`,
    );
  for (const path of stale)
    warnings.push(`${path} is of an earlier run and does not belong to these pairs.`);
  return warnings;
}

/** Pairs by label put two people into one row: said plainly, and how many are of one speaker after all. */
function strangers(samples: readonly Sample[]): string[] {
  const pairs = samples.filter((row) => row.images.length > 0 && row.audio !== undefined);
  const same = pairs.filter(({ images, audio }) => images[0]?.group === audio?.group).length;
  const but = same > 0 ? ` (${same} of ${pairs.length} pairs happen to be of one speaker)` : "";
  return [
    `The face and the voice of a pair are of DIFFERENT PEOPLE: only their emotion is the same${but}.`,
  ];
}

/** The summary as text: how it was matched, counts, the proof that parts are apart, what was dropped and why. */
export function formatSummary(summary: PairSummary): string {
  const { splits, dropped } = summary;
  const columns: [string, PartSummary][] = [["all", summary.all]];
  for (const part of PARTS) {
    const content = splits[part];
    if (content !== undefined) columns.push([part, content]);
  }
  const line = (name: string, cell: (part: PartSummary) => string | number) => [
    name,
    ...columns.map(([, part]) => cell(part)),
  ];
  const lines = table([
    ["", ...columns.map(([name]) => name)],
    ...Object.keys(summary.all.classes).map((label) =>
      line(label, (part) => part.classes[label] ?? 0),
    ),
    line("rows", (part) => part.rows),
    ...(summary.all.alone > 0 ? [line("rows of one modality", (part) => part.alone)] : []),
    line(summary.group_noun, (part) => part.speakers),
    line("images", (part) => part.images),
    line("clips", (part) => part.audio),
    line("rows an image", (part) => range(part.image_uses)),
    line("rows a clip", (part) => range(part.audio_uses)),
  ]);
  return [
    `Matched by ${summary.match_by}: ${summary.reason}.`,
    ...summary.warnings,
    "",
    lines,
    "",
    ...proof(
      summary,
      columns.slice(1).map(([, part]) => part),
    ),
    ...droppedLines("image", dropped.image),
    ...droppedLines("audio", dropped.audio),
    `Wrote ${summary.files.join(", ")}`,
  ].join("\n");
}

/** "speakers apart: 38 / 5 / 5, none shared" */
function proof(summary: PairSummary, parts: readonly PartSummary[]): string[] {
  if (summary.apart === undefined) return [];
  const apart = (noun: string, count: (part: PartSummary) => number): string =>
    `${noun} apart: ${parts.map(count).join(" / ")}, none shared`;
  return [
    apart(summary.group_noun, ({ speakers }) => speakers),
    apart("images", ({ images }) => images),
    apart("clips", ({ audio }) => audio),
  ];
}

function droppedLines(modality: Modality, causes: Readonly<Record<string, number>>): string[] {
  const noun = modality === "image" ? "images" : "clips";
  const shown = Object.entries(causes).slice(0, CAUSES_SHOWN);
  const more = Object.keys(causes).length - shown.length;
  const lines = shown.map(([cause, count]) => `dropped ${count} ${noun}: ${cause}`);
  return more > 0 ? [...lines, `… and ${noun} for ${more} more causes: see the manifest`] : lines;
}

/** Causes that the summary lists; the manifest has all. */
const CAUSES_SHOWN = 12;

function range([least, most]: readonly [number, number]): string {
  return least === most ? `${least}` : `${least}–${most}`;
}
