import { createHash } from "node:crypto";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readAttributes, readH5 } from "@emotion-service/core/hdf5/file";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { describe, expect, test } from "vitest";
import { namesIn, temporaryFolder } from "../../../test/command.ts";
import { cremadClips, facePaths, pair, writeSide } from "./fixtures.ts";

const faceOf = (path: string): string => path.replace(".wav", ".jpg");

/** Runs pair on four speakers, by name or with the given images, under a split of these lines. */
async function run(
  lines: string,
  { images = cremadClips(4).map(faceOf), audio = cremadClips(4), flags = [] as string[] } = {},
) {
  const folder = temporaryFolder();
  const csv = join(folder, "split.csv");
  writeFileSync(csv, lines);
  const result = await pair(
    "--img_h5",
    await writeSide(join(folder, "images.h5"), images),
    "--aud_h5",
    await writeSide(join(folder, "audio.h5"), audio),
    "--out_h5",
    join(folder, "out/paired.h5"),
    "--split_csv",
    csv,
    ...flags,
  );
  const read = async (part: string) =>
    (await readPaired(join(folder, `out/paired_${part}.h5`), "--x", () => undefined)).rows;
  return { ...result, folder, csv, read };
}

const groupsOf = ({ groups }: { readonly groups: readonly string[] }): string[] => [
  ...new Set(groups),
];

describe("--split_csv", () => {
  test("puts each speaker where the file says, by its short or its whole name, and records that", async () => {
    const lines =
      "sex,speaker,split\nF,1001,train\nM,cremad:1002,train\nF,1003,val\n\nM,1004,test\nF,1099,test\n";
    const { stdout, stderr, read, folder, csv } = await run(lines);
    expect(stderr).toBe("");
    expect(stdout).toContain("speakers apart: 2 / 1 / 1, none shared");
    expect(stdout).toContain(`Split as ${csv} says.`);
    expect(stdout).toContain("--split_csv names 1 that no row has: 1099");
    expect(groupsOf(await read("train"))).toEqual(["cremad:1001", "cremad:1002"]);
    expect(groupsOf(await read("val"))).toEqual(["cremad:1003"]);
    expect(groupsOf(await read("test"))).toEqual(["cremad:1004"]);
    const attributes = await readH5(join(folder, "out/paired_val.h5"), "--x", readAttributes);
    expect(attributes).toMatchObject({
      split_rule: "published",
      split_csv: "split.csv",
      split_csv_sha256: createHash("sha256").update(lines).digest("hex"),
    });
  });

  test("a speaker to ignore is dropped, with the cause; a part that gets none is not written", async () => {
    const { stdout, folder } = await run(
      "speaker,split\n1001,train\n1002,train\n1003,val\n1004,ignore\n",
    );
    expect(stdout).toContain("dropped 6 clips: its speaker is 'ignore' in --split_csv");
    expect(namesIn(join(folder, "out"))).not.toContain("paired_test.h5");
    expect(readFileSync(join(folder, "out/paired_manifest.csv"), "utf8")).toContain(
      "audio,1004_IEO_ANG_XX.wav,angry,cremad:1004,,0,dropped,its speaker is 'ignore'",
    );
  });

  test("by label, images without a speaker are divided as the speakers' clips are", async () => {
    const { stdout, stderr, read } = await run(
      "speaker,split\n1001,train\n1002,train\n1003,val\n1004,test\n",
      { images: facePaths(20), flags: ["--match_by", "label"] },
    );
    expect(stderr).toBe("");
    expect(stdout).toContain("images apart: 60 / 30 / 30, none shared");
    expect(groupsOf(await read("test"))).toEqual(["cremad:1004"]);
  });

  test("rows whose speaker no name tells are placed by their path", async () => {
    const { stderr, read } = await run("speaker,split\na.wav,train\nb.wav,val\n", {
      images: ["a.jpg", "b.jpg"],
      audio: ["a.wav", "b.wav"],
    });
    expect(stderr).toBe("");
    expect((await read("val")).audioPaths).toEqual(["b.wav"]);
  });

  test.each([
    [
      "a speaker that is not listed",
      "speaker,split\n1001,train\n1002,val\n",
      "lacks 2 speakers of the rows: cremad:1003, cremad:1004",
    ],
    ["no column of splits", "speaker,fold\n1001,train\n", "lacks the column 'split'"],
    [
      "a value that is none",
      "speaker,split\n1001,train\n\n1002,dev\n",
      "line 4: split must be train, val, test or ignore, is 'dev'",
    ],
    ["a line without a speaker", "speaker,split\n,train\n", "line 2: names no speaker"],
    [
      "two parts for one",
      "speaker,split\n1001,train\n1002,val\n1001,val\n",
      "lines 2 and 4 put the speaker 1001 into train and into val",
    ],
    ["no line", "speaker,split\n", "has no line"],
  ])("%s is refused", async (_, lines, message) => {
    const { exitCode, stderr, folder } = await run(lines);
    expect(stderr).toContain(message);
    expect(exitCode).toBe(1);
    expect(namesIn(folder)).not.toContain("out");
  });

  test("a short name that two speakers have is refused", async () => {
    const { stderr } = await run("speaker,split\n03,train\n", {
      images: ["a/03-01-03-01-01-01-03.jpg"],
      audio: ["03a01Fa.wav"],
      flags: ["--match_by", "label"],
    });
    expect(stderr).toContain("'03' may be ravdess:03 or emodb:03, and both have rows");
  });

  test("pairs that join speakers of two parts are refused, and named", async () => {
    const folder = temporaryFolder();
    const manifest = join(folder, "pairs.csv");
    writeFileSync(
      manifest,
      "image_path,audio_path\n1001_IEO_ANG_XX.jpg,1001_IEO_ANG_XX.wav\n1001_IEO_ANG_XX.jpg,1002_IEO_ANG_XX.wav\n",
    );
    const { stderr } = await run(
      "speaker,split\n1001,train\n1002,val\n1003,ignore\n1004,ignore\n",
      { flags: ["--manifest", manifest] },
    );
    expect(stderr).toContain("pairs join cremad:1001 (train) with cremad:1002 (val)");
  });
});
