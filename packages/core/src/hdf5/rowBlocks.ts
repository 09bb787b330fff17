import { breathe } from "../breathe.ts";
import { UserError } from "../errors.ts";
import { mapInWorkers } from "../workers/pool.ts";
import { openH5, readError, readMatrixPart, requireDataset } from "./file.ts";

/** Rows of some datasets [N, D] of one file. */
export interface RowsRequest {
  readonly path: string;
  /** The flag that named the file, for messages. */
  readonly flag: string;
  readonly datasets: readonly { readonly name: string; readonly columns: number }[];
}

/** Rows from `start` to before `stop`. */
export interface RowRange {
  readonly start: number;
  readonly stop: number;
}

/** The values of the rows of a range, [(stop − start) · D] for each dataset, in the order of the request. */
export interface RowBlock extends RowRange {
  readonly values: readonly Float32Array[];
}

export interface ReadingOptions {
  /** Whether worker threads read ahead of the block that is wanted next. */
  readonly prefetch: boolean;
  /** Threads that read ahead. */
  readonly workers: number;
  readonly signal?: AbortSignal | undefined;
  /** The script of a thread, where it is not beside this module: a thread reads no TypeScript. */
  readonly workerScript?: URL;
}

/** Bytes that are read ahead, at most (but for a block a thread). */
const AHEAD_BYTES = 32 * 2 ** 20;
const BYTES_PER_VALUE = Float32Array.BYTES_PER_ELEMENT;

/** Bytes of one row. */
export function rowBytes({ datasets }: Pick<RowsRequest, "datasets">): number {
  return datasets.reduce((sum, { columns }) => sum + columns * BYTES_PER_VALUE, 0);
}

/** All rows, cut into ranges of `size`. */
export function cutRows(rows: number, size: number): RowRange[] {
  const ranges: RowRange[] = [];
  for (let start = 0; start < rows; start += size)
    ranges.push({ start, stop: Math.min(rows, start + size) });
  return ranges;
}

/**
 * Reads the ranges, one after another, in the order given.
 * @throws UserError E_INPUT_BROKEN when one cannot be read; E_ABORTED
 */
export function readBlocks(
  request: RowsRequest,
  ranges: readonly RowRange[],
  options: ReadingOptions,
): AsyncGenerator<RowBlock, void, undefined> {
  return options.prefetch
    ? readAhead(request, ranges, options)
    : readHere(request, ranges, options.signal);
}

/** A file of rows, open. */
export interface RowReader {
  read(range: RowRange): RowBlock;
  close(): void;
}

/**
 * Opens the datasets of a request; what `read` throws is HDF5's own error.
 * @throws UserError when the file is missing, is not HDF5, or lacks a dataset
 */
export async function openRows({ path, flag, datasets }: RowsRequest): Promise<RowReader> {
  const file = await openH5(path, flag);
  try {
    const parts = datasets.map(({ name, columns }) => ({
      dataset: requireDataset(file, name, path, "make it again"),
      columns,
    }));
    return {
      read: ({ start, stop }) => ({
        start,
        stop,
        values: parts.map(({ dataset, columns }) =>
          readMatrixPart(dataset, columns, [start, stop], path),
        ),
      }),
      close: () => file.close(),
    };
  } catch (error) {
    file.close();
    throw readError(error, path, flag);
  }
}

async function* readHere(
  request: RowsRequest,
  ranges: readonly RowRange[],
  signal: AbortSignal | undefined,
): AsyncGenerator<RowBlock, void, undefined> {
  const reader = await openRows(request);
  try {
    for (const range of ranges) {
      await breathe(signal);
      yield reader.read(range);
    }
  } catch (error) {
    throw readError(error, request.path, request.flag);
  } finally {
    reader.close();
  }
}

async function* readAhead(
  request: RowsRequest,
  ranges: readonly RowRange[],
  { workers, signal, workerScript }: ReadingOptions,
): AsyncGenerator<RowBlock, void, undefined> {
  const longest = Math.max(1, ...ranges.map(({ start, stop }) => stop - start));
  const outcomes = mapInWorkers<RowRange, RowBlock>(ranges, {
    script: workerScript ?? new URL("blockWorker.js", import.meta.url),
    settings: request,
    workers,
    signal,
    ahead: Math.floor(AHEAD_BYTES / (longest * rowBytes(request))),
  });
  for await (const outcome of outcomes) {
    await breathe(signal);
    if (!outcome.ok) throw brokenInThread(request, outcome.cause);
    yield outcome.value;
  }
}

/** @param cause what a thread said: HDF5's words, or (where the file no longer opens) a message about the file */
function brokenInThread({ flag, path }: RowsRequest, cause: string): UserError {
  const about = `${flag} ${path}: `;
  const message = cause.startsWith(about) ? cause : `${about}cannot be read (${cause})`;
  return new UserError("E_INPUT_BROKEN", message, {
    hint: "it may be cut short, or compressed in a way that is not known here; make it again",
  });
}
