import type { RowValues } from "@emotion-service/core/model/dataset";
import { type Batch, type RowSource, rowsInMemory } from "@emotion-service/core/model/rowSource";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { planted } from "./planted.ts";

const ROWS = 50;

/** A source in which the class of a row is its own number: it says which rows a batch has. */
function numbered(dataset: RowValues = planted({ rows: ROWS }).dataset): RowSource {
  const classIds = Int32Array.from({ length: dataset.rows }, (_, row) => row);
  return rowsInMemory(dataset, classIds, dataset.rows);
}

async function taken(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(batch);
  return all;
}

/** The numbers of the rows that come, in order. */
async function orderOf(batches: AsyncIterable<Batch>): Promise<number[]> {
  return (await taken(batches)).flatMap(({ classIds }) => [...classIds]);
}

const FILE_ORDER = Array.from({ length: ROWS }, (_, row) => row);

describe("an epoch", () => {
  it("has every row exactly once, in an order of its own", async () => {
    const source = numbered();
    const random = createRandom(5);
    const [first, second] = [
      await orderOf(source.shuffled(8, random)),
      await orderOf(source.shuffled(8, random)),
    ];
    for (const order of [first, second]) {
      expect(order.toSorted((a, b) => a - b)).toEqual(FILE_ORDER);
      expect(order).not.toEqual(FILE_ORDER);
    }
    expect(second).not.toEqual(first);
  });

  it("has the same order for the same seed, whatever went before, and another for another", async () => {
    const used = numbered();
    await orderOf(used.shuffled(8, createRandom(1)));
    const order = await orderOf(numbered().shuffled(8, createRandom(5)));
    expect(await orderOf(used.shuffled(8, createRandom(5)))).toEqual(order);
    expect(await orderOf(used.shuffled(8, createRandom(6)))).not.toEqual(order);
  });

  it("has one order, of which a batch is more or less", async () => {
    const [small, large] = [
      await orderOf(numbered().shuffled(3, createRandom(5))),
      await orderOf(numbered().shuffled(64, createRandom(5))),
    ];
    expect(small).toEqual(large);
  });
});

it("without shuffling, rows come in the order of the file", async () => {
  expect(await orderOf(numbered().inOrder(8))).toEqual(FILE_ORDER);
});

it.each([
  [8, [8, 8, 8, 8, 8, 8, 2]],
  [25, [25, 25]],
  [49, [49, 1]],
  [64, [50]],
])("of 50 rows in batches of %i, the last has what is left", async (batchSize, sizes) => {
  for (const batches of [
    numbered().inOrder(batchSize),
    numbered().shuffled(batchSize, createRandom(2)),
  ]) {
    const all = await taken(batches);
    expect(all.map(({ rows }) => rows)).toEqual(sizes);
    for (const { rows, parts, classIds } of all) {
      expect(classIds).toHaveLength(rows);
      expect(parts.image!.values).toHaveLength(rows * 6);
      expect(parts.audio!.values).toHaveLength(rows * 5);
      expect(parts.audio!.present).toHaveLength(rows);
    }
  }
});

it("a row's values and presence go with it; zeros stand for what is absent, be it NaN", async () => {
  const { dataset } = planted({ rows: ROWS, withoutImage: (row) => row % 4 === 1 });
  const image = dataset.image!;
  const data = image.values.data.map((value) => (value === 1e3 ? NaN : value));
  const source = numbered({ ...dataset, image: { ...image, values: { ...image.values, data } } });
  let absent = 0;
  for (const { parts, classIds } of await taken(source.shuffled(8, createRandom(3))))
    for (const [i, row] of classIds.entries()) {
      const isAbsent = row % 4 === 1;
      absent += Number(isAbsent);
      expect([...parts.image!.values.subarray(i * 6, (i + 1) * 6)]).toEqual(
        isAbsent ? [0, 0, 0, 0, 0, 0] : [...data.subarray(row * 6, (row + 1) * 6)],
      );
      expect(parts.image!.present[i]).toBe(isAbsent ? 0 : 1);
      expect([...parts.audio!.values.subarray(i * 5, (i + 1) * 5)]).toEqual([
        ...dataset.audio!.values.data.subarray(row * 5, (row + 1) * 5),
      ]);
      expect(parts.audio!.present[i]).toBe(1);
    }
  expect(absent).toBe(13);
});

it("hiding a modality of a batch hides it in that batch alone", async () => {
  const { dataset } = planted({ rows: 4, withoutImage: (row) => row === 1 });
  const source = numbered(dataset);
  for await (const batch of source.inOrder(4)) {
    expect([...batch.parts.image!.present]).toEqual([1, 0, 1, 1]);
    batch.parts.image!.present.fill(0);
    batch.parts.image!.values.fill(9);
  }
  const [again] = await taken(source.inOrder(4));
  expect([...again!.parts.image!.present]).toEqual([1, 0, 1, 1]);
  expect([...again!.parts.image!.values.subarray(0, 6)]).toEqual([
    ...dataset.image!.values.data.subarray(0, 6),
  ]);
  expect([...dataset.image!.present]).toEqual([1, 0, 1, 1]);
});

it("has only the modalities of the set", async () => {
  const { image: _, ...audioAlone } = planted({ rows: 4 }).dataset;
  const [batch] = await taken(numbered(audioAlone).inOrder(4));
  expect(Object.keys(batch!.parts)).toEqual(["audio"]);
});

it("counts the rows of each class, those of none too", () => {
  const { dataset } = planted({ rows: 5 });
  const source = rowsInMemory(dataset, Int32Array.of(0, 3, 3, 1, 3), 5);
  expect(source.rows).toBe(5);
  expect([...source.classCounts]).toEqual([1, 1, 0, 3, 0]);
});
