import { breathe } from "@emotion-service/core/breathe";
import type { FeatureRow } from "@emotion-service/core/hdf5/preprocessedAudio";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { type AudioShard, readAudioHead, withAudioShards } from "./audioShards.ts";
import { checkShards, readHeads } from "./checkShards.ts";
import type { MergeH5Options } from "./mergeH5.ts";
import { type MergedRow, type ShardPaths, mergedOrder } from "./mergedOrder.ts";
import type { MergeSummary } from "./summary.ts";
import { writeWhole } from "./writeWhole.ts";

/** The files of `audio-preprocess --shard` → that of one run, with the same `batchRows` to the byte. */
export async function mergeAudio(options: MergeH5Options): Promise<MergeSummary> {
  const heads = checkShards(await readHeads(options, readAudioHead));
  return withAudioShards(heads, options.signal, async (shards) => {
    const paths = shards.map((shard): ShardPaths => ({
      file: shard.head.file,
      paths: shard.paths,
    }));
    const order = mergedOrder(paths);
    const labels = shards.flatMap((shard) => shard.labels);
    return writeWhole({ heads, shards: paths, order, labels }, options, (h5, errors) =>
      writeRows(h5, shards, order, { ...options, errors }),
    );
  });
}

/** Rows between two chances for Ctrl-C. */
const ROWS_A_TURN = 64;

/** Writes the rows of the shards in this order, then what is said of the whole. */
async function writeRows(
  path: string,
  shards: readonly AudioShard[],
  order: readonly MergedRow[],
  run: Pick<MergeH5Options, "batchRows" | "onProgress" | "signal"> & { readonly errors: number },
): Promise<void> {
  const [first] = shards;
  if (first === undefined) return;
  const { config, extras, head } = first;
  const { compression, audioDir, attributes } = head;
  const { batchRows, errors } = run;
  const rows = shards.map((shard) => shard.rows[Symbol.iterator]());
  const writer = await createFeatureWriter(path, { config, extras, batchRows, compression });
  try {
    for (const [done, { shard }] of order.entries()) {
      if (done % ROWS_A_TURN === 0) await breathe(run.signal);
      writer.add(rows[shard]?.next().value as FeatureRow);
      run.onProgress?.(done + 1, order.length, "rows");
    }
    writer.finish({ audioDir, errors, attributes });
  } finally {
    writer.close();
  }
}
