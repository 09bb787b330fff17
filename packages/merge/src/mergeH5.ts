import type { OnProgress } from "@emotion-service/core/cli/progress";
import { refuseReplacing } from "@emotion-service/core/files/outputs";
import { EMBEDDINGS_FORMAT } from "@emotion-service/core/hdf5/embeddings";
import { readAttributes, readH5 } from "@emotion-service/core/hdf5/file";
import { FLAG } from "./checkShards.ts";
import { mergeAudio } from "./mergeAudio.ts";
import { mergeEmbeddings } from "./mergeEmbeddings.ts";
import type { MergeSummary } from "./summary.ts";

export interface MergeH5Options {
  /** The files of all shards, in any order. */
  readonly shards: readonly string[];
  readonly outH5: string;
  /** The manifests of all shards, and the whole one to write. */
  readonly manifests?: { readonly files: readonly string[]; readonly out: string } | undefined;
  /** Rows of preprocessed audio that are written at a time. */
  readonly batchRows: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * The files of `audio-preprocess --shard` or of `embed --shard` → the file that one run would have written, to the byte;
 * and their manifests likewise. Whole or absent.
 */
export async function mergeH5(options: MergeH5Options): Promise<MergeSummary> {
  const { shards, outH5, manifests } = options;
  refuseReplacing(
    [outH5, ...(manifests === undefined ? [] : [manifests.out])],
    [...shards, ...(manifests?.files ?? [])],
  );
  const format = await readH5(shards[0] ?? "", FLAG, (file) => readAttributes(file)["format"]);
  return format === EMBEDDINGS_FORMAT ? mergeEmbeddings(options) : mergeAudio(options);
}
