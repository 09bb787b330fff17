import { statSync } from "node:fs";
import { throwIfAborted } from "@emotion-service/core/errors";
import { countBy } from "@emotion-service/core/files/manifest";
import { type Dataset, type File, readH5, readStrings } from "@emotion-service/core/hdf5/file";
import { isNumeric } from "./dtype.ts";
import { type Entry, entriesOf, problemText } from "./entries.ts";
import { firstRows } from "./firstRows.ts";
import { layoutOf } from "./layout.ts";
import { statsOf } from "./stats.ts";
import { type Plain, attributesOf } from "./values.ts";

export interface InspectOptions {
  /** Rows to show of each dataset; 0: none. */
  readonly rows: number;
  readonly stats: boolean;
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
}

/**
 * Looks into any HDF5 file. A dataset that cannot be read says why; the others are shown all the same.
 * @throws UserError when the file is missing or is not HDF5.
 */
export async function inspectH5(path: string, options: InspectOptions): Promise<H5Report> {
  return readH5(path, "<file>", (file) => {
    const attributes = attributesOf(file);
    const entries = entriesOf(file).map((entry) => withValues(entry, file, options));
    return {
      file: path,
      bytes: statSync(path).size,
      layout: layoutOf(entries, attributes),
      attributes,
      entries,
      labels: labelCounts(entries, file),
    };
  });
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
