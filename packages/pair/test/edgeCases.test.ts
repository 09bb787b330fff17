import { readFileSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import type { Split } from "@emotion-service/core/hdf5/embeddings";
import { createH5, writeArray, writeStrings } from "@emotion-service/core/hdf5/file";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { pair, writeSide } from "./fixtures.ts";

/** A row of an embeddings file. */
interface Row {
  readonly split?: Split;
  readonly path: string;
  readonly label?: string;
  readonly vector?: readonly number[];
}

/** Writes rows into the groups that they name, by hand: the writer refuses what is tested here. */
async function writeRows(file: string, rows: readonly Row[]): Promise<string> {
  const groups = new Map<Split, Row[]>();
  for (const row of rows) {
    const split = row.split ?? "all";
    groups.set(split, [...(groups.get(split) ?? []), row]);
  }
  const writer = await createH5(file);
  writer.edit((h5) => {
    for (const [split, members] of groups) {
      const group = h5.create_group(split);
      const vectors = members.map(({ vector }, i) => vector ?? [i, i]);
      const shape = [members.length, vectors[0]?.length ?? 0];
      writeArray(group, "embeddings", Float32Array.from(vectors.flat()), shape, "<f");
      writeStrings(
        group,
        "labels",
        members.map(({ label }) => label ?? "unknown"),
      );
      writeStrings(
        group,
        "paths",
        members.map(({ path }) => path),
      );
    }
  });
  writer.close();
  return file;
}

/** Runs pair without a split on rows, or names alone. */
async function run(images: readonly Row[], audio: readonly Row[], ...flags: string[]) {
  const folder = temporaryFolder();
  const out = join(folder, "paired.h5");
  const result = await pair(
    "--img_h5",
    await writeRows(join(folder, "images.h5"), images),
    "--aud_h5",
    await writeRows(join(folder, "audio.h5"), audio),
    "--out_h5",
    out,
    "--json",
    "--split",
    "none",
    ...flags,
  );
  const rows = async () => (await readPaired(out, "--x", () => undefined)).rows;
  return { ...result, out, rows, summary: () => JSON.parse(result.stdout) };
}

const named = (...paths: readonly string[]): Row[] => paths.map((path) => ({ path }));

describe("rows of one path", () => {
  test("the same row in two groups counts once, and the manifest lists both", async () => {
    const row = { path: "a.jpg", vector: [1, 2] };
    const images: Row[] = [
      { ...row, split: "train" },
      { ...row, split: "val" },
    ];
    const { summary, out } = await run(images, named("a.wav"));
    expect(summary()).toMatchObject({ rows: 1, dropped: { image: { "the same row again": 1 } } });
    const lines = readFileSync(out.replace(".h5", "_manifest.csv"), "utf8").trimEnd().split("\n");
    expect(lines.slice(1).map((line) => line.split(",").slice(-2).join())).toEqual([
      "paired,",
      "dropped,the same row again",
      "paired,",
    ]);
  });

  test("the same row again counts once though another one of its path lies between", async () => {
    const row = { path: "a.jpg", vector: [1, 2] };
    const images: Row[] = [
      { ...row, split: "train" },
      { ...row, vector: [3, 4], split: "val" },
      { ...row, split: "test" },
    ];
    const { summary } = await run([...images, ...named("b.jpg")], named("b.wav"));
    expect(summary().dropped.image["the same row again"]).toBe(1);
  });

  test("two images of one path are two images: by name neither is paired", async () => {
    const images: Row[] = [
      { path: "a.jpg", vector: [1, 2], split: "train" },
      { path: "a.jpg", vector: [3, 4], split: "val" },
      { path: "b.jpg", vector: [5, 6], split: "val" },
    ];
    const { summary, rows } = await run(images, named("a.wav", "b.wav"), "--match_by", "name");
    expect(summary().dropped.image).toEqual({ "ambiguous: 2 images and 1 clip of one name": 2 });
    expect((await rows()).imagePaths).toEqual(["b.jpg"]);
  });
});

test("names with spaces, dots, other folders and other extensions; accents composed or not", async () => {
  const images = named("my faces/take 1.final.jpeg", "x/Jose\u0301.png", "deep/er/b.JPG");
  const { rows } = await run(images, named("take 1.final.wav", "y/Jos\u00e9.FLAC", "deep/er/b"));
  expect((await rows()).audioPaths).toEqual(["deep/er/b", "take 1.final.wav", "y/Jos\u00e9.FLAC"]);
});

test("a speaker whose name is composed on one side and not on the other is one speaker", async () => {
  const { stderr } = await run(
    named("Jose\u0301/1.jpg"),
    named("Jos\u00e9/1.wav"),
    "--group_by",
    "^([^/]+)/",
    "--split",
    "0.5,0.5,0",
  );
  expect(stderr).toContain("1 group (Jos\u00e9) cannot be split into 2 parts");
});

test("labels that contradict each other are dropped on both sides, with the cause", async () => {
  const images = [{ path: "a.jpg", label: "happy" }, { path: "b.jpg" }];
  const audio = [
    { path: "a.wav", label: "sad" },
    { path: "b.wav", label: "sad" },
  ];
  const { summary } = await run(images, audio);
  const cause = { "labels differ: image happy, audio sad": 1 };
  expect(summary()).toMatchObject({ rows: 1, dropped: { image: cause, audio: cause } });
});

test("nothing matches, but rows may stay alone: every row is there once", async () => {
  const { summary, rows } = await run(
    named("a.jpg"),
    named("b.wav", "c.wav"),
    "--match_by",
    "name",
    "--keep_unmatched",
  );
  expect(summary().all).toMatchObject({ rows: 3, alone: 3, images: 1, audio: 2 });
  const { imagePresent, audioPresent } = await rows();
  expect([[...imagePresent], [...audioPresent]]).toEqual([
    [1, 0, 0],
    [0, 1, 1],
  ]);
});

test("one class by label", async () => {
  const faces = named("sad/1.jpg", "sad/2.jpg").map((row) => ({ ...row, label: "sad" }));
  const { summary } = await run(faces, [{ path: "x.wav", label: "sad" }]);
  expect(summary()).toMatchObject({ match_by: "label", all: { classes: { sad: 2 } } });
});

test("sides of different sizes of vector each keep theirs", async () => {
  const { rows } = await run(
    [{ path: "a.jpg", vector: [1, 2, 3] }],
    [{ path: "a.wav", vector: [4, 5] }],
  );
  const { image, audio } = await rows();
  expect([image.columns, audio.columns]).toEqual([3, 2]);
});

test("groups of one file with different sizes of vector are refused", async () => {
  const images: Row[] = [
    { path: "a.jpg", vector: [1, 2], split: "train" },
    { path: "b.jpg", vector: [1, 2, 3], split: "val" },
  ];
  const { stderr, exitCode } = await run(images, named("a.wav"));
  expect(stderr).toContain("'val' has 3 values, another 2");
  expect(exitCode).toBe(1);
});

test("infinite values are dropped like NaN; nothing left is an error", async () => {
  const { summary } = await run(
    [{ path: "a.jpg" }, { path: "b.jpg", vector: [Infinity, 0] }],
    named("a.wav", "b.wav"),
  );
  expect(summary().dropped.image).toEqual({ "holds NaN or infinity": 1 });
  const { stderr } = await run([{ path: "a.jpg", vector: [NaN, 0] }], named("a.wav"));
  expect(stderr).toContain("images.h5: has no row that can be used");
});

test("one file as both sides is refused, by another path too", async () => {
  const folder = temporaryFolder();
  const file = await writeSide(join(folder, "a.h5"), ["a.jpg"]);
  symlinkSync(file, join(folder, "b.h5"));
  for (const other of [file, join(folder, "b.h5")]) {
    const out = join(folder, "paired.h5");
    const { exitCode, stderr } = await pair("--img_h5", file, "--aud_h5", other, "--out_h5", out);
    expect(stderr).toContain(`--img_h5 and --aud_h5: must be two files, are both ${file}`);
    expect(exitCode).toBe(2);
  }
  const args = ["--img_h5", file, "--aud_h5", file, "--out_h5", join(folder, "paired.h5")];
  const early = await pair(...args, "--split_csv", join(folder, "none.csv"));
  expect(early.stderr).toContain("must be two files"); // before any file is opened
});

test("rows without a speaker are no speakers, accents composed or not", async () => {
  const { summary } = await run(named("cafe\u0301.jpg"), named("cafe\u0301.wav"));
  expect(summary()).toMatchObject({ rows: 1, group_noun: "groups" });
});
