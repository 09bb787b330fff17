import { cpSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { writeFaceSample, writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { splitOf } from "../src/splitOf.ts";

test("pictures: class folders give labels, rows are sorted, --workers changes no byte", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 2 });
  for (const workers of ["1", "3"]) {
    const out = `w${workers}.h5`;
    const args = [
      "--images-dir",
      "faces",
      "--out_h5",
      out,
      "--workers",
      workers,
      "--batch_size",
      "5",
    ];
    expect(await runCommand("embed", args, { cwd: folder })).toMatchObject({ exitCode: 0 });
  }
  expect(readFileSync(join(folder, "w3.h5"))).toEqual(readFileSync(join(folder, "w1.h5")));
  const { encoder, splits } = await readEmbeddings(join(folder, "w1.h5"), "");
  const rows = splits.get("all");
  expect(encoder).toMatchObject({ model: "face", dim: 256 });
  expect(rows?.paths).toEqual(rows?.paths.toSorted());
  expect(rows?.labels).toEqual(rows?.paths.map((path) => path.split("/")[0]));
});

test("a train/val/test tree becomes groups; a broken picture costs its row alone and is named", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  for (const part of ["train", "test"])
    cpSync(join(folder, "faces"), join(folder, "tree", part), { recursive: true });
  writeFileSync(join(folder, "tree/train/happy/broken.jpg"), "no picture");
  const args = ["--images_dir", "tree", "--out_h5", "out/e.h5", "--json"];
  const { exitCode, stdout } = await runCommand("embed", args, { cwd: folder });
  expect(exitCode).toBe(0);
  expect(JSON.parse(stdout)).toMatchObject({
    inputs: 13,
    written: 12,
    failed: 1,
    groups: { train: 6, test: 6 },
  });
  const manifest = readFileSync(join(folder, "out/e_manifest.csv"), "utf8").trim().split("\n");
  expect(manifest).toHaveLength(1 + 13);
  expect(manifest.find((line) => line.includes("broken"))).toMatch(
    /^train\/happy\/broken\.jpg,happy,failed,.*cannot be decoded as a picture/,
  );
});

test("sound: the clips themselves and their preprocessed features give the same embeddings", async () => {
  const folder = temporaryFolder();
  writeSpeechSample(join(folder, "audio"), { speakers: 1 });
  const commands: [string, string[]][] = [
    ["audio-preprocess", ["--audio_dir", "audio", "--out_h5", "f.h5"]],
    ["embed", ["--audio_h5", "f.h5", "--out_h5", "features.h5"]],
    ["embed", ["--audio_dir", "audio", "--out_h5", "clips.h5", "--model", "audio_stats"]],
  ];
  for (const [command, args] of commands)
    expect(await runCommand(command, args, { cwd: folder })).toMatchObject({ exitCode: 0 });
  const features = await readEmbeddings(join(folder, "features.h5"), "");
  expect(features.encoder.model).toBe("audio_stats");
  expect(await readEmbeddings(join(folder, "clips.h5"), "")).toEqual(features);
});

test("a silent clip has no embedding, from its file or from its features", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "audio"));
  writeFileSync(join(folder, "audio/silent.wav"), encodeWav(new Float32Array(16000), 16000));
  const tone = Float32Array.from({ length: 16000 }, (_, i) => Math.sin(i / 5) / 2);
  writeFileSync(join(folder, "audio/tone.wav"), encodeWav(tone, 16000));
  const preprocess = ["--audio_dir", "audio", "--out_h5", "f.h5"];
  await runCommand("audio-preprocess", preprocess, { cwd: folder });
  for (const input of [
    ["--audio_dir", "audio"],
    ["--audio_h5", "f.h5"],
  ]) {
    const args = [...input, "--out_h5", "e.h5", "--json"];
    const { stdout } = await runCommand("embed", args, { cwd: folder });
    expect(JSON.parse(stdout)).toMatchObject({
      written: 1,
      failed: 1,
      causes: { "silent: every sample is zero": 1 },
    });
  }
});

test.each([
  [
    ["train/a/x.jpg", "val/x.jpg", "test/y.jpg"],
    ["train", "val", "test"],
  ],
  [
    ["Training/x.jpg", "validation/x.jpg"],
    ["train", "val"],
  ],
  [
    ["train/x.jpg", "other/x.jpg"],
    ["all", "all"],
  ],
  [
    ["train", "x.jpg"],
    ["all", "all"],
  ],
])("splitOf %j", (paths, expected) => {
  expect(paths.map(splitOf(paths))).toEqual(expected);
});

test("the folder is searched below, whatever its depth", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  mkdirSync(join(folder, "deep/er"), { recursive: true });
  cpSync(join(folder, "faces"), join(folder, "deep/er/faces"), { recursive: true });
  const args = ["--images_dir", "deep", "--out_h5", "e.h5", "--quiet"];
  const { stdout, stderr } = await runCommand("embed", args, { cwd: folder });
  expect(stdout).toContain("6 of 6 embeddings");
  expect(stderr).toBe("");
});
