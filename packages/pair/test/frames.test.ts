import { join } from "node:path";
import { writeFileSync } from "node:fs";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { pair, writeSide } from "./fixtures.ts";

/** Three frames of one clip, one of another, one of none; row i is [i, 10 i]. */
const FRAMES = [
  "01-01-03-01-01-01-01_f05.png",
  "01-01-03-01-01-01-01_f10.png",
  "01-01-03-01-01-01-01_f15.png",
  "01-01-04-01-01-01-01_f05.png",
  "01-01-05-01-01-01-01_f05.png",
  "01-01-05-01-01-01-01_f10.png",
];
const CLIPS = ["03-01-03-01-01-01-01.wav", "03-01-04-01-01-01-01.wav"];

async function run(...flags: string[]) {
  const folder = temporaryFolder();
  const out = join(folder, "paired.h5");
  const result = await pair(
    "--img_h5",
    await writeSide(join(folder, "images.h5"), FRAMES),
    "--aud_h5",
    await writeSide(join(folder, "audio.h5"), CLIPS),
    "--out_h5",
    out,
    "--split",
    "none",
    "--json",
    ...flags,
  );
  expect(result.stderr).toBe("");
  const { rows } = await readPaired(out, "--x", () => undefined);
  const first = (data: Float32Array): number[] => [...data].filter((_, i) => i % 2 === 0);
  return {
    summary: JSON.parse(result.stdout),
    images: first(rows.image.data),
    clips: first(rows.audio.data),
    imagePaths: rows.imagePaths,
    present: [...rows.audioPresent],
  };
}

describe("--frames, by id", () => {
  test.each([
    [[], "mean", [1, 3], [0, 1]],
    [["--frames", "mean"], "mean", [1, 3], [0, 1]],
    [["--frames", "first"], "first", [0, 3], [0, 1]],
    [["--frames", "each"], "each", [0, 1, 2, 3], [0, 0, 0, 1]],
  ])("%j", async (flags, rule, images, clips) => {
    const result = await run(...flags);
    expect(result).toMatchObject({ summary: { match_by: "id", frames: rule }, images, clips });
  });

  test("frames that 'first' leaves are dropped, each with that cause", async () => {
    const { summary } = await run("--frames", "first");
    expect(summary.dropped.image).toEqual({
      "not the first frame of its clip (--frames first)": 3,
      "no clip of the same id": 1,
    });
    expect(summary.dropped_examples.image["no clip of the same id"]).toBe(FRAMES[4]);
  });

  test.each([
    ["mean", [1, 3, 4.5]],
    ["first", [0, 3, 4]],
    ["each", [0, 1, 2, 3, 4, 5]],
  ])("%s holds for frames without a clip that --keep_unmatched keeps", async (rule, images) => {
    const result = await run("--frames", rule, "--keep_unmatched");
    expect(result.images.toSorted((a, b) => a - b)).toEqual(images);
    expect(result.present.filter((there) => there === 0)).toHaveLength(
      images.length - (rule === "each" ? 4 : 2),
    );
  });
});

test("by manifest, each line is a row unless --frames says otherwise", async () => {
  const csv = join(temporaryFolder(), "pairs.csv");
  const lines = [3, 0, 1].map((frame) => `${FRAMES[frame]},${CLIPS[0]},happy\n`);
  writeFileSync(csv, `image_path,audio_path,label\n${lines.join("")}`);
  const images = async (...flags: string[]) => (await run("--manifest", csv, ...flags)).images;
  expect(await images()).toEqual([0, 1, 3]);
  expect(await images("--frames", "each")).toEqual([0, 1, 3]);
  expect(await images("--frames", "first")).toEqual([0]);
  expect((await images("--frames", "mean"))[0]).toBeCloseTo(4 / 3, 6);
});

test("the rows of one clip stay in one part", async () => {
  const folder = temporaryFolder();
  const clips = Array.from({ length: 12 }, (_, i) => `${i}.wav`);
  const frames = clips.flatMap((_, i) => [`a/${i}.jpg`, `b/${i}.jpg`]);
  const out = join(folder, "paired.h5");
  const { stderr } = await pair(
    "--img_h5",
    await writeSide(join(folder, "images.h5"), frames),
    "--aud_h5",
    await writeSide(join(folder, "audio.h5"), clips),
    "--out_h5",
    out,
    "--match_by",
    "name",
    "--frames",
    "each",
    "--split",
    "0.5,0.25,0.25",
  );
  expect(stderr).toBe("");
  const parts = await Promise.all(
    ["train", "val", "test"].map(async (part) => {
      const { rows } = await readPaired(out.replace(".h5", `_${part}.h5`), "--x", () => undefined);
      return rows.audioPaths;
    }),
  );
  expect(parts.map((paths) => paths.length)).toEqual([12, 6, 6]);
  expect(parts.flatMap((paths) => [...new Set(paths)]).toSorted()).toEqual(clips.toSorted());
});
