import type { Dataset, Dtype, File, Group, GuessableDataTypes } from "h5wasm/node";
import { UserError, causeOf } from "../errors.ts";
import { requireFile } from "../files/listFiles.ts";
import { outputError } from "../files/outputs.ts";

export type { Dataset, File, Group } from "h5wasm/node";

async function loadH5wasm(): Promise<typeof import("h5wasm/node")> {
  const h5wasm = await import("h5wasm/node");
  const module = await h5wasm.ready;
  module.activate_throwing_error_handler();
  return h5wasm;
}

/**
 * Opens an HDF5 file to read; the caller closes it.
 * @throws UserError when the file is missing or is not HDF5; `flag` names where the path came from.
 */
export async function openH5(path: string, flag: string): Promise<File> {
  requireFile(path, flag);
  const h5wasm = await loadH5wasm();
  try {
    return new h5wasm.File(path, "r");
  } catch (error) {
    throw new UserError(
      "E_INPUT_BROKEN",
      `${flag} ${path}: cannot be read as HDF5 (${hdf5Cause(error)})`,
      {
        hint: "it may be cut short or of another format; make it again",
        cause: error,
      },
    );
  }
}

/**
 * Opens an HDF5 file, hands it to `work`, closes it once that is done.
 * @throws UserError when the file is missing or is not HDF5; `flag` names where the path came from.
 */
export async function readH5<T>(
  path: string,
  flag: string,
  work: (file: File) => T | Promise<T>,
): Promise<T> {
  const file = await openH5(path, flag);
  try {
    return await work(file);
  } catch (error) {
    throw readError(error, path, flag);
  } finally {
    file.close();
  }
}

/** What reading the HDF5 file `path` threw, an error of the HDF5 library as a UserError that names the file. */
export function readError(error: unknown, path: string, flag: string): unknown {
  if (!causeOf(error).startsWith(HDF5_ERROR)) return error;
  return new UserError("E_INPUT_BROKEN", `${flag} ${path}: cannot be read (${hdf5Cause(error)})`, {
    hint: "it may be cut short, or compressed in a way that is not known here; make it again",
    cause: error,
  });
}

/** How the HDF5 library's error texts begin: a list of places, outermost first, each with what went wrong there. */
const HDF5_ERROR = "HDF5-DIAG:";

/** What went wrong at the innermost place of an HDF5 error; of another error, its first line. */
export function hdf5Cause(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  const places = [...text.matchAll(/#\d+: .* in \w+\(\): (.*)/g)];
  return places.at(-1)?.[1] ?? causeOf(error);
}

/** An HDF5 file being written. Every change goes through `edit`. */
export interface H5Writer {
  /**
   * Runs changes to the file with the clock held still: HDF5 stores the time of each change, and the same rows must
   * give the same bytes.
   */
  edit<T>(change: (file: File) => T): T;
  close(): void;
}

/**
 * Creates an HDF5 file at `path` (a staged output's temporary path).
 * @throws UserError E_OUTPUT, from `edit` or `close`, when it cannot be written: the disk is full
 */
export async function createH5(path: string): Promise<H5Writer> {
  const h5wasm = await loadH5wasm();
  let state: "open" | "failed" | "closed" = "open";
  const write = <T>(work: () => T): T => {
    try {
      return withStillClock(work);
    } catch (error) {
      if (!causeOf(error).startsWith(HDF5_ERROR)) throw error;
      if (state === "failed") return undefined as T; // closing it cannot write what could not be written
      state = "failed";
      throw outputError(path, new Error(writeCause(error)));
    }
  };
  const file = write(() => new h5wasm.File(path, "w"));
  return {
    edit: (change) => write(() => change(file)),
    close: () => {
      if (state !== "closed") write(() => file.close());
      state = "closed";
    },
  };
}

/** The system's own words where HDF5 quotes them ("No space left on device"), else HDF5's. */
function writeCause(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return /error message = '([^']+)'/.exec(text)?.[1] ?? hdf5Cause(error);
}

function withStillClock<T>(work: () => T): T {
  const now = Date.now;
  Date.now = () => 0;
  try {
    return work();
  } finally {
    Date.now = now;
  }
}

/** An attribute's value as we write it: text, whole numbers as i4, other numbers as f8. */
export type AttributeValue = string | number;

/** Writes attributes on a file or group; numbers that are not whole become 64-bit floats. */
export function writeAttributes(
  target: Group,
  attributes: Readonly<Record<string, AttributeValue>>,
): void {
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === "string") target.create_attribute(name, value);
    else target.create_attribute(name, value, [], isInt32(value) ? "<i" : "<d");
  }
}

function isInt32(value: number): boolean {
  return (value | 0) === value;
}

/** Attributes of a file or group: text and numbers; others are left out. */
export function readAttributes(target: Group): Record<string, AttributeValue> {
  const attributes: Record<string, AttributeValue> = {};
  for (const name of Object.keys(target.attrs)) {
    const value: unknown = target.attrs[name]?.value;
    const single = isListOfOne(value) ? value[0] : value;
    if (typeof single === "string" || typeof single === "number") attributes[name] = single;
    else if (typeof single === "bigint") attributes[name] = Number(single);
    else if (typeof single === "boolean") attributes[name] = Number(single);
  }
  return attributes;
}

function isListOfOne(value: unknown): value is ArrayLike<unknown> {
  return (
    (Array.isArray(value) || ArrayBuffer.isView(value)) && "length" in value && value.length === 1
  );
}

/** Writes strings as variable-length UTF-8, shape [N]. */
export function writeStrings(group: Group, name: string, values: readonly string[]): void {
  group.create_dataset({ name, data: [...values], shape: [values.length], dtype: "S" });
}

/** Writes a whole array. */
export function writeArray(
  group: Group,
  name: string,
  data: GuessableDataTypes,
  shape: readonly number[],
  dtype: Dtype,
): void {
  group.create_dataset({ name, data, shape: [...shape], dtype });
}

/**
 * The dataset `name` below a file or group.
 * @throws UserError naming the file, the dataset that lacks, and what is there instead.
 */
export function requireDataset(group: Group, name: string, path: string, cure: string): Dataset {
  const dataset = findDataset(group, name);
  if (dataset !== undefined) return dataset;
  const there = group.paths().slice(0, PATHS_SHOWN).join(", ") || "nothing";
  throw new UserError("E_LAYOUT", `${path}: lacks the dataset '${name}' (it holds: ${there})`, {
    hint: cure,
  });
}

/** Names of what a file holds that a message lists. */
const PATHS_SHOWN = 12;

/** The dataset `name` below a file or group, or undefined. */
export function findDataset(group: Group, name: string): Dataset | undefined {
  if (!group.paths().includes(name)) return undefined;
  const entity = group.get(name);
  return entity !== null && "filters" in entity ? entity : undefined;
}

/** Rows of numbers, row-major: `data[row * columns + column]`. */
export interface Matrix {
  readonly data: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

/**
 * Reads a dataset [N, D] of any number type as 32-bit floats.
 * @throws UserError when it has another number of axes, or a type that cannot be read.
 */
export function readMatrix(dataset: Dataset, path: string): Matrix {
  const { rows, columns } = matrixShape(dataset, path);
  if (rows === 0) return { data: new Float32Array(0), rows, columns };
  return { data: toFloat32(dataset.value, dataset.path, path), rows, columns };
}

/**
 * The shape of a dataset [N, D].
 * @throws UserError when it has another number of axes.
 */
export function matrixShape(dataset: Dataset, path: string): { rows: number; columns: number } {
  const shape = dataset.shape ?? [];
  const [rows = 0, columns = 0] = shape;
  if (shape.length !== 2)
    throw new UserError(
      "E_LAYOUT",
      `${path}: '${dataset.path}' must have 2 axes [rows, values], has shape [${shape.join(", ")}]`,
      { hint: "run embed on it first, so that each row is one embedding" },
    );
  return { rows, columns };
}

/** Reads the rows from `start` to before `stop` of a dataset [N, D], as {@link readMatrix} does: [(stop − start) · D]. */
export function readMatrixPart(
  dataset: Dataset,
  columns: number,
  [start, stop]: readonly [number, number],
  path: string,
): Float32Array {
  const ranges: [number, number][] = [
    [start, stop],
    [0, columns],
  ];
  return toFloat32(dataset.slice(ranges), dataset.path, path);
}

/** Numbers of any type that h5wasm hands out, as 32-bit floats. */
export function toFloat32(value: unknown, name: string, path: string): Float32Array {
  if (value instanceof Float32Array) return value;
  if (value instanceof BigInt64Array || value instanceof BigUint64Array)
    return Float32Array.from(value as Iterable<bigint>, Number);
  if (ArrayBuffer.isView(value) && !(value instanceof DataView))
    return Float32Array.from(value as Float64Array);
  throw new UserError(
    "E_LAYOUT",
    `${path}: '${name}' must hold numbers that can be read (float16 cannot)`,
    {
      hint: "write it as float32",
    },
  );
}

/** Reads a dataset [N] of strings, or of numbers as their decimal text. */
export function readStrings(dataset: Dataset): string[] {
  if ((dataset.shape?.[0] ?? 0) === 0) return [];
  return textsOf(dataset.value);
}

/** Reads the rows from `start` to before `stop` of a dataset [N], as {@link readStrings} does. */
export function readStringsPart(dataset: Dataset, start: number, stop: number): string[] {
  return start === stop ? [] : textsOf(dataset.slice([[start, stop]]));
}

function textsOf(value: unknown): string[] {
  const items: Iterable<unknown> =
    Array.isArray(value) || ArrayBuffer.isView(value)
      ? (value as unknown as Iterable<unknown>)
      : [value];
  return Array.from(items, textOf);
}

function textOf(item: unknown): string {
  if (typeof item === "string") return item.replace(/\0+$/, "");
  return typeof item === "number" || typeof item === "bigint" ? String(item) : "";
}
