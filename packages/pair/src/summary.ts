import { table } from "@emotion-service/core/cli/table";
import { countBy } from "@emotion-service/core/files/manifest";
import type { PartContent } from "./checkSplit.ts";
import {
  type FrameRule,
  PARTS,
  type MatchWay,
  type Modality,
  type Part,
  type Sample,
  itemsOf,
} from "./parts.ts";
import type { Plan } from "./planPairs.ts";

/** What stands in one file. */
interface PartSummary {
  /** Rows of the paired file. */
  readonly rows: number;
  /** Rows that have one modality alone. */
  readonly alone: number;
  /** Rows whose image is the mean of several frames. */
  readonly of_frames: number;
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
  /** What became of several images of one clip; null where there cannot be any. */
  readonly frames: FrameRule | null;
  /** True where image and audio of a pair share the emotion alone. */
  readonly different_people: boolean;
  /** Rows of the file of all pairs. */
  readonly rows: number;
  readonly all: PartSummary;
  /** Empty where nothing was split. */
  readonly splits: Readonly<Partial<Record<Part, PartSummary>>>;
  /** What was checked to stand in one part only; absent where nothing was split. */
  readonly apart?: { readonly speakers: true; readonly images: true; readonly audio: true };
  /** The file of the published split; null where there was none. */
  readonly split_csv: string | null;
  /** How many rows of each input were dropped, by cause. */
  readonly dropped: Readonly<Record<Modality, Readonly<Record<string, number>>>>;
  /** The path of one row of each of those. */
  readonly dropped_examples: Readonly<Record<Modality, Readonly<Record<string, string>>>>;
  readonly warnings: readonly string[];
  readonly files: readonly string[];
  /** What a speaker is called in the printed summary. */
  readonly group_noun: string;
}

/** What a plan does not know. */
interface SummaryFacts {
  readonly groupNoun: string;
  readonly splitCsv: string | undefined;
  readonly files: readonly string[];
  /** Files of an earlier run that stand beside. */
  readonly stale: readonly string[];
}

/** Counts what a plan holds; `contents` is what checkSplit proved. */
export function summarise(
  plan: Plan,
  contents: ReadonlyMap<Part, PartContent>,
  { groupNoun, splitCsv, files, stale }: SummaryFacts,
): PairSummary {
  const samples = [...plan.parts.values()].flat();
  const isSplit = !plan.parts.has("all");
  const splits = [...plan.parts].filter(([part]) => part !== "all");
  return {
    match_by: plan.matchBy,
    reason: plan.reason,
    frames: plan.frames ?? null,
    different_people: plan.matchBy === "label",
    rows: samples.length,
    all: partSummary(samples),
    splits: Object.fromEntries(splits.map(([part, rows]) => [part, partSummary(rows)])),
    ...(isSplit && contents.size > 0
      ? { apart: { speakers: true, images: true, audio: true } }
      : {}),
    split_csv: splitCsv ?? null,
    dropped: { image: droppedBy(plan, "image"), audio: droppedBy(plan, "audio") },
    dropped_examples: { image: examplesOf(plan, "image"), audio: examplesOf(plan, "audio") },
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
    of_frames: samples.filter((row) => row.images.length > 1).length,
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

/** The first path of each cause. */
function examplesOf({ dropped }: Plan, modality: Modality): Record<string, string> {
  const examples: Record<string, string> = {};
  for (const { items, cause } of dropped)
    for (const item of items) if (item.modality === modality) examples[cause] ??= item.path;
  return examples;
}

function warningsOf(plan: Plan, samples: readonly Sample[], stale: readonly string[]): string[] {
  const warnings: string[] = [];
  if (plan.matchBy === "label") warnings.push(...strangers(samples));
  if (plan.notSplit !== undefined) warnings.push(`Not split: ${plan.notSplit}.`);
  const [first] = plan.missing;
  if (first !== undefined)
    warnings.push(
      `The manifest names ${plan.missing.length} paths that lead to no row: ${first}${plan.missing.length > 1 ? ", …" : ""}`,
    );
  const [unknown] = plan.absent;
  if (unknown !== undefined)
    warnings.push(
      `--split_csv names ${plan.absent.length} that no row has: ${unknown}${plan.absent.length > 1 ? ", …" : ""}`,
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
    ...(columns.length > 1
      ? [line("share of the rows", ({ rows }) => percent(rows / summary.rows))]
      : []),
    ...(summary.all.alone > 0 ? [line("rows of one modality", (part) => part.alone)] : []),
    ...(summary.all.of_frames > 0 ? [line("rows, mean of frames", (part) => part.of_frames)] : []),
    line(summary.group_noun, (part) => part.speakers),
    line("images", (part) => part.images),
    line("clips", (part) => part.audio),
    line("rows an image", (part) => range(part.image_uses)),
    line("rows a clip", (part) => range(part.audio_uses)),
  ]);
  return [
    `Matched by ${summary.match_by}: ${summary.reason}.`,
    ...(summary.split_csv === null ? [] : [`Split as ${summary.split_csv} says.`]),
    ...summary.warnings,
    "",
    lines,
    "",
    ...proof(
      summary,
      columns.slice(1).map(([, part]) => part),
    ),
    ...droppedLines("image", dropped.image, summary.dropped_examples.image),
    ...droppedLines("audio", dropped.audio, summary.dropped_examples.audio),
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

function droppedLines(
  modality: Modality,
  causes: Readonly<Record<string, number>>,
  examples: Readonly<Record<string, string>>,
): string[] {
  const noun = modality === "image" ? "images" : "clips";
  const shown = Object.entries(causes).slice(0, CAUSES_SHOWN);
  const more = Object.keys(causes).length - shown.length;
  const lines = shown.map(
    ([cause, count]) => `dropped ${count} ${noun}: ${cause} (such as ${examples[cause] ?? ""})`,
  );
  return more > 0 ? [...lines, `… and ${noun} for ${more} more causes: see the manifest`] : lines;
}

/** Causes that the summary lists; the manifest has all. */
const CAUSES_SHOWN = 12;

function percent(share: number): string {
  return `${(100 * share).toFixed(1)} %`;
}

function range([least, most]: readonly [number, number]): string {
  return least === most ? `${least}` : `${least}–${most}`;
}
