import type { Batch } from "@emotion-service/core/model/rowSource";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { type Choice, type Choices, chooseRows } from "../src/chooseRows.ts";
import { type ReadOptions, type Sets, readSets } from "../src/readSets.ts";
import { type PairsOptions, writePairs } from "./fixture.ts";

const MEBIBYTE = 2 ** 20;

async function optionsFor(
  pairs: PairsOptions,
  options: Partial<ReadOptions>,
): Promise<ReadOptions & { notices: string[] }> {
  const notices: string[] = [];
  return {
    trainH5: await writePairs(temporaryFolder(), "train.h5", pairs),
    valH5: undefined,
    testH5: undefined,
    modalities: ["image", "audio"],
    preferPairsBase: undefined,
    seed: 1,
    memoryBytes: MEBIBYTE,
    prefetch: false,
    workers: 1,
    onNotice: (line) => notices.push(line),
    notices,
    ...options,
  };
}

async function choose(
  pairs: PairsOptions,
  options: Partial<ReadOptions> = {},
): Promise<Choices & { notices: string[] }> {
  const all = await optionsFor(pairs, options);
  return { ...(await chooseRows(all)), notices: all.notices };
}

const speakers = ({ index, rows }: Choice): Set<string> =>
  new Set([...rows].map((row) => index.groupNames[index.groups[row]!]!));

describe("without a validation file", () => {
  it.each([1, 2, 3, 42])(
    "no speaker stands in both parts, and no row is lost: seed %i",
    async (seed) => {
      const { train, val, notices } = await choose({ rows: 163, speakers: 9 }, { seed });
      const [inTrain, inVal] = [speakers(train), speakers(val)];
      expect([...inTrain].filter((speaker) => inVal.has(speaker))).toEqual([]);
      expect(new Set([...train.rows, ...val.rows]).size).toBe(163);
      expect(train.rows.length + val.rows.length).toBe(163);
      expect(val.rows.length / 163).toBeGreaterThanOrEqual(0.2);
      expect(val.rows.length / 163).toBeLessThan(0.35); // a fifth, and a speaker at most
      expect(notices).toEqual([
        `no --val_h5: ${inVal.size} of 9 speakers (${val.rows.length} rows) are held out for validation`,
      ]);
    },
  );

  it("the seed chooses the speakers, and nothing else does", async () => {
    const held = async (seed: number) => [...speakers((await choose({}, { seed })).val)].sort();
    expect(await held(1)).toEqual(await held(1));
    const drawn = await Promise.all([1, 2, 3, 4, 5].map(held));
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(1);
  });

  it("pairs by label: says that one picture may stand in both parts", async () => {
    const said = async (options: Partial<ReadOptions>) =>
      (await choose({ matchBy: "label" }, options)).notices.filter((line) =>
        line.includes("picture"),
      );
    expect(await said({})).toEqual([expect.stringContaining("--val_h5, has pictures apart too")]);
    expect(await said({ modalities: ["audio"] })).toEqual([]);
  });

  it("two speakers: one each", async () => {
    const { train, val } = await choose({ speakers: 2 });
    expect([speakers(train).size, speakers(val).size]).toEqual([1, 1]);
  });
});

describe("the rows that are used", () => {
  it.each([
    ["either modality", undefined, 30],
    ["--prefer_pairs_base images", "images", 20],
    ["--prefer_pairs_base audios", "audios", 30],
  ] as const)("%s", async (_name, preferPairsBase, rows) => {
    const { train, val, notices } = await choose(
      { rows: 30, missingImages: true },
      { preferPairsBase },
    );
    expect(train.rows.length + val.rows.length).toBe(rows);
    expect(
      notices.some((line) => line.includes("10 rows left out (not of --prefer_pairs_base)")),
    ).toBe(rows === 20);
  });

  it("with the image alone, a row without one cannot be used", async () => {
    const { train, val, notices } = await choose(
      { rows: 30, missingImages: true },
      { modalities: ["image"] },
    );
    expect(train.rows.length + val.rows.length).toBe(20);
    expect(notices[0]).toContain("10 rows left out (none of --modalities)");
  });
});

/** The sets, read whole or (where memory is given) from their files. */
async function read(
  pairs: PairsOptions,
  options: Partial<ReadOptions> = {},
): Promise<Sets & { notices: string[] }> {
  const all = await optionsFor(pairs, options);
  return { ...(await readSets(all)), notices: all.notices };
}

/** Less than the 160 rows of 11 values take. */
const LITTLE = 4000;

async function taken(batches: AsyncIterable<Batch>): Promise<Batch[]> {
  const all: Batch[] = [];
  for await (const batch of batches) all.push(structuredClone(batch));
  return all;
}

describe("the values of the rows", () => {
  it("are of one file for training and held-out rows, those of neither left out", async () => {
    const { train, val, classes, inputs, matchBy } = await read(
      { rows: 160, labels: ["happy", "unknown", "sad", "fear"] },
      {},
    );
    expect(classes).toEqual(["fear", "happy", "sad"]);
    expect(train.rows + val.rows).toBe(120);
    expect([...train.classCounts].reduce((a, b) => a + b)).toBe(train.rows);
    expect(matchBy).toBe("id");
    expect(inputs).toMatchObject({
      image: { encoder: { model: "face" } },
      audio: { encoder: { model: "audio_stats" } },
    });
  });

  it("that are not finite do no harm where their modality is not used", async () => {
    for (const memoryBytes of [MEBIBYTE, 1000]) {
      const options = { modalities: ["image" as const], memoryBytes };
      const { train } = await read({ badValue: NaN }, options);
      expect(train.rows).toBeGreaterThan(0);
      const all = read({ badValue: Infinity }, { memoryBytes });
      await expect(all).rejects.toMatchObject({
        code: "E_INPUT_BROKEN",
        message: expect.stringContaining("in row 2 (2/1001_DFA_ANG_XX.wav)") as unknown,
      });
    }
  });

  it("are the same from the file as from memory: rows, classes, statistics, notices", async () => {
    const folder = temporaryFolder();
    const pairs = {
      missingImages: true,
      labels: ["happy", "unknown", "sad", "angry"],
      matchBy: "label",
    };
    const files = {
      trainH5: await writePairs(folder, "train.h5", pairs),
      testH5: await writePairs(folder, "test.h5", { rows: 120, seed: 2 }),
    };
    const [whole, streamed] = [
      await read({}, files),
      await read({}, { ...files, memoryBytes: LITTLE }),
    ];
    expect(streamed.classes).toEqual(whole.classes);
    for (const name of ["train", "val", "test"] as const) {
      const [expected, actual] = [whole[name]!, streamed[name]!];
      expect(actual.rows).toBe(expected.rows);
      expect(actual.classCounts).toEqual(expected.classCounts);
      expect(await taken(actual.inOrder(32))).toEqual(await taken(expected.inOrder(32)));
    }
    for (const modality of ["image", "audio"] as const)
      for (const part of ["mean", "deviation"] as const)
        expect(streamed.inputs[modality]!.standardisation[part]).toBeAllClose(
          whole.inputs[modality]!.standardisation[part],
          { rtol: 1e-6, atol: 1e-7 },
        );
    const streaming = (line: string): boolean => line.includes("are read from the file");
    expect(streamed.notices.filter(streaming)).toHaveLength(2);
    expect(streamed.notices.filter((line) => !streaming(line))).toEqual(whole.notices);
    expect(whole.notices.length).toBeGreaterThan(3);
  });

  it("stay in the file only where they do not fit in memory with those read before", async () => {
    const folder = temporaryFolder();
    const valH5 = await writePairs(folder, "val.h5", { rows: 200, seed: 2, firstSpeaker: 2001 });
    const testH5 = await writePairs(folder, "test.h5", { rows: 20, seed: 3, firstSpeaker: 3001 });
    // 160, 200 and 20 rows of 11 values: the first and the last fit.
    const { notices } = await read({}, { valH5, testH5, memoryBytes: 180 * 11 * 4 });
    expect(notices).toEqual([expect.stringContaining(`${valH5}: its values take`)]);
  });

  it("stop being read when they are to", async () => {
    const controller = new AbortController();
    for (const memoryBytes of [MEBIBYTE, LITTLE]) {
      const reading = read({}, { memoryBytes, signal: controller.signal });
      controller.abort();
      await expect(reading).rejects.toMatchObject({ code: "E_ABORTED" });
    }
  });

  it("are said to mix badly where the file stores too many rows together", async () => {
    const said = async (options: Partial<ReadOptions>) =>
      (await read({ rows: 4000 }, options)).notices.filter((line) => line.includes("are mixed"));
    expect(await said({ memoryBytes: 44 * 1000 })).toEqual([]);
    expect(await said({ memoryBytes: 44 * 40 })).toEqual([
      expect.stringContaining("rows of only 40 places are mixed at a time"),
    ]);
  });
});
