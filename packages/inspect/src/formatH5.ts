import { table } from "@emotion-service/core/cli/table";
import { canonicalEmotion } from "@emotion-service/core/labels";
import type { Entry } from "./entries.ts";
import type { H5Report } from "./inspectH5.ts";
import type { Spread } from "./lengths.ts";
import { type Plain, isList } from "./values.ts";

/** Longest attribute or value that is shown, in characters. */
const LINE = 160;
/** Labels that are listed of one dataset. */
const LABELS_SHOWN = 20;

/** A report as text: what it is, the tree, labels, statistics, first rows. */
export function formatH5(report: H5Report): string {
  const { file, bytes, layout, attributes, entries } = report;
  const problems = entries.filter(({ problem }) => problem !== undefined).length;
  return [
    `${file} (${size(bytes)})`,
    layout ?? "not one of the pipeline's layouts",
    "",
    "/",
    ...attributeLines(attributes, 1),
    ...entries.flatMap(entryLines),
    ...labelLines(report),
    ...lengthLines(report),
    ...statsLines(entries),
    ...rowLines(entries),
    ...(problems > 0 ? ["", `${problems} of ${entries.length} entries cannot be read`] : []),
    ...(report.plot === undefined ? [] : ["", `plot: ${report.plot}`]),
  ].join("\n");
}

function entryLines(entry: Entry): string[] {
  const depth = entry.path.split("/").length;
  const name = entry.path.slice(entry.path.lastIndexOf("/") + 1);
  const line = `${"  ".repeat(depth)}${name}${describe(entry)}`;
  const problem =
    entry.problem === undefined
      ? []
      : [`${"  ".repeat(depth + 1)}! cannot be read: ${entry.problem}`];
  return [line, ...attributeLines(entry.attributes, depth + 1), ...problem];
}

function describe({ type, shape, dtype, chunks, filters = [], target }: Entry): string {
  if (type === "group") return "/";
  if (type === "link") return ` -> ${target} (not there)`;
  if (type !== "dataset") return `  (${type})`;
  const axes = shape === null || shape === undefined ? "no value" : `[${shape.join(", ")}]`;
  const pieces = chunks === null || chunks === undefined ? [] : [`chunks [${chunks.join(", ")}]`];
  return [
    "",
    `${dtype} ${axes}`,
    ...pieces,
    ...(filters.length > 0 ? [filters.join("+")] : []),
  ].join("  ");
}

function attributeLines(attributes: Readonly<Record<string, Plain>>, depth: number): string[] {
  return Object.entries(attributes).map(
    ([name, value]) => `${"  ".repeat(depth)}@${name} = ${cut(JSON.stringify(value))}`,
  );
}

function labelLines({ labels }: H5Report): string[] {
  return Object.entries(labels).flatMap(([path, counts]) => {
    const shown = counts
      .slice(0, LABELS_SHOWN)
      .map(([label, count]) => `${labelName(label)} ${count}`);
    const more = counts.length - shown.length;
    return ["", `${path}: ${shown.join(", ")}${more > 0 ? `, … ${more} more` : ""}`];
  });
}

function lengthLines({ lengths }: H5Report): string[] {
  if (lengths === undefined) return [];
  const { clips, frames, seconds } = lengths;
  const inFrames = `${spreadText(frames, String)} frames (shortest / median / longest)`;
  const inSeconds =
    seconds === null ? [] : [`${spreadText(seconds, (value) => value.toFixed(2))} s`];
  return ["", [`lengths: ${clips} clips`, inFrames, ...inSeconds].join(", ")];
}

function spreadText({ min, median, max }: Spread, text: (value: number) => string): string {
  return [min, median, max].map(text).join(" / ");
}

/** A class id with the emotion it stands for. */
function labelName(label: string): string {
  const emotion = canonicalEmotion(label);
  return emotion === undefined || emotion === label ? label || "(empty)" : `${label} (${emotion})`;
}

function statsLines(entries: readonly Entry[]): string[] {
  const rows = entries.flatMap(({ path, stats }) =>
    stats === undefined
      ? []
      : [
          [
            path,
            stats.count,
            ...[stats.min, stats.mean, stats.max, stats.std].map((value) =>
              value === null ? "-" : Number(value.toPrecision(6)),
            ),
            stats.nan,
            stats.infinite,
          ],
        ],
  );
  if (rows.length === 0) return [];
  return [
    "",
    table([["statistics", "values", "min", "mean", "max", "std", "NaN", "inf"], ...rows]),
  ];
}

/** First rows side by side for the datasets of one folder that are equally long. */
function rowLines(entries: readonly Entry[]): string[] {
  const tables = new Map<string, Entry[]>();
  for (const entry of entries) {
    if (entry.rows === undefined || entry.rows.length === 0) continue;
    const folder = entry.path.slice(0, entry.path.lastIndexOf("/") + 1);
    const key = `${folder} ${entry.shape?.[0] ?? "single"}`;
    tables.set(key, [...(tables.get(key) ?? []), entry]);
  }
  return [...tables.values()].flatMap((members) => {
    const header = ["row", ...members.map(({ path }) => path)];
    const count = members[0]?.rows?.length ?? 0;
    const rows = Array.from({ length: count }, (_, row) => [
      row,
      ...members.map(({ rows: shown }) => cut(cellText(shown?.[row] ?? null))),
    ]);
    return ["", table([header, ...rows])];
  });
}

function cellText(value: Plain): string {
  if (typeof value === "string") return value;
  if (!isList(value)) return JSON.stringify(value);
  const item = (one: Plain): string =>
    typeof one === "number" ? String(Number(one.toPrecision(4))) : cellText(one);
  return value.map(item).join(" ");
}

function cut(text: string): string {
  return text.length > LINE ? `${text.slice(0, LINE - 1)}…` : text;
}

function size(bytes: number): string {
  if (bytes < 1e3) return `${bytes} bytes`;
  return bytes < 1e6 ? `${(bytes / 1e3).toFixed(1)} kB` : `${(bytes / 1e6).toFixed(1)} MB`;
}
