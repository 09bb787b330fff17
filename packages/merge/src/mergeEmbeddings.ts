import { breathe } from "@emotion-service/core/breathe";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import {
  type EmbeddingGroup,
  SPLITS,
  type Split,
  writeEmbeddingGroups,
} from "@emotion-service/core/hdf5/embeddings";
import { checkShards, readHeads } from "./checkShards.ts";
import {
  type EmbeddingsShard,
  type ShardGroup,
  readEmbeddingsHead,
  withEmbeddingsShards,
} from "./embeddingShards.ts";
import type { MergeH5Options } from "./mergeH5.ts";
import { type MergedRow, mergedOrder } from "./mergedOrder.ts";
import type { MergeSummary } from "./summary.ts";
import { writeWhole } from "./writeWhole.ts";

/** The files of `embed --shard` → that of one run, to the byte. */
export async function mergeEmbeddings(options: MergeH5Options): Promise<MergeSummary> {
  const heads = checkShards(await readHeads(options, readEmbeddingsHead));
  return withEmbeddingsShards(heads, options.signal, async (shards) => {
    const orders = SPLITS.map((split) => [split, orderOf(shards, split)] as const);
    const rows = orders.flatMap(([, order]) => order);
    const groups = shards.map(({ groups: each }) => [...each.values()]);
    const whole = {
      heads,
      shards: groups.map((each, i) => ({
        file: heads[i]?.file ?? "",
        paths: each.flatMap(({ paths }) => paths),
      })),
      order: rows.toSorted((a, b) => (a.path < b.path ? -1 : 1)),
      labels: groups.flat().flatMap(({ labels }) => labels),
    };
    return writeWhole(whole, options, async (h5, errors) => {
      const [first] = heads;
      if (first === undefined) return;
      const { encoder, attributes } = first;
      const step = createStep(rows.length, options.onProgress);
      const merged = orders
        .filter(([, order]) => order.length > 0)
        .map(
          ([split, order]) => [split, merge(shards, split, order, { ...options, step })] as const,
        );
      const head = { encoder, attributes: { ...attributes, errors } };
      await writeEmbeddingGroups(h5, head, new Map(merged));
    });
  });
}

/** Counts rows for the progress. */
function createStep(total: number, onProgress: OnProgress | undefined): () => void {
  let done = 0;
  return () => onProgress?.((done += 1), total, "rows");
}

/** The rows of a group in the order of their paths. */
function orderOf(shards: readonly EmbeddingsShard[], split: Split): readonly MergedRow[] {
  return mergedOrder(
    shards.map(({ head, groups }) => ({ file: head.file, paths: groups.get(split)?.paths ?? [] })),
  );
}

interface MergeRun extends Pick<MergeH5Options, "signal"> {
  readonly step: () => void;
}

function merge(
  shards: readonly EmbeddingsShard[],
  split: Split,
  order: readonly MergedRow[],
  run: MergeRun,
): EmbeddingGroup {
  const parts = shards.map(({ groups }) => groups.get(split));
  const labels = parts.map((part) => part?.labels.values());
  return {
    labels: order.map(({ shard }) => labels[shard]?.next().value ?? ""),
    paths: order.map(({ path }) => path),
    rows: mergeRows(parts, order, run),
  };
}

/** Rows between two chances for Ctrl-C. */
const ROWS_A_TURN = 64;

async function* mergeRows(
  parts: readonly (ShardGroup | undefined)[],
  order: readonly MergedRow[],
  { signal, step }: MergeRun,
): AsyncGenerator<Float32Array, void, undefined> {
  const rows = parts.map((part) => part?.rows[Symbol.iterator]());
  for (const [done, { shard }] of order.entries()) {
    if (done % ROWS_A_TURN === 0) await breathe(signal);
    yield rows[shard]?.next().value as Float32Array;
    step();
  }
}
