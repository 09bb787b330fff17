import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readAttributes, readH5 } from "@emotion-service/core/hdf5/file";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { mergeH5 } from "../src/mergeH5.ts";
import {
  FIXED,
  type MadeRun,
  RAGGED,
  madePaths,
  writeMade,
  writeMadeManifest,
  writeShards,
} from "./made.ts";

/** Makes a run whole and in shards, merges these, and expects the bytes of the whole. */
async function expectWhole(run: MadeRun, count: number): Promise<void> {
  const folder = temporaryFolder();
  const at = (name: string): string => join(folder, name);
  const { shards, manifests } = await writeShards(folder, run, count);
  await writeMade(at("whole.h5"), run);
  writeMadeManifest(at("whole.csv"), run);
  await mergeH5({
    shards: shards.toReversed(),
    outH5: at("merged.h5"),
    manifests: { files: manifests, out: at("merged.csv") },
    batchRows: run.batchRows ?? 4,
  });
  const areSame = (a: string, b: string): boolean =>
    readFileSync(at(a)).equals(readFileSync(at(b)));
  expect(areSame("merged.h5", "whole.h5")).toBe(true);
  expect(areSame("merged.csv", "whole.csv")).toBe(true);
}

describe("shards become the file that one run writes, to the byte", () => {
  const inputs = madePaths(23);
  const failed = ["speaker 0/take_3.wav", "speaker 1/take_10.wav"];
  const runs: [string, MadeRun][] = [
    ["fixed", { inputs }],
    ["ragged", { inputs, config: RAGGED }],
    ["fixed, gzip", { inputs, compression: "gzip" }],
    ["ragged, gzip", { inputs, config: RAGGED, compression: "gzip" }],
    ["with extras", { inputs, extras: ["mfcc", "rms"] }],
    ["ragged with extras", { inputs, config: RAGGED, extras: ["chroma", "zcr"] }],
    ["with files that failed", { inputs, failed }],
    ["one row a batch", { inputs, config: RAGGED, batchRows: 1 }],
    ["all rows in a batch", { inputs, batchRows: 64 }],
  ];
  it.each(runs)("%s: 1, 3 and more shards than files", async (_, run) => {
    for (const count of [1, 3, 40]) await expectWhole(run, count);
  });

  it("more rows than are read at a time", async () => {
    await expectWhole({ inputs: madePaths(1500), batchRows: 64 }, 2);
  });

  it("whatever the files are called, and whichever failed", async () => {
    const name = fc
      .string({ unit: "grapheme", minLength: 1 })
      .filter((text) => !text.includes("\0"));
    const files = fc.uniqueArray(fc.tuple(name, fc.boolean()), {
      minLength: 1,
      maxLength: 12,
      selector: ([path]) => path,
    });
    await fc.assert(
      fc.asyncProperty(files, fc.integer({ min: 1, max: 5 }), async (all, count) => {
        const run = {
          inputs: all.map(([path]) => path).sort(),
          failed: all.filter(([, isFailed]) => isFailed).map(([path]) => path),
        };
        fc.pre(run.failed.length < run.inputs.length);
        await expectWhole(run, count);
      }),
      { numRuns: 15 },
    );
  });
});

describe("the merged file", () => {
  const inputs = madePaths(9);
  const merge = async (edit: (shards: readonly string[]) => Promise<void> | void) => {
    const folder = temporaryFolder();
    const { shards } = await writeShards(folder, { inputs, failed: inputs.slice(0, 1) }, 3);
    await edit(shards);
    const outH5 = join(folder, "merged.h5");
    const summary = await mergeH5({ shards, outH5, batchRows: 64 });
    return { summary, attributes: await readH5(outH5, "--in", readAttributes) };
  };

  it("says nothing of shards, counts what failed, and tells what it holds", async () => {
    const { summary, attributes } = await merge(() => {});
    expect(Object.keys(attributes)).not.toEqual(
      expect.arrayContaining([expect.stringMatching(/^(shard|inputs)/)]),
    );
    expect(attributes).toMatchObject({ num_samples: 8, errors: 1 });
    expect(summary).toMatchObject({ out_manifest: null, shards: 3, written: 8, failed: 1 });
    expect(Object.values(summary.labels).reduce((a, b) => a + b)).toBe(8);
  });

  it("has the folder's name of the first shard, whatever the machines called it", async () => {
    const run: MadeRun = { inputs, failed: inputs.slice(0, 1) };
    const { attributes } = await merge(async (shards) => {
      for (const [i, path] of shards.entries())
        await writeMade(
          path,
          { ...run, audioDir: `/node${i + 1}/clips` },
          { index: i + 1, count: 3, source: "" },
        );
    });
    expect(attributes["audio_dir"]).toBe("/node1/clips");
  });

  it("keeps attributes that a later version may add", async () => {
    const folder = temporaryFolder();
    const run: MadeRun = { inputs, config: FIXED, attributes: { created_by: "later", channel: 2 } };
    const { shards } = await writeShards(folder, run, 2);
    const outH5 = join(folder, "merged.h5");
    await mergeH5({ shards, outH5, batchRows: 64 });
    expect(await readH5(outH5, "--in", readAttributes)).toMatchObject({
      created_by: "later",
      channel: 2,
    });
  });
});

it("a single file that is no shard is the whole already: it is written as it is", async () => {
  const folder = temporaryFolder();
  const [whole, outH5] = [join(folder, "whole.h5"), join(folder, "merged.h5")];
  const inputs = madePaths(5);
  await writeMade(whole, { inputs, failed: inputs.slice(0, 2) });
  const summary = await mergeH5({ shards: [whole], outH5, batchRows: 4 });
  expect(summary).toMatchObject({ shards: 1, written: 3, failed: 2 });
  expect(readFileSync(outH5).equals(readFileSync(whole))).toBe(true);
});

it("progress comes row by row", async () => {
  const folder = temporaryFolder();
  const { shards } = await writeShards(folder, { inputs: madePaths(5) }, 2);
  const seen: string[] = [];
  await mergeH5({
    shards,
    outH5: join(folder, "merged.h5"),
    batchRows: 64,
    onProgress: (done, total, unit) => seen.push(`${done}/${total} ${unit}`),
  });
  expect(seen).toEqual(["1/5 rows", "2/5 rows", "3/5 rows", "4/5 rows", "5/5 rows"]);
});
