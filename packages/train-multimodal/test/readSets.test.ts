import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { type ReadOptions, type Sets, readSets } from "../src/readSets.ts";
import { type PairsOptions, writePairs } from "./fixture.ts";

async function read(
  pairs: PairsOptions,
  options: Partial<ReadOptions> = {},
): Promise<Sets & { notices: string[] }> {
  const notices: string[] = [];
  const sets = await readSets({
    trainH5: await writePairs(temporaryFolder(), "train.h5", pairs),
    valH5: undefined,
    testH5: undefined,
    modalities: ["image", "audio"],
    preferPairsBase: undefined,
    seed: 1,
    onNotice: (line) => notices.push(line),
    ...options,
  });
  return { ...sets, notices };
}

describe("without a validation file", () => {
  it.each([1, 2, 3, 42])(
    "no speaker stands in both parts, and no row is lost: seed %i",
    async (seed) => {
      const { train, val, notices } = await read({ rows: 163, speakers: 9 }, { seed });
      const [inTrain, inVal] = [new Set(train.groups), new Set(val.groups)];
      expect([...inTrain].filter((speaker) => inVal.has(speaker))).toEqual([]);
      expect(new Set([...train.paths, ...val.paths]).size).toBe(163);
      expect(train.rows + val.rows).toBe(163);
      expect(val.rows / 163).toBeGreaterThanOrEqual(0.2);
      expect(val.rows / 163).toBeLessThan(0.35); // a fifth, and a speaker at most
      expect(notices).toEqual([
        `no --val_h5: ${inVal.size} of 9 speakers (${val.rows} rows) are held out for validation`,
      ]);
    },
  );

  it("the seed chooses the speakers, and nothing else does", async () => {
    const held = async (seed: number) => [...new Set((await read({}, { seed })).val.groups)].sort();
    expect(await held(1)).toEqual(await held(1));
    const drawn = await Promise.all([1, 2, 3, 4, 5].map(held));
    expect(new Set(drawn.map(String)).size).toBeGreaterThan(1);
  });

  it("pairs by label: says that one picture may stand in both parts", async () => {
    const said = async (options: Partial<ReadOptions>) =>
      (await read({ matchBy: "label" }, options)).notices.filter((line) =>
        line.includes("picture"),
      );
    expect(await said({})).toEqual([expect.stringContaining("--val_h5, has pictures apart too")]);
    expect(await said({ modalities: ["audio"] })).toEqual([]);
  });

  it("two speakers: one each", async () => {
    const { train, val } = await read({ speakers: 2 });
    expect([new Set(train.groups).size, new Set(val.groups).size]).toEqual([1, 1]);
  });
});

describe("the rows that are used", () => {
  it.each([
    ["either modality", undefined, 30],
    ["--prefer_pairs_base images", "images", 20],
    ["--prefer_pairs_base audios", "audios", 30],
  ] as const)("%s", async (_name, preferPairsBase, rows) => {
    const { train, val, notices } = await read(
      { rows: 30, missingImages: true },
      { preferPairsBase },
    );
    expect(train.rows + val.rows).toBe(rows);
    expect(
      notices.some((line) => line.includes("10 rows left out (not of --prefer_pairs_base)")),
    ).toBe(rows === 20);
  });

  it("with the image alone, a row without one cannot be used", async () => {
    const { train, val, notices } = await read(
      { rows: 30, missingImages: true },
      { modalities: ["image"] },
    );
    expect(train.rows + val.rows).toBe(20);
    expect(train.audio).toBeUndefined();
    expect(notices[0]).toContain("10 rows left out (none of --modalities)");
  });

  it("a value that is not finite does no harm where its modality is not used", async () => {
    const { train } = await read({ badValue: NaN }, { modalities: ["image"] });
    expect(train.rows).toBeGreaterThan(0);
  });
});
