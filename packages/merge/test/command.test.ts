import { readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, it } from "vitest";
import { clip, folderOf } from "../../audio-preprocess/test/clips.ts";
import { createProgram } from "../src/cli.ts";
import { writeShards } from "./made.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";

const NUMBERS = [1, 2, 3];

/** Sounds of many kinds, and two files that are none. */
const CLIPS = {
  "1001_DFA_ANG_XX.wav": clip(),
  "1001_DFA_SAD_XX.wav": clip({ seconds: 0.4 }),
  "Z.WAV": clip({ seconds: 2 }),
  "a, b.wav": clip({ seconds: 0.2 }),
  "b/happy/1.wav": clip({ sampleRateHz: 8000 }),
  "b/sad/1.wav": clip({ silent: true }),
  "empty.wav": "",
  "text.wav": "no sound",
};

/** Runs audio-preprocess on the clips in `folder`: all of them, and in three shards. */
async function preprocess(folder: string, flags: readonly string[]): Promise<void> {
  const common = ["--audio_dir", "clips", "--out_dir", ".", "--workers", "1", "--quiet", ...flags];
  const run = (name: string, ...more: string[]) => {
    const outputs = ["--out_h5", `${name}.h5`, "--manifest_name", `${name}.csv`];
    return runCommand("audio-preprocess", [...common, ...outputs, ...more], { cwd: folder });
  };
  const results = [
    await run("whole"),
    ...(await Promise.all(NUMBERS.map((n) => run(`s${n}`, "--shard", `${n}/3`)))),
  ];
  for (const result of results) expect(result).toMatchObject({ exitCode: 0, stderr: "" });
}

it.each([
  ["fixed", []],
  [
    "ragged, gzip, extras",
    ["--fixed_duration", "0", "--compression", "gzip", "--features", "mel,mfcc,zcr"],
  ],
])("shards of audio-preprocess become its own file and manifest (%s)", async (_, flags) => {
  const folder = folderOf(CLIPS);
  await preprocess(folder, flags);
  const merged = ["--out-h5", "all.h5", "--out_manifest", "all.csv"];
  const manifests = ["--manifests", "s1.csv", "s3.csv", "s2.csv"];
  const { exitCode, stdout, stderr } = await runCommand(
    "merge-h5",
    ["s2.h5", "s3.h5", "s1.h5", ...manifests, ...merged],
    { cwd: folder },
  );
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(stdout).toBe(
    [
      "6 rows of 3 shards written to all.h5",
      "labels: sad 2, unknown 2, angry 1, happy 1",
      "manifest: all.csv",
      "failed, without a row: 2",
      "",
    ].join("\n"),
  );
  for (const kind of ["h5", "csv"]) {
    const [all, whole] = ["all", "whole"].map((name) =>
      readFileSync(join(folder, `${name}.${kind}`)),
    );
    expect(all?.equals(whole ?? Buffer.of())).toBe(true);
  }
  const numbered = NUMBERS.flatMap((n) => [`s${n}.csv`, `s${n}.h5`]);
  expect(namesIn(folder)).toEqual([
    "all.csv",
    "all.h5",
    "clips",
    ...numbered,
    "whole.csv",
    "whole.h5",
  ]);
});

it("--json prints one object", async () => {
  const folder = temporaryFolder();
  await writeShards(folder, { inputs: ["a.wav", "b.wav", "c.wav"], failed: ["b.wav"] }, 2);
  const args = ["s1.h5", "s2.h5", "--out_h5", "all.h5", "--json"];
  const { stdout } = await runInProcess(createProgram, args, { cwd: folder });
  expect(JSON.parse(stdout)).toEqual({
    out_h5: "all.h5",
    out_manifest: null,
    shards: 2,
    written: 2,
    failed: 1,
    labels: expect.objectContaining({}),
  });
});

it("--help shows each flag with its default", async () => {
  const { exitCode, stdout } = await runCommand("merge-h5", ["--help"], { cwd: temporaryFolder() });
  expect(exitCode).toBe(0);
  const text = stdout.replaceAll(/\s+/g, " ");
  for (const line of [
    "Usage: merge-h5 [options] <shards...>",
    "--out_h5 <file> the merged HDF5 file",
    "--manifests <csv...> the CSV manifest of every shard, in any order",
    "--out_manifest <csv> the merged manifest",
    "--batch_write <rows> preprocessed audio: rows written at a time (default: 64)",
  ])
    expect(text).toContain(line);
});
