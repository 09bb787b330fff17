import { UserError } from "../errors.ts";
import { UNKNOWN_LABEL, canonicalEmotion } from "../labels.ts";
import { type EncoderInfo, encoderAttributes, encoderFromAttributes } from "./encoder.ts";
import {
  type AttributeValue,
  type H5Writer,
  type Matrix,
  createH5,
  findDataset,
  readAttributes,
  readH5,
  readMatrix,
  readStrings,
  requireDataset,
  writeAttributes,
  writeStrings,
} from "./file.ts";
import type { Group } from "./file.ts";
import { CREATED_BY, FORMAT_VERSION } from "./format.ts";
import { groupOf, growingDataset } from "./growingDataset.ts";

/** The attribute `format` of our embeddings files. */
export const EMBEDDINGS_FORMAT = "emotion-service embeddings";
/** The groups that an embeddings file may have, in the order they are read. */
export const SPLITS = ["all", "train", "val", "test"] as const;
export type Split = (typeof SPLITS)[number];

/** The rows of one group. */
export interface EmbeddingRows {
  /** f4 [N, D] */
  readonly embeddings: Matrix;
  /** Canonical emotions or "unknown", [N]. */
  readonly labels: readonly string[];
  /** Relative paths with "/" between folders, [N]. */
  readonly paths: readonly string[];
}

export interface EmbeddingsFile {
  readonly encoder: EncoderInfo;
  readonly splits: ReadonlyMap<Split, EmbeddingRows>;
}

/** The rows of one group as they are written: one at a time. */
export interface EmbeddingGroup extends Pick<EmbeddingRows, "labels" | "paths"> {
  /** [D] each, in the order of the paths; one is done with before the next is asked for. */
  readonly rows: Iterable<Float32Array> | AsyncIterable<Float32Array>;
}

/** What an embeddings file says of all its rows. */
export interface EmbeddingsHead {
  readonly encoder: EncoderInfo;
  /** Beside the encoder's: those of a shard. */
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
}

/** Values of a chunk, and of the rows that wait to be written: 256 KiB. */
const CHUNK_VALUES = 1 << 16;

/** Writes an embeddings file at `path` (a staged output's temporary path), a few rows at a time. */
export async function writeEmbeddingGroups(
  path: string,
  { encoder, attributes = {} }: EmbeddingsHead,
  groups: ReadonlyMap<Split, EmbeddingGroup>,
): Promise<void> {
  const writer = await createH5(path);
  try {
    writer.edit((file) =>
      writeAttributes(file, {
        format: EMBEDDINGS_FORMAT,
        format_version: FORMAT_VERSION,
        created_by: CREATED_BY,
        ...encoderAttributes(encoder),
        ...attributes,
      }),
    );
    for (const [split, { labels, paths, rows }] of groups) {
      await writeRows(writer, split, encoder.dim, { count: paths.length, rows });
      writer.edit((file) => {
        writeStrings(groupOf(file, split), "labels", labels);
        writeStrings(groupOf(file, split), "paths", paths);
      });
    }
  } finally {
    writer.close();
  }
}

/** Writes the `count` rows of a group, a chunk at a time. */
async function writeRows(
  writer: H5Writer,
  group: Split,
  dim: number,
  { count, rows }: Pick<EmbeddingGroup, "rows"> & { readonly count: number },
): Promise<void> {
  const chunk = Math.max(1, Math.min(count, Math.floor(CHUNK_VALUES / dim)));
  const dataset = growingDataset(writer, { group, name: "embeddings", cell: [dim], chunk });
  const waiting = new Float32Array(chunk * dim);
  let used = 0; // values
  const flush = (): void => {
    dataset.append(waiting.subarray(0, used), used / dim);
    used = 0;
  };
  for await (const row of rows) {
    waiting.set(row, used);
    used += dim;
    if (used === waiting.length) flush();
  }
  flush();
}

/** Writes an embeddings file of rows in memory. */
export function writeEmbeddings(path: string, { encoder, splits }: EmbeddingsFile): Promise<void> {
  const groups = [...splits].map(([split, { embeddings, labels, paths }]) => {
    const { data, columns } = embeddings;
    const rows = paths.map((_, row) => data.subarray(row * columns, (row + 1) * columns));
    return [split, { labels, paths, rows }] as const;
  });
  return writeEmbeddingGroups(path, { encoder }, new Map(groups));
}

/**
 * Reads an embeddings file: ours, or one of the Python service.
 * @throws UserError when the file is missing, is not HDF5, or has no group with embeddings.
 */
export async function readEmbeddings(path: string, flag: string): Promise<EmbeddingsFile> {
  return readH5(path, flag, (file) => {
    const splits = new Map<Split, EmbeddingRows>();
    for (const split of SPLITS)
      if (findDataset(file, `${split}/embeddings`) !== undefined)
        splits.set(split, readRows(file, split, path));
    const first = splits.values().next().value;
    if (first === undefined)
      throw new UserError(
        "E_LAYOUT",
        `${flag} ${path}: is not an embeddings file: it must have a group 'all', 'train', 'val' or 'test' with a dataset 'embeddings' (it holds: ${file.paths().join(", ") || "nothing"})`,
        { hint: "write it with embed" },
      );
    const encoder = encoderFromAttributes(readAttributes(file), first.embeddings.columns);
    return { encoder, splits };
  });
}

function readRows(file: Group, split: Split, path: string): EmbeddingRows {
  const cure = "write it with embed";
  const embeddings = readMatrix(requireDataset(file, `${split}/embeddings`, path, cure), path);
  const labels = readStrings(requireDataset(file, `${split}/labels`, path, cure)).map(
    (label) => canonicalEmotion(label) ?? UNKNOWN_LABEL,
  );
  const paths = readStrings(requireDataset(file, `${split}/paths`, path, cure));
  requireRows(path, split, embeddings.rows, labels.length, paths.length);
  return { embeddings, labels, paths };
}

/** Throws unless every dataset of a group has the same number of rows. */
export function requireRows(path: string, what: string, ...counts: readonly number[]): void {
  if (new Set(counts).size > 1)
    throw new UserError(
      "E_LAYOUT",
      `${path}: the datasets of '${what}' must have equally many rows, have ${counts.join(", ")}`,
      { hint: "the file is damaged or was made by hand; make it again" },
    );
}
