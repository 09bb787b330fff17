import { existsSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { indexPaired } from "@emotion-service/core/hdf5/pairedIndex";
import { EMOTIONS } from "@emotion-service/core/labels";
import { planMixing } from "@emotion-service/core/model/mixing";
import type { Batch, RowSource } from "@emotion-service/core/model/rowSource";
import { type StreamOptions, rowsFromFile } from "@emotion-service/core/model/rowsFromFile";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { type Pairs, writeSomePairs } from "./pairs.ts";

/** A thread reads no TypeScript: the built worker. */
const workerScript = new URL("../../dist/hdf5/blockWorker.js", import.meta.url);
/** Blocks of 4 rows of 10 values, 1024 rows of them in the buffer. */
const HERE: StreamOptions = { prefetch: false, workers: 1, bufferBytes: 40_960, workerScript };
const AHEAD: StreamOptions = { ...HERE, prefetch: true, workers: 2 };

const indexOf = (path: string) => indexPaired(path, "--train_h5", () => undefined);

/** The rows of a file, those without a class (−1) left out. */
async function open(
  pairs: Pairs,
  options: Partial<StreamOptions> = {},
  classIds: Int32Array = pairs.emotions,
  modalities: readonly ("image" | "audio")[] = ["image", "audio"],
): Promise<RowSource> {
  const index = await indexOf(pairs.path);
  const set = { index, modalities, classIds, classes: EMOTIONS.length };
  return rowsFromFile(set, { ...HERE, ...options });
}

/** Copies of the batches: their arrays are good for one turn. */
async function taken(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(structuredClone(batch));
  return all;
}

/** The numbers of the rows that come, in order: the first value of the audio. */
async function orderOf(batches: AsyncIterable<Batch>): Promise<number[]> {
  return (await taken(batches)).flatMap(({ rows, parts: { audio } }) =>
    Array.from({ length: rows }, (_, i) => audio!.values[(i * audio!.values.length) / rows]!),
  );
}

const numbers = (rows: number): number[] => Array.from({ length: rows }, (_, row) => row);
const ascending = (a: number, b: number): number => a - b;

describe("an epoch of rows that stay in their file", () => {
  it.each([
    ["contiguous", {}],
    ["in chunks", { chunks: [16, 8] as const }],
    ["in chunks of some columns, gzip", { chunks: [33, 2] as const, gzip: true }],
    ["in one chunk", { chunks: [1000, 8] as const }],
  ])("has every row once, as it stands in the file: %s", async (_name, layout) => {
    const pairs = await writeSomePairs({ ...layout, missingImages: true });
    const source = await open(pairs);
    expect(source.rows).toBe(1000);
    for (const batches of [source.shuffled(64, createRandom(1)), source.inOrder(64)]) {
      const seen: number[] = [];
      for (const { rows, parts, classIds } of await taken(batches))
        for (let i = 0; i < rows; i += 1) {
          const row = parts.audio!.values[4 * i]!;
          seen.push(row);
          const isThere = pairs.imagePresent[row] === 1;
          expect([...parts.audio!.values.subarray(4 * i, 4 * i + 4)]).toEqual([
            ...pairs.audio.subarray(4 * row, 4 * row + 4),
          ]);
          expect([...parts.image!.values.subarray(6 * i, 6 * i + 6)]).toEqual(
            isThere ? [...pairs.image.subarray(6 * row, 6 * row + 6)] : [0, 0, 0, 0, 0, 0],
          );
          expect([parts.image!.present[i], parts.audio!.present[i]]).toEqual([Number(isThere), 1]);
          expect(classIds[i]).toBe(pairs.emotions[row]);
        }
      expect(seen.sort(ascending)).toEqual(numbers(1000));
    }
  });

  it("comes in full batches, the last with what is left", async () => {
    const source = await open(await writeSomePairs());
    for (const batches of [source.shuffled(64, createRandom(1)), source.inOrder(64)]) {
      const sizes = (await taken(batches)).map(({ rows }) => rows);
      expect(sizes).toEqual([...Array.from({ length: 15 }, () => 64), 40]);
    }
  });

  it("in order, is in the order of the file", async () => {
    const source = await open(await writeSomePairs({ chunks: [16, 8] }));
    expect(await orderOf(source.inOrder(64))).toEqual(numbers(1000));
  });

  it("has only the rows and the modalities of the set", async () => {
    const pairs = await writeSomePairs();
    const classIds = pairs.emotions.map((id, row) => (row % 3 === 0 && row < 500 ? id : -1));
    const source = await open(pairs, {}, classIds, ["audio"]);
    const own = numbers(500).filter((row) => row % 3 === 0);
    expect(source.rows).toBe(own.length);
    expect([...source.classCounts]).toEqual(
      EMOTIONS.map((_, id) => own.filter((row) => pairs.emotions[row] === id).length),
    );
    expect(await orderOf(source.inOrder(64))).toEqual(own);
    const batches = await taken(source.shuffled(64, createRandom(1)));
    expect(batches.map(({ parts }) => Object.keys(parts))).toEqual([
      ["audio"],
      ["audio"],
      ["audio"],
    ]);
    expect((await orderOf(source.shuffled(64, createRandom(1)))).sort(ascending)).toEqual(own);
  });

  it("has an order that the seed chooses, whoever reads and how many", async () => {
    const pairs = await writeSomePairs({ rows: 3000 });
    const orders = await Promise.all(
      [HERE, AHEAD, { ...AHEAD, workers: 1 }, { ...AHEAD, workers: 5 }].map(async (options) => {
        const source = await open(pairs, options);
        const random = createRandom(5);
        const epochs = [
          await orderOf(source.shuffled(64, random)),
          await orderOf(source.shuffled(64, random)),
        ];
        return { epochs, next: random() };
      }),
    );
    for (const order of orders) expect(order).toEqual(orders[0]);
    const [first, second] = orders[0]!.epochs;
    expect(second).not.toEqual(first);
    const other = await orderOf((await open(pairs)).shuffled(64, createRandom(6)));
    expect(other).not.toEqual(first);
    expect(other.sort(ascending)).toEqual(numbers(3000));
  });
});

/**
 * How far the classes of batches are from those of rows drawn at random: the mean over batches of Pearson's chi-squared
 * by its degrees of freedom, 1 for perfect mixing, the size of a batch where each is of one class.
 */
async function unevenness(source: RowSource, batchSize: number): Promise<number> {
  let sum = 0;
  let batches = 0;
  for await (const { rows, classIds } of source.shuffled(batchSize, createRandom(1))) {
    if (rows < batchSize) continue;
    for (const [id, total] of source.classCounts.entries()) {
      const expected = (rows * total) / source.rows;
      const count = classIds.reduce((n, other) => n + Number(other === id), 0);
      sum += (count - expected) ** 2 / expected / (EMOTIONS.length - 1);
    }
    batches += 1;
  }
  return sum / batches;
}

describe("a file that is sorted by label", () => {
  it("is mixed about as well as rows drawn at random, the buffer being an eighth of it", async () => {
    const pairs = await writeSomePairs({ rows: 20_000, sorted: true });
    const bytes = 20_000 * 10 * 4;
    // 2500 rows of 9 at a place: of 277 places.
    const value = await unevenness(await open(pairs, { bufferBytes: bytes / 8 }), 64);
    expect(value).toBeLessThan(1.25);
    expect(value).toBeGreaterThan(0.8);
  });

  it("would not be with rows of few places", async () => {
    const pairs = await writeSomePairs({ rows: 20_000, sorted: true, chunks: [500, 8] });
    const value = await unevenness(await open(pairs, { bufferBytes: 500 * 10 * 4 }), 64);
    expect(value).toBeGreaterThan(2);
  });

  it("has its buffer enlarged where many rows are stored together, within limits", async () => {
    const sizes = async (chunkRows: number, bufferRows: number) => {
      const pairs = await writeSomePairs({ rows: 4000, chunks: [chunkRows, 8] });
      return planMixing(await indexOf(pairs.path), ["image", "audio"], bufferRows * 40);
    };
    expect(await sizes(1, 2560)).toEqual({ blockRows: 10, bufferRows: 2560 });
    expect(await sizes(4, 2560)).toEqual({ blockRows: 8, bufferRows: 2560 });
    expect(await sizes(200, 2560)).toEqual({ blockRows: 200, bufferRows: 3200 });
    expect(await sizes(4000, 2560)).toEqual({ blockRows: 4000, bufferRows: 10_240 });
  });
});

/** Threads that this process has now (Linux). */
function threads(): number {
  return existsSync("/proc/self/task") ? readdirSync("/proc/self/task").length : 0;
}

describe.each([
  ["here", HERE],
  ["ahead", AHEAD],
])("reading %s", (_name, options) => {
  it("names a file that cannot be read on the way, and ends", async () => {
    const pairs = await writeSomePairs({ rows: 5000, chunks: [50, 8], gzip: true });
    const source = await open(pairs, options);
    const bytes = readFileSync(pairs.path);
    bytes.fill(0xff, 30_000, 31_000); // amid the compressed images, which come first
    writeFileSync(pairs.path, bytes);
    await expect(taken(source.shuffled(64, createRandom(1)))).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringContaining(`--train_h5 ${pairs.path}: cannot be read (`) as unknown,
    });
  });

  it("names a file that was cut short since, once", async () => {
    const pairs = await writeSomePairs({ rows: 500 });
    const source = await open(pairs, options);
    writeFileSync(pairs.path, readFileSync(pairs.path).subarray(0, 3000));
    const message = await taken(source.shuffled(64, createRandom(1))).then(
      () => "",
      (error: Error) => error.message,
    );
    expect(message).toContain(`--train_h5 ${pairs.path}: cannot be read`);
    expect(message.split("--train_h5")).toHaveLength(2);
  });

  it("stops when it is told to", async () => {
    const controller = new AbortController();
    const source = await open(await writeSomePairs({ rows: 5000 }), {
      ...options,
      signal: controller.signal,
    });
    let batches = 0;
    const reading = (async () => {
      for await (const _ of source.shuffled(64, createRandom(1)))
        if ((batches += 1) === 2) controller.abort();
    })();
    await expect(reading).rejects.toMatchObject({ code: "E_ABORTED" });
    expect(batches).toBeLessThan(79);
  });

  it("leaves no thread behind, an epoch that is left early neither; the next epoch is whole", async () => {
    const source = await open(await writeSomePairs({ rows: 5000 }), options);
    const before = threads();
    for await (const _ of source.shuffled(64, createRandom(1))) break;
    expect(threads()).toBeLessThanOrEqual(before);
    expect((await orderOf(source.shuffled(64, createRandom(1)))).sort(ascending)).toEqual(
      numbers(5000),
    );
  });
});
