import { statSync } from "node:fs";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import { countBy } from "@emotion-service/core/files/manifest";
import { refuseReplacing } from "@emotion-service/core/files/outputs";
import { type Dataset, type File, readH5, readStrings } from "@emotion-service/core/hdf5/file";
import { isNumeric } from "./dtype.ts";
import { type Entry, entriesOf, problemText } from "./entries.ts";
import { firstRows } from "./firstRows.ts";
import { layoutOf } from "./layout.ts";
import { type Lengths, lengthsDataset, lengthsOf } from "./lengths.ts";
import { statsOf } from "./stats.ts";
import { type Plain, attributesOf } from "./values.ts";

export interface InspectOptions {
  /** Rows to show of each dataset; 0: none. */
  readonly rows: number;
  readonly stats: boolean;
  /** Where to draw spectrograms of preprocessed audio, a PNG; undefined: nowhere. */
  readonly plot?: string | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** What `--json` prints. */
export interface H5Report {
  readonly file: string;
  readonly bytes: number;
  /** What the file is, where it has one of the pipeline's layouts. */
  readonly layout: string | undefined;
  readonly attributes: Readonly<Record<string, Plain>>;
  readonly entries: readonly Entry[];
  /** For every dataset called "labels": how many rows have each, most frequent first. */
  readonly labels: Readonly<Record<string, readonly (readonly [label: string, count: number])[]>>;
  /** Of preprocessed audio whose clips have their own length. */
  readonly lengths?: Lengths;
  /** The picture that was drawn. */
  readonly plot?: string;
}

/**
 * Looks into any HDF5 file. A dataset that cannot be read says why; the others are shown all the same.
 * @throws UserError when the file is missing or is not HDF5.
 */
export async function inspectH5(path: string, options: InspectOptions): Promise<H5Report> {
  const { plot } = options;
  if (plot !== undefined) refuseReplacing([plot], [path]);
  const report = await readH5(path, "<file>", (file) => reportOn(file, path, options));
  if (plot === undefined) return report;
  requireClips(report);
  const { plotClips } = await import("./plotClips.ts");
  await plotClips(path, plot);
  return { ...report, plot };
}

function reportOn(file: File, path: string, options: InspectOptions): H5Report {
  const attributes = attributesOf(file);
  const values = entriesOf(file).map((entry) => withValues(entry, file, options));
  const { lengths, entries } = withLengths(values, file, attributes, options);
  return {
    file: path,
    bytes: statSync(path).size,
    layout: layoutOf(entries, attributes),
    attributes,
    entries,
    labels: labelCounts(entries, file),
    ...(lengths === undefined ? {} : { lengths }),
  };
}

/** Where preprocessed audio keeps its spectrograms. */
const CLIP_DATASETS = ["features/fixed", "features/ragged", "features/vlen_flat"];

/** @throws UserError when there are no spectrograms to draw */
function requireClips({ file, layout, entries }: H5Report): void {
  if (entries.some(({ path }) => CLIP_DATASETS.includes(path))) return;
  const found = layout ?? "not one of the pipeline's layouts";
  throw new UserError(
    "E_LAYOUT",
    `--plot: needs one of the datasets ${CLIP_DATASETS.join(", ")}, ${file} has none (it is: ${found})`,
    { hint: "name a file that audio-preprocess wrote, or leave out --plot" },
  );
}

/** Adds the clips' lengths, or to their entry why they cannot be read. */
function withLengths(
  entries: readonly Entry[],
  file: File,
  attributes: H5Report["attributes"],
  { signal }: InspectOptions,
): Pick<H5Report, "entries" | "lengths"> {
  const dataset = lengthsDataset(file);
  if (dataset === undefined) return { entries };
  const { value, problem } = tried(dataset, () =>
    lengthsOf(dataset, attributes, () => throwIfAborted(signal)),
  );
  if (value !== undefined) return { entries, lengths: value };
  const isIt = ({ path }: Entry): boolean => dataset.path.replace(/^\//, "") === path;
  return {
    entries: entries.map((entry) =>
      problem !== undefined && isIt(entry) ? { problem, ...entry } : entry,
    ),
  };
}

/** Adds the first rows and the statistics of a dataset that can be read. */
function withValues(entry: Entry, file: File, { rows, stats, signal }: InspectOptions): Entry {
  throwIfAborted(signal);
  if (entry.type !== "dataset" || entry.problem !== undefined) return entry;
  const dataset = datasetAt(file, entry.path);
  const shown = rows > 0 ? tried(dataset, () => firstRows(dataset, rows)) : {};
  const wanted = stats && entry.shape !== null && isNumeric(dataset.metadata);
  const reckoned = wanted
    ? tried(dataset, () => statsOf(dataset, () => throwIfAborted(signal)))
    : {};
  const problem = shown.problem ?? reckoned.problem;
  return {
    ...entry,
    ...(shown.value === undefined ? {} : { rows: shown.value }),
    ...(reckoned.value === undefined ? {} : { stats: reckoned.value }),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** A damaged piece may come up late in a dataset: then its reason stands where its values would. */
function tried<T>(
  dataset: Dataset,
  read: () => T,
): { readonly value?: T; readonly problem?: string } {
  try {
    return { value: read() };
  } catch (error) {
    if (error instanceof Error && error.name === "UserError") throw error;
    return { problem: problemText(error, dataset) };
  }
}

function labelCounts(entries: readonly Entry[], file: File): Record<string, [string, number][]> {
  const counts: Record<string, [string, number][]> = {};
  for (const { path, shape, problem } of entries) {
    const isLabels = path === "labels" || path.endsWith("/labels");
    if (!isLabels || shape?.length !== 1 || problem !== undefined) continue;
    const dataset = datasetAt(file, path);
    const { value } = tried(dataset, () => countBy(readStrings(dataset)));
    if (value !== undefined) counts[path] = value;
  }
  return counts;
}

/** A fresh handle each time: h5wasm changes the description of a type while it reads it. */
function datasetAt(file: File, path: string): Dataset {
  const entity = file.get(path);
  if (entity === null || !("filters" in entity)) throw new Error(`${path} is no dataset`);
  return entity;
}
