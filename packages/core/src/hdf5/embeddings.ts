import { UserError } from "../errors.ts";
import { UNKNOWN_LABEL, canonicalEmotion } from "../labels.ts";
import { type EncoderInfo, encoderAttributes, encoderFromAttributes } from "./encoder.ts";
import {
  type Matrix,
  createH5,
  findDataset,
  readAttributes,
  readH5,
  readMatrix,
  readStrings,
  requireDataset,
  writeArray,
  writeAttributes,
  writeStrings,
} from "./file.ts";
import type { Group } from "./file.ts";
import { CREATED_BY, FORMAT_VERSION } from "./format.ts";

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

/** Writes an embeddings file at `path` (a staged output's temporary path). */
export async function writeEmbeddings(path: string, content: EmbeddingsFile): Promise<void> {
  const writer = await createH5(path);
  try {
    writer.edit((file) => {
      writeAttributes(file, {
        format: "emotion-service embeddings",
        format_version: FORMAT_VERSION,
        created_by: CREATED_BY,
        ...encoderAttributes(content.encoder),
      });
      for (const [split, rows] of content.splits) {
        const group = file.create_group(split);
        const { data, rows: count, columns } = rows.embeddings;
        writeArray(group, "embeddings", data, [count, columns], "<f");
        writeStrings(group, "labels", rows.labels);
        writeStrings(group, "paths", rows.paths);
      }
    });
  } finally {
    writer.close();
  }
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
