import { type Dataset, type File, hdf5Cause } from "@emotion-service/core/hdf5/file";
import { BUILT_IN, canBeSliced, dtypeName, filterNames } from "./dtype.ts";
import type { Plain } from "./values.ts";
import { attributesOf } from "./values.ts";
import type { Stats } from "./stats.ts";

/** One thing in the file, under its path without a leading "/". */
export interface Entry {
  readonly path: string;
  readonly type: "group" | "dataset" | "datatype" | "link" | "unknown";
  readonly attributes: Readonly<Record<string, Plain>>;
  /** Axes of a dataset; [] for a single value, null for a dataset without a value. */
  readonly shape?: readonly number[] | null;
  /** numpy's name. */
  readonly dtype?: string;
  /** Shape of the pieces it is stored in; null: in one piece. */
  readonly chunks?: readonly number[] | null;
  /** Steps by which pieces are stored, in order: "shuffle", "gzip". */
  readonly filters?: readonly string[];
  /** Where a link leads that leads nowhere. */
  readonly target?: string;
  /** Why its values cannot be read; absent when they can. */
  readonly problem?: string;
  /** With `--stats`. */
  readonly stats?: Stats;
  /** With `--rows`: the first rows, of each at most a few values. */
  readonly rows?: readonly Plain[];
}

/** Everything below the file's root, by path. */
export function entriesOf(file: File): Entry[] {
  return file.paths().map((path) => {
    try {
      return entryOf(file, path);
    } catch (error) {
      return { path, type: "unknown", attributes: {}, problem: hdf5Cause(error) };
    }
  });
}

function entryOf(file: File, path: string): Entry {
  const entity = file.get(path);
  if (entity === null)
    return { path, type: "unknown", attributes: {}, problem: "of an unknown kind" };
  if ("filters" in entity) return datasetEntry(path, entity);
  if ("target" in entity) return { path, type: "link", attributes: {}, target: entity.target };
  if ("obj_path" in entity) {
    const target = `${entity.filename}:${entity.obj_path}`;
    return { path, type: "link", attributes: {}, target };
  }
  if ("create_group" in entity) return { path, type: "group", attributes: attributesOf(entity) };
  return { path, type: "datatype", attributes: {} };
}

function datasetEntry(path: string, dataset: Dataset): Entry {
  const { metadata } = dataset;
  const problem = problemOf(dataset);
  return {
    path,
    type: "dataset",
    attributes: attributesOf(dataset),
    shape: metadata.shape,
    dtype: dtypeName(metadata),
    chunks: metadata.chunks,
    filters: filterNames(dataset),
    ...(problem === undefined ? {} : { problem }),
  };
}

/** Values of a type that is read whole are tried up to this size, in bytes. */
const TRY_BYTES = 1 << 20;

/** Reads as little of a dataset as will show whether it can be read. */
function problemOf(dataset: Dataset): string | undefined {
  const { metadata } = dataset;
  const { shape } = metadata;
  if (shape === null || shape.includes(0)) return undefined;
  try {
    // A single value has no axis to slice, and compound types must be read whole.
    if (shape.length > 0 && canBeSliced(metadata)) dataset.slice(shape.map(() => [0, 1]));
    else if (metadata.size * metadata.total_size <= TRY_BYTES) void dataset.value;
    return undefined;
  } catch (error) {
    return problemText(error, dataset);
  }
}

/** The reason in words; for a filter that the library lacks, its name instead of the place where it looked for it. */
export function problemText(error: unknown, dataset: Dataset): string {
  const cause = hdf5Cause(error);
  const unknown = filterNames(dataset).filter((name) => !BUILT_IN.has(name));
  if (unknown.length === 0 || !cause.includes("plugin")) return cause;
  return `stored with the filter ${unknown.join(", ")}, which is not available`;
}
