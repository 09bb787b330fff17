import { copyFileSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { createH5, writeArray } from "@emotion-service/core/hdf5/file";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { factsOf } from "@emotion-service/core/labels";
import { describe, expect, test } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { cremadClips, facePaths, pair, writeSide } from "./fixtures.ts";

const ALL_FILES = [
  "paired.h5",
  "paired_manifest.csv",
  "paired_test.h5",
  "paired_train.h5",
  "paired_val.h5",
];

/** Faces and clips of ten speakers, and the flags that name them. */
async function inputs(images = facePaths(20), audio = cremadClips(10)) {
  const folder = temporaryFolder();
  const flags = [
    "--img_h5",
    await writeSide(join(folder, "images.h5"), images),
    "--aud_h5",
    await writeSide(join(folder, "audio.h5"), audio),
    "--out_h5",
    join(folder, "out/paired.h5"),
  ];
  const read = (name: string) =>
    readPaired(join(folder, "out", name), "--x", (path) => factsOf(path).speaker);
  return { folder, out: join(folder, "out"), flags, read };
}

describe("pair, run as a command", () => {
  test("writes all rows, a file a part and the manifest, in both spellings of a flag", async () => {
    const { folder, out } = await inputs();
    const args = ["--img-h5", "images.h5", "--aud_h5=audio.h5", "--out-h5", "out/paired.h5"];
    const { exitCode, stdout, stderr } = await runCommand("pair", args, { cwd: folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(namesIn(out)).toEqual(ALL_FILES);
    expect(stdout).toContain(
      "Matched by label: names match for 0 of 60 clips, ids for 0: less than half.",
    );
    expect(stdout).toContain("of DIFFERENT PEOPLE: only their emotion is the same.");
    expect(stdout).toContain("speakers apart: 8 / 1 / 1, none shared");
  });

  test("the same command writes the same bytes, another seed others", async () => {
    const { folder } = await inputs();
    const run = async (out: string, seed: string): Promise<Buffer[]> => {
      const args = [
        "--img_h5",
        "images.h5",
        "--aud_h5",
        "audio.h5",
        "--out_h5",
        `${out}/paired.h5`,
        "--seed",
        seed,
      ];
      expect((await runCommand("pair", args, { cwd: folder })).exitCode).toBe(0);
      return ALL_FILES.map((name) => readFileSync(join(folder, out, name)));
    };
    const [one, same, other] = [await run("a", "7"), await run("b", "7"), await run("c", "8")];
    for (const [index, bytes] of one.entries()) expect(bytes.equals(same[index]!)).toBe(true);
    expect(one[0]!.equals(other[0]!)).toBe(false);
  });
});

describe("what the files hold", () => {
  test("rows by label: vectors of the rows they name, no speaker and no image in two parts", async () => {
    const { flags, read } = await inputs();
    expect((await pair(...flags)).exitCode).toBe(0);
    const { rows, matchBy, matchReason, imageEncoder, seed } = await read("paired.h5");
    expect({ matchBy, seed, dim: imageEncoder.dim }).toEqual({
      matchBy: "label",
      seed: 1234,
      dim: 2,
    });
    expect(matchReason).toBe("names match for 0 of 60 clips, ids for 0: less than half");
    const clips = cremadClips(10);
    for (const [row, path] of rows.audioPaths.entries())
      expect(rows.audio.data[2 * row]).toBe(clips.indexOf(path));
    const parts = await Promise.all(
      ["train", "val", "test"].map((part) => read(`paired_${part}.h5`)),
    );
    for (const key of ["groups", "imagePaths", "audioPaths"] as const) {
      const distinct = parts.map((part) => new Set(part.rows[key]));
      const together = new Set(parts.flatMap((part) => part.rows[key]));
      expect(distinct.reduce((sum, { size }) => sum + size, 0)).toBe(together.size);
    }
    expect(parts.reduce((sum, part) => sum + part.rows.labels.length, 0)).toBe(rows.labels.length);
  });

  test("frames of a clip are averaged", async () => {
    const frames = ["05", "10", "15"].map((frame) => `01-01-03-01-01-01-01_f${frame}.png`);
    const { flags, read } = await inputs(frames, ["03-01-03-01-01-01-01.wav"]);
    const { stdout } = await pair(...flags);
    expect(stdout).toContain("Matched by id: names match for 0 of 1 clips, ids for 1.");
    expect(stdout).toContain(
      "Not split: --split: 1 speaker (ravdess:01) cannot be split into 3 parts",
    );
    const { rows } = await read("paired.h5");
    expect([...rows.image.data]).toEqual([1, 10]);
    expect(rows.imagePaths).toEqual([frames[0]]);
    expect(rows.groups).toEqual(["ravdess:01"]);
  });

  test("--keep_unmatched keeps a row with zeros and a presence flag of 0", async () => {
    const { flags, read } = await inputs(["a.jpg", "b.jpg"], ["a.wav", "c.wav"]);
    await pair(...flags, "--keep_unmatched", "--split", "none");
    const { rows } = await read("paired.h5");
    expect(rows.paths).toEqual(["a.wav", "b.jpg", "c.wav"]);
    expect([...rows.imagePresent]).toEqual([1, 1, 0]);
    expect([...rows.audioPresent]).toEqual([1, 0, 1]);
    expect([...rows.image.data]).toEqual([0, 0, 1, 10, 0, 0]);
    expect([...rows.audio.data]).toEqual([0, 0, 0, 0, 1, 10]);
  });

  test("rows are the union of an input's groups; an embedding with NaN is dropped", async () => {
    const { folder, flags, read } = await inputs();
    const writer = await createH5(join(folder, "images.h5"));
    writer.edit((file) => {
      for (const [group, path, value] of [
        ["train", "b.jpg", 1],
        ["val", "a.jpg", 2],
        ["test", "c.jpg", NaN],
      ] as const) {
        file.create_group(group);
        writeArray(file, `${group}/embeddings`, Float32Array.of(value, value), [1, 2], "<f");
        file.create_dataset({
          name: `${group}/labels`,
          data: Int32Array.of(4),
          shape: [1],
          dtype: "<i",
        });
        file.create_dataset({ name: `${group}/paths`, data: [path], shape: [1], dtype: "S" });
      }
    });
    writer.close();
    await writeSide(join(folder, "audio.h5"), ["a.wav", "b.wav", "c.wav"]);
    const { stdout } = await pair(...flags, "--split", "none", "--json");
    const summary = JSON.parse(stdout);
    expect(summary.dropped).toEqual({
      image: { "holds NaN or infinity": 1 },
      audio: { "no image of the same name": 1 },
    });
    const { rows } = await read("paired.h5");
    expect(rows.imagePaths).toEqual(["a.jpg", "b.jpg"]);
    expect(rows.labels).toEqual(["happy", "happy"]);
  });

  test("the manifest has a line for every row of both inputs, with the cause where it was dropped", async () => {
    const { out, flags } = await inputs([...facePaths(2), "calm/1.jpg"], cremadClips(3));
    await pair(...flags);
    const [header, ...lines] = readFileSync(join(out, "paired_manifest.csv"), "utf8")
      .trimEnd()
      .split("\n");
    expect(header).toBe("modality,path,label,group,split,pairs,status,cause");
    expect(lines).toHaveLength(13 + 18);
    expect(lines).toContain(
      "image,calm/1.jpg,calm,calm/1.jpg,,0,dropped,no audio of the class calm",
    );
    expect(
      lines.filter((line) => line.startsWith("audio,1001_IEO_ANG_XX.wav,angry,cremad:1001,")),
    ).toHaveLength(1);
  });

  test("--json gives one object with counts a class and a part", async () => {
    const { flags, out } = await inputs();
    const { stdout } = await pair(
      ...flags,
      "--json",
      "--classes",
      "sad,happy",
      "--pairs_per_class",
      "16",
    );
    const summary = JSON.parse(stdout);
    expect(summary).toMatchObject({
      match_by: "label",
      different_people: true,
      rows: 2 * (16 + 2 + 2),
      splits: {
        train: { rows: 32, speakers: 8, classes: { happy: 16, sad: 16 } },
        val: { rows: 4, speakers: 1 },
        test: { rows: 4, speakers: 1 },
      },
      apart: { speakers: true, images: true, audio: true },
    });
    expect(summary.dropped.image["its class is not in --classes"]).toBe(80);
    expect(summary.files).toContain(join(out, "paired_train.h5"));
  });

  test("a part of 0 is not written, and a file of an earlier run is pointed out", async () => {
    const { flags, out } = await inputs();
    await pair(...flags);
    const { stdout } = await pair(...flags, "--split", "0.8,0.2,0");
    expect(stdout).toContain(
      "paired_test.h5 is of an earlier run and does not belong to these pairs",
    );
    expect(stdout).not.toContain("paired_val.h5 is of an earlier run");
    expect(namesIn(out)).toEqual(ALL_FILES);
  });

  test("--manifest names the pairs and their label", async () => {
    const { folder, flags, read } = await inputs(["x/1.jpg"], ["y/2.wav"]);
    const csv = join(folder, "pairs.csv");
    writeFileSync(csv, "image_path,audio_path,label\nx/1.jpg,y/2.wav,sadness\n");
    const { exitCode, stdout } = await pair(...flags, "--manifest", csv, "--split", "none");
    expect({ exitCode, first: stdout.split("\n", 1)[0] }).toEqual({
      exitCode: 0,
      first: "Matched by manifest: --manifest was given.",
    });
    expect((await read("paired.h5")).rows.labels).toEqual(["sad"]);
  });

  test("--id_pattern says what names share, --group_by what must stay together", async () => {
    const clips = ["s1_a", "s1_b", "s2_a", "s2_b", "s3_a", "s3_b"];
    const { flags, read } = await inputs(
      clips.map((clip) => `face-${clip}.jpg`),
      clips.map((clip) => `${clip}-take.wav`),
    );
    const { exitCode } = await pair(
      ...flags,
      "--id_pattern",
      "(s\\d_\\w)",
      "--group_by",
      "(s\\d)_",
    );
    expect(exitCode).toBe(0);
    const groups = await Promise.all(
      ["train", "val", "test"].map(async (part) => [
        ...new Set((await read(`paired_${part}.h5`)).rows.groups),
      ]),
    );
    expect(groups.map((own) => own.length)).toEqual([1, 1, 1]);
    expect(groups.flat().toSorted()).toEqual(["s1", "s2", "s3"]);
  });
});

describe("bad input: a message, an exit status, nothing left behind", () => {
  test.each([
    ["a flag is missing", () => [], 2, "required option '--img_h5 <file>' not specified"],
    [
      "an unknown way",
      (f: string[]) => [...f, "--match_by", "luck"],
      2,
      "Allowed choices are auto, name, id, label, manifest",
    ],
    ["fractions beyond 1", (f: string[]) => [...f, "--split", "0.8,0.3,0.1"], 2, "add up to 1"],
    ["a class that is none", (f: string[]) => [...f, "--classes", "sad,bored"], 2, "got 'bored'"],
    [
      "a broken pattern",
      (f: string[]) => [...f, "--id_pattern", "("],
      2,
      "must be a regular expression",
    ],
    [
      "no pair at all",
      (f: string[]) => [...f, "--pairs_per_class", "0"],
      2,
      "must be a whole number of at least 1",
    ],
    [
      "a manifest that is not given",
      (f: string[]) => [...f, "--match_by", "manifest"],
      2,
      "needs '--manifest <csv>'",
    ],
    [
      "a pattern with another way",
      (f: string[]) => [...f, "--match_by", "name", "--id_pattern", "(a)"],
      2,
      "contradicts '--match_by name'",
    ],
    [
      "pairs by class with another way",
      (f: string[]) => [...f, "--match_by", "id", "--pairs_per_class", "3"],
      2,
      "option '--pairs_per_class <n>' contradicts '--match_by id'",
    ],
    [
      "frames by label",
      (f: string[]) => [...f, "--match_by", "label", "--frames", "mean"],
      2,
      "option '--frames <rule>' contradicts '--match_by label'",
    ],
    [
      "frames where labels are all that matches",
      (f: string[]) => [...f, "--frames", "mean"],
      2,
      "--frames: needs matching by name, id or manifest, is by label",
    ],
    ["an unknown rule", (f: string[]) => [...f, "--frames", "last"], 2, "mean, first, each"],
    [
      "a pattern beside a manifest",
      (f: string[]) => [...f, "--manifest", "no.csv", "--id_pattern", "(a)"],
      2,
      "'--id_pattern <regex>' contradicts '--manifest <csv>'",
    ],
    [
      "two splits",
      (f: string[]) => [...f, "--split_csv", "no.csv", "--split", "none"],
      2,
      "'--split_csv <file>' contradicts '--split <train,val,test>'",
    ],
    [
      "a missing split",
      (f: string[]) => [...f, "--split_csv", "no.csv"],
      1,
      "--split_csv no.csv: no such file",
    ],
    [
      "a missing manifest",
      (f: string[]) => [...f, "--manifest", "no.csv"],
      1,
      "--manifest no.csv: no such file",
    ],
    [
      "names that do not match",
      (f: string[]) => [...f, "--match_by", "name"],
      1,
      "nothing pairs by name",
    ],
  ])("%s", async (_, argvOf, status, message) => {
    const { folder, flags } = await inputs();
    const { exitCode, stdout, stderr } = await pair(...argvOf(flags));
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
    expect({ exitCode, stdout }).toEqual({ exitCode: status, stdout: "" });
    expect(namesIn(folder)).toEqual(["audio.h5", "images.h5"]);
  });

  test("a missing file", async () => {
    const { folder, flags } = await inputs();
    const missing = join(folder, "none.h5");
    const { exitCode, stderr } = await pair(
      "--aud_h5",
      missing,
      ...flags.filter((_, i) => i !== 2 && i !== 3),
    );
    expect({ exitCode, stderr }).toEqual({
      exitCode: 1,
      stderr: `pair: --aud_h5 ${missing}: no such file\n  hint: check the spelling; a relative path starts at the folder the command runs in\n`,
    });
    expect(namesIn(folder)).toEqual(["audio.h5", "images.h5"]);
  });

  test("a file that is not HDF5", async () => {
    const { folder, flags } = await inputs();
    writeFileSync(join(folder, "images.h5"), "RIFF");
    const { exitCode, stderr } = await pair(...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("images.h5: cannot be read as HDF5 (file signature not found)");
    expect(existsSync(join(folder, "out"))).toBe(false);
  });

  test.each([
    [
      "lacks the embeddings",
      "other",
      "is not an embeddings file: it must have a group 'all', 'train', 'val' or 'test'",
    ],
    ["lacks the labels", "all/embeddings", "lacks the dataset 'all/labels'"],
  ])("an HDF5 file that %s", async (_, dataset, message) => {
    const { folder, flags } = await inputs();
    const writer = await createH5(join(folder, "audio.h5"));
    writer.edit((file) => {
      if (dataset.includes("/")) file.create_group("all");
      writeArray(file, dataset, Float32Array.of(1, 2), [1, 2], "<f");
    });
    writer.close();
    const { exitCode, stderr } = await pair(...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain("hint: write it with embed");
    expect(existsSync(join(folder, "out"))).toBe(false);
  });

  test("embeddings that are damaged inside the file", async () => {
    const { folder, flags, out } = await inputs();
    const path = join(folder, "audio.h5");
    const writer = await createH5(path);
    writer.edit((file) => {
      const group = file.create_group("all");
      const data = new Float32Array(4096).fill(1.5);
      const pieces = { chunks: [64, 64], compression: 9 };
      group.create_dataset({ name: "embeddings", data, shape: [64, 64], dtype: "<f", ...pieces });
    });
    writer.close();
    const bytes = readFileSync(path);
    const deflated = bytes.indexOf(Buffer.from([0x78, 0xda]));
    expect(deflated).toBeGreaterThan(0);
    writeFileSync(path, bytes.fill(0xff, deflated, deflated + 8));
    const { exitCode, stderr } = await pair(...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("audio.h5: cannot be read (filter returned failure during read)");
    expect(existsSync(out)).toBe(false);
  });

  test("an input without rows", async () => {
    const { flags } = await inputs([]);
    const { exitCode, stderr } = await pair(...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("images.h5: has no row that can be used");
  });

  test("a manifest that lacks a column, or whose label is none", async () => {
    const { folder, flags } = await inputs();
    const csv = join(folder, "pairs.csv");
    writeFileSync(csv, "image,audio_path\na,b\n");
    expect((await pair(...flags, "--manifest", csv)).stderr).toContain(
      "lacks the column 'image_path'",
    );
    writeFileSync(csv, "image_path,audio_path,label\na,b,bored\n");
    expect((await pair(...flags, "--manifest", csv)).stderr).toContain(
      "line 2: label must be an emotion, is 'bored'",
    );
  });

  test("one speaker, with a split that was asked for", async () => {
    const { flags, out } = await inputs(["1001_IEO_ANG_XX.jpg"], ["1001_IEO_ANG_XX.wav"]);
    const { exitCode, stderr } = await pair(...flags, "--split", "0.8,0.1,0.1");
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "1 speaker (cremad:1001) cannot be split into 3 parts (train, val, test)",
    );
    expect(stderr).toContain("use --split none");
    expect(existsSync(out)).toBe(false);
  });

  test("an output that cannot be written", async () => {
    const { folder, flags } = await inputs();
    const file = join(folder, "file");
    writeFileSync(file, "in the way");
    const { exitCode, stderr } = await pair(
      ...flags.slice(0, 4),
      "--out_h5",
      join(file, "paired.h5"),
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("paired.h5: cannot be written");
    expect(namesIn(folder)).toEqual(["audio.h5", "file", "images.h5"]);
  });

  test("two files of one modality", async () => {
    const folder = temporaryFolder();
    const encoder = { model: "audio_stats", weightsSha256: "none", featureConfig: "{}", dim: 1 };
    const embeddings = { data: Float32Array.of(1), rows: 1, columns: 1 };
    await writeEmbeddings(join(folder, "audio.h5"), {
      encoder,
      splits: new Map([["all", { embeddings, labels: ["sad"], paths: ["a.wav"] }]]),
    });
    copyFileSync(join(folder, "audio.h5"), join(folder, "images.h5"));
    const args = ["--img_h5", "images.h5", "--aud_h5", "audio.h5", "--out_h5", "p.h5"];
    const { exitCode, stderr } = await runCommand("pair", args, { cwd: folder });
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--img_h5 images.h5: must hold image embeddings, holds audio ones");
    expect(namesIn(folder)).toEqual(["audio.h5", "images.h5"]);
  });

  test.each(["face", "face_cnn", "resnet18"])(
    "embeddings of %s as those of sound",
    async (model) => {
      const { folder, flags } = await inputs();
      const encoder = { model, weightsSha256: "none", featureConfig: "{}", dim: 1 };
      const embeddings = { data: Float32Array.of(1), rows: 1, columns: 1 };
      const splits = new Map([["all" as const, { embeddings, labels: ["sad"], paths: ["a.jpg"] }]]);
      await writeEmbeddings(join(folder, "audio.h5"), { encoder, splits });
      const { exitCode, stderr } = await pair(...flags);
      expect(exitCode).toBe(2);
      expect(stderr).toContain(`must hold audio embeddings, holds image ones (${model})`);
    },
  );

  test("an output that would replace an input", async () => {
    const { folder, flags } = await inputs();
    const { exitCode, stderr } = await pair(
      ...flags.slice(0, 4),
      "--out_h5",
      join(folder, "images.h5"),
    );
    expect({ exitCode, named: stderr.includes("would replace an input") }).toEqual({
      exitCode: 2,
      named: true,
    });
  });
});
