import type { PairedIndex } from "../hdf5/pairedIndex.ts";
import {
  type ReadingOptions,
  type RowBlock,
  type RowRange,
  cutRows,
  readBlocks,
} from "../hdf5/rowBlocks.ts";
import { createRandom, shuffle } from "../random.ts";
import type { Modality } from "./fusion.ts";
import { partsOf, planMixing, rangesInOrder, requestOf } from "./mixing.ts";
import { type Batch, type RowSource, countClasses } from "./rowSource.ts";
import { type Parts, type RowStore, batchOf, copyRow, createStore, putRow } from "./rowStore.ts";

/** How the rows of a file are read and mixed. */
export interface StreamOptions extends ReadingOptions {
  /** Bytes of the rows from which the next one is drawn. */
  readonly bufferBytes: number;
}

/** A set of rows that stays in its file. */
export interface FileSet {
  readonly index: PairedIndex;
  readonly modalities: readonly Modality[];
  /** The class of each row of the file, −1 where it is no part of the set, [N]. */
  readonly classIds: Int32Array;
  readonly classes: number;
}

/**
 * The rows of a set that stays in its file. In an epoch, blocks of rows from all over the file come in a random order
 * into a buffer, and each next row is drawn from anywhere in it. The order depends on the random numbers alone, not
 * on who reads or when.
 */
export function rowsFromFile(set: FileSet, options: StreamOptions): RowSource {
  const { index, modalities, classIds } = set;
  const parts = partsOf(index, modalities);
  const mixing = planMixing(index, modalities, options.bufferBytes);
  const classCounts = countClasses(classIds, set.classes);
  const rows = classCounts.reduce((sum, count) => sum + count, 0);
  let spare: RowStore | undefined; // the buffer, between two epochs
  return {
    rows,
    classCounts,
    async *shuffled(batchSize, random) {
      // A stream of its own: the training's draws stay the same however the rows are read.
      const own = createRandom(Math.floor(random() * 2 ** 32));
      const ranges = shuffle(cutRows(index.rows, mixing.blockRows), own);
      const buffer = spare ?? createStore(parts, Math.min(mixing.bufferRows, rows));
      spare = undefined;
      const mixer = createMixer(buffer, createBatcher(parts, classIds, batchSize), classIds, own);
      try {
        for await (const block of blocksOf(set, ranges, options)) yield* mixer.add(block);
        yield* mixer.drain();
      } finally {
        spare = buffer;
      }
    },
    async *inOrder(batchSize) {
      const batcher = createBatcher(parts, classIds, batchSize);
      const ranges = rangesInOrder(index, modalities);
      for await (const block of blocksOf(set, ranges, options))
        for (const row of rowsIn(block, classIds)) {
          putRow(batcher.store, batcher.next(), block, row);
          yield* batcher.ifFull();
        }
      yield* batcher.rest();
    },
  };
}

/** The blocks of the ranges in which the set has rows. */
function blocksOf(
  { index, modalities, classIds }: FileSet,
  ranges: readonly RowRange[],
  options: ReadingOptions,
): AsyncIterable<RowBlock> {
  const needed = ranges.filter(({ start, stop }) =>
    classIds.subarray(start, stop).some((id) => id !== -1),
  );
  return readBlocks(requestOf(index, modalities), needed, options);
}

/** The rows of a block that are of the set. */
function* rowsIn({ start, stop }: RowRange, classIds: Int32Array): Generator<number> {
  for (let row = start; row < stop; row += 1) if (classIds[row] !== -1) yield row;
}

/** Gathers rows into batches. */
interface Batcher {
  readonly store: RowStore;
  /** The place of the next row in the store. */
  next(): number;
  ifFull(): Generator<Batch>;
  /** What is left when no row is to come. */
  rest(): Generator<Batch>;
}

function createBatcher(parts: Parts, classIds: Int32Array, batchSize: number): Batcher {
  const store = createStore(parts, batchSize);
  let count = 0;
  function* rest(): Generator<Batch> {
    if (count > 0) yield batchOf(store, count, parts, classIds);
    count = 0;
  }
  return {
    store,
    next: () => count++,
    *ifFull() {
      if (count === batchSize) yield* rest();
    },
    rest,
  };
}

/** Takes rows in as they come, and gives them out mixed. */
function createMixer(
  buffer: RowStore,
  batcher: Batcher,
  classIds: Int32Array,
  random: () => number,
) {
  let held = 0;
  return {
    *add(block: RowBlock): Generator<Batch> {
      for (const row of rowsIn(block, classIds)) {
        if (held < buffer.rows.length) {
          putRow(buffer, held, block, row);
          held += 1;
          continue;
        }
        const drawn = Math.floor(random() * held);
        copyRow(buffer, drawn, batcher.store, batcher.next());
        putRow(buffer, drawn, block, row);
        yield* batcher.ifFull();
      }
    },
    *drain(): Generator<Batch> {
      for (; held > 0; held -= 1) {
        const drawn = Math.floor(random() * held);
        copyRow(buffer, drawn, batcher.store, batcher.next());
        copyRow(buffer, held - 1, buffer, drawn);
        yield* batcher.ifFull();
      }
      yield* batcher.rest();
    },
  };
}
