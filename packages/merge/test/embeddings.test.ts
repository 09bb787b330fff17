import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { writeCsv } from "@emotion-service/core/files/manifest";
import { isInShard } from "@emotion-service/core/files/shard";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import { type Split, writeEmbeddingGroups } from "@emotion-service/core/hdf5/embeddings";
import { shardAttributes } from "@emotion-service/core/hdf5/shardAttributes";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { writeFaceSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { madePaths, shard, writeMade } from "./made.ts";

const ENCODER: EncoderInfo = {
  model: "face",
  weightsSha256: "ab",
  featureConfig: '{"face_crop":"auto","audio":{"sr":16000}}',
  dim: 3,
};

/** A run of embed, its files made without any network. */
interface MadeRun {
  readonly inputs: readonly string[];
  readonly failed?: readonly string[];
  readonly encoder?: EncoderInfo;
  /** The folder train or test decides the group. */
  readonly hasSplits?: boolean;
}

/** The row that a path alone decides. */
function rowOf(path: string): Float32Array {
  const random = createRandom(Buffer.from(path).reduce((sum, byte) => sum + byte, 0));
  return Float32Array.from({ length: ENCODER.dim }, random);
}

/** Writes what a run would write, its manifest too: of all its files, or of shard `index` of `count`. */
async function writeRun(base: string, run: MadeRun, index = 1, count = 1): Promise<void> {
  const { inputs, failed = [], encoder = ENCODER, hasSplits = false } = run;
  const place = count === 1 ? undefined : shard(index, count);
  const slice = inputs.filter((path) => place === undefined || isInShard(path, place));
  const written = slice.filter((path) => !failed.includes(path));
  const names: readonly Split[] = hasSplits ? ["train", "test"] : ["all"];
  const groups = names.flatMap((name) => {
    const paths = written.filter((path) => !hasSplits || path.startsWith(name));
    const labels = paths.map((path) => (path.length % 2 === 0 ? "sad" : "happy"));
    return paths.length === 0 ? [] : [[name, { paths, labels, rows: paths.map(rowOf) }] as const];
  });
  const errors = slice.length - written.length;
  const attributes = { errors, ...shardAttributes(place, inputs) };
  await writeEmbeddingGroups(`${base}.h5`, { encoder, attributes }, new Map(groups));
  const lines = slice.map((path) => ({
    path,
    status: written.includes(path) ? "ok" : "failed",
  }));
  writeCsv(`${base}.csv`, ["path", "status"], lines);
}

const merge = (folder: string, args: readonly string[]) =>
  runInProcess(createProgram, [...args, "--out_h5", "all.h5"], { cwd: folder });

/** Makes a run whole and in shards, merges these, and expects the bytes of the whole. */
async function expectWhole(run: MadeRun, count: number): Promise<void> {
  const folder = temporaryFolder();
  const numbers = Array.from({ length: count }, (_, i) => i + 1);
  for (const n of numbers) await writeRun(join(folder, `s${n}`), run, n, count);
  await writeRun(join(folder, "whole"), run);
  const manifests = [
    "--manifests",
    ...numbers.map((n) => `s${n}.csv`),
    "--out_manifest",
    "all.csv",
  ];
  const shards = numbers.map((n) => `s${n}.h5`).toReversed();
  expect(await merge(folder, [...shards, ...manifests])).toMatchObject({ exitCode: 0, stderr: "" });
  for (const kind of ["h5", "csv"]) {
    const [all, whole] = ["all", "whole"].map((name) =>
      readFileSync(join(folder, `${name}.${kind}`)),
    );
    expect(all?.equals(whole!)).toBe(true);
  }
}

describe("shards of embeddings become the file that one run writes, to the byte", () => {
  const inputs = madePaths(23);
  const split = inputs.map((path, i) => `${i % 3 === 0 ? "test" : "train"}/${path}`).toSorted();
  const runs: [string, MadeRun][] = [
    ["one group", { inputs }],
    ["with inputs that failed", { inputs, failed: inputs.slice(3, 6) }],
    ["groups train and test", { inputs: split, hasSplits: true }],
    ["more rows than are read at a time", { inputs: madePaths(700) }],
  ];
  it.each(runs)("%s: 1, 3 and more shards than inputs", async (_, run) => {
    for (const count of run.inputs.length > 100 ? [2] : [1, 3, 40]) await expectWhole(run, count);
  });

  it("those of embed itself", async () => {
    const folder = temporaryFolder();
    await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
    for (const part of ["train", "test"])
      for (const name of ["happy/happy_001.jpg", "sad/sad_001.jpg", "angry/angry_001.jpg"]) {
        const target = join(folder, "tree", part, name);
        mkdirSync(dirname(target), { recursive: true });
        copyFileSync(join(folder, "faces", name), target);
      }
    writeFileSync(join(folder, "tree/test/happy/broken.jpg"), "no picture");
    const flags = ["--images_dir", "tree", "--face_crop", "off", "--quiet"];
    for (const more of [["whole.h5"], ["s1.h5", "--shard", "1/2"], ["s2.h5", "--shard", "2/2"]])
      expect(
        await runCommand("embed", [...flags, "--out_h5", ...more], { cwd: folder }),
      ).toMatchObject({ exitCode: 0 });
    const manifests = ["--manifests", "s1_manifest.csv", "s2_manifest.csv"];
    const { stdout } = await merge(folder, [
      "s2.h5",
      "s1.h5",
      ...manifests,
      "--out_manifest",
      "all.csv",
    ]);
    expect(stdout).toContain("6 rows of 2 shards written to all.h5");
    expect(stdout).toContain("failed, without a row: 1");
    expect(
      readFileSync(join(folder, "all.h5")).equals(readFileSync(join(folder, "whole.h5"))),
    ).toBe(true);
    expect(readFileSync(join(folder, "all.csv"))).toEqual(
      readFileSync(join(folder, "whole_manifest.csv")),
    );
  });
});

describe("merge-h5 refuses, of embeddings,", () => {
  const RUN: MadeRun = { inputs: madePaths(12) };
  const second = (change: Partial<MadeRun>) => (folder: string) =>
    writeRun(join(folder, "s2"), { ...RUN, ...change }, 2, 3);
  const NAMES = ["s1.h5", "s2.h5", "s3.h5"];

  const cases: [
    string,
    (folder: string) => Promise<void> | void,
    readonly string[],
    string,
    string,
  ][] = [
    [
      "shards of other encoder settings",
      second({
        encoder: { ...ENCODER, featureConfig: '{"face_crop":"off","audio":{"sr":8000}}' },
      }),
      NAMES,
      "s2.h5: made with other settings than s1.h5: face_crop is off, must be auto; audio.sr is 8000, must be 16000",
      "run the shards with the same flags",
    ],
    [
      "shards of another network",
      second({ encoder: { ...ENCODER, weightsSha256: "cd" } }),
      NAMES,
      "s2.h5: made with other settings than s1.h5: weights_sha256 is cd, must be ab",
      "run the shards with the same flags",
    ],
    [
      "a missing shard",
      () => {},
      ["s1.h5", "s3.h5"],
      "<shards>: must be all 3 of the whole, 2 is missing",
      "run embed --shard 2/3, or name its file",
    ],
    [
      "a file that is no shard",
      (folder) => writeRun(join(folder, "whole"), RUN),
      ["s1.h5", "whole.h5"],
      "whole.h5: must be a shard, lacks the attributes 'shard' (such as 2/8), 'inputs' and 'inputs_sha256'",
      "name only files that embed --shard i/n wrote",
    ],
    [
      "a shard of other inputs",
      second({ inputs: madePaths(13) }),
      NAMES,
      "s2.h5: must be of the same inputs as s1.h5",
      "run the shards again that saw other inputs",
    ],
    [
      "a path in two shards",
      async (folder) => {
        const { inputs } = RUN;
        const rows = inputs.slice(0, 3);
        const group = { paths: rows, labels: rows.map(() => "sad"), rows: rows.map(rowOf) };
        const attributes = { errors: 0, ...shardAttributes(shard(2, 3), inputs) };
        const head = { encoder: ENCODER, attributes };
        await writeEmbeddingGroups(join(folder, "s2.h5"), head, new Map([["all", group]]));
      },
      NAMES,
      "must have one row, has one in",
      "run these shards again, on the same files",
    ],
    [
      "preprocessed audio among them",
      (folder) => writeMade(join(folder, "s2.h5"), { inputs: RUN.inputs }, shard(2, 3)),
      NAMES,
      "s2.h5: must be emotion-service embeddings, as s1.h5 is, is emotion-service preprocessed audio",
      "merge the files of one command",
    ],
  ];
  it.each(cases)("%s", async (_, edit, args, message, hint) => {
    const folder = temporaryFolder();
    for (const n of [1, 2, 3]) await writeRun(join(folder, `s${n}`), RUN, n, 3);
    await edit(folder);
    const before = namesIn(folder);
    const { exitCode, stdout, stderr } = await merge(folder, args);
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain(`hint: ${hint}`);
    expect(namesIn(folder)).toEqual(before);
  });
});
