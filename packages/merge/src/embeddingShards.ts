import { breathe } from "@emotion-service/core/breathe";
import { UserError } from "@emotion-service/core/errors";
import {
  type EmbeddingGroup,
  SPLITS,
  type Split,
  requireRows,
} from "@emotion-service/core/hdf5/embeddings";
import {
  type EncoderInfo,
  encoderFromAttributes,
  encoderSettings,
} from "@emotion-service/core/hdf5/encoder";
import {
  type AttributeValue,
  type Dataset,
  type File,
  findDataset,
  matrixShape,
  openH5,
  readAttributes,
  readError,
  readH5,
  readMatrixPart,
  readStrings,
  requireDataset,
} from "@emotion-service/core/hdf5/file";
import { SHARD_ATTRIBUTES, shardPlaceFrom } from "@emotion-service/core/hdf5/shardAttributes";
import { FLAG, type ShardHead, readErrors } from "./checkShards.ts";

/** What a shard of embeddings says of itself, apart from its rows. */
export interface EmbeddingsHead extends ShardHead {
  readonly encoder: EncoderInfo;
  /** The attributes of the whole, but for what is counted in each shard. */
  readonly attributes: Readonly<Record<string, AttributeValue>>;
}

/** A group of a shard; its rows are read a few at a time. */
export interface ShardGroup extends EmbeddingGroup {
  /** [dim] each */
  readonly rows: Iterable<Float32Array>;
}

/** A shard that is open. */
export interface EmbeddingsShard {
  readonly head: EmbeddingsHead;
  readonly groups: ReadonlyMap<Split, ShardGroup>;
}

const COMMAND = "embed";
const CURE = "make it again with embed --shard";
/** Attributes that each shard has of its own. */
const OWN_ATTRIBUTES: readonly string[] = [...SHARD_ATTRIBUTES, "errors"];

/** @throws UserError when the file is missing, is not HDF5, or does not say how many inputs have no row */
export function readEmbeddingsHead(path: string): Promise<EmbeddingsHead> {
  return readH5(path, FLAG, (file) => {
    const all = readAttributes(file);
    const attributes = Object.fromEntries(
      Object.entries(all).filter(([name]) => !OWN_ATTRIBUTES.includes(name)),
    );
    const encoder = encoderFromAttributes(all, Number(all["dim"] ?? 0));
    const { feature_config: _, ...settings } = attributes; // its parts are named one by one
    return {
      file: path,
      place: shardPlaceFrom(all),
      settings: { ...settings, ...encoderSettings(encoder) },
      errors: readErrors(all, path, COMMAND),
      command: COMMAND,
      encoder,
      attributes,
    };
  });
}

/** Opens all shards at once, hands them to `work`, closes them once that is done. */
export async function withEmbeddingsShards<T>(
  heads: readonly EmbeddingsHead[],
  signal: AbortSignal | undefined,
  work: (shards: readonly EmbeddingsShard[]) => Promise<T>,
): Promise<T> {
  const files: File[] = [];
  try {
    const shards: EmbeddingsShard[] = [];
    for (const head of heads) {
      await breathe(signal);
      const file = await openH5(head.file, FLAG);
      files.push(file);
      shards.push({ head, groups: readGroups(file, head) });
    }
    return await work(shards);
  } finally {
    for (const file of files) file.close();
  }
}

function readGroups(file: File, { file: path, encoder }: EmbeddingsHead) {
  const groups = new Map<Split, ShardGroup>();
  for (const split of SPLITS) {
    const dataset = findDataset(file, `${split}/embeddings`);
    if (dataset === undefined) continue;
    try {
      const { rows: count, columns } = matrixShape(dataset, path);
      requireColumns(path, split, columns, encoder.dim);
      const labels = readStrings(requireDataset(file, `${split}/labels`, path, CURE));
      const paths = readStrings(requireDataset(file, `${split}/paths`, path, CURE));
      requireRows(path, split, count, labels.length, paths.length);
      groups.set(split, { labels, paths, rows: rowsOf(dataset, count, columns, path) });
    } catch (error) {
      throw readError(error, path, FLAG);
    }
  }
  return groups;
}

function requireColumns(path: string, split: Split, columns: number, dim: number): void {
  if (columns === dim) return;
  throw new UserError(
    "E_LAYOUT",
    `${path}: '${split}/embeddings' must have the ${dim} columns that 'dim' says, has ${columns}`,
    { hint: CURE },
  );
}

/** Rows of a shard that are read at a time. */
const ROWS_READ = 64;

/** What fails in reading them names their own file, and not the one that was opened last. */
function* rowsOf(
  dataset: Dataset,
  count: number,
  columns: number,
  path: string,
): Generator<Float32Array> {
  for (let start = 0; start < count; start += ROWS_READ) {
    const stop = Math.min(count, start + ROWS_READ);
    let values: Float32Array;
    try {
      values = readMatrixPart(dataset, columns, [start, stop], path);
    } catch (error) {
      throw readError(error, path, FLAG);
    }
    for (let at = 0; at < values.length; at += columns) yield values.subarray(at, at + columns);
  }
}
