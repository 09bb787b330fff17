import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { writeOnnx } from "@emotion-service/core/onnx/writeModel";
import sharp from "sharp";
import { expect, test } from "vitest";
import { writeFaceSample } from "../../../scripts/sample/writeSample.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";

const RANDOM = ["--images_dir", "faces", "--model", "resnet18", "--weights", "random"];

test("neither workers nor batches change a byte; random weights say what they are", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 2 });
  for (const [out, workers, batch] of [
    ["a.h5", "1", "1"],
    ["b.h5", "3", "5"],
  ] as const) {
    const args = [...RANDOM, "--out_h5", out, "--workers", workers, "--batch_size", batch];
    const result = await runCommand("embed", args, { cwd: folder });
    expect(result).toMatchObject({ exitCode: 0, stderr: expect.stringMatching(/untrained/) });
  }
  expect(readFileSync(join(folder, "b.h5"))).toEqual(readFileSync(join(folder, "a.h5")));
  const { encoder, splits } = await readEmbeddings(join(folder, "a.h5"), "");
  expect(encoder).toMatchObject({ model: "resnet18", weightsSha256: "random-1234", dim: 512 });
  expect(JSON.parse(encoder.featureConfig)).toEqual({
    face_crop: "off", // auto takes whole pictures
    normalisation: "imagenet",
    resize: "pillow_bilinear",
    size: 224,
  });
  const { paths, labels, embeddings } = splits.get("all")!;
  expect(paths).toEqual(paths.toSorted());
  expect(labels).toEqual(paths.map((path) => path.split("/")[0]));
  const rows = paths.map((_, i) => embeddings.data.slice(i * 512, (i + 1) * 512).join());
  expect(new Set(rows).size).toBe(12); // a row for each picture, none the same
});

test("a broken picture costs its row alone and is named", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  writeFileSync(join(folder, "faces/happy/broken.jpg"), "no picture");
  const args = [...RANDOM, "--out_h5", "e.h5", "--json", "--quiet"];
  const { exitCode, stdout, stderr } = await runCommand("embed", args, { cwd: folder });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(JSON.parse(stdout)).toMatchObject({ inputs: 7, written: 6, failed: 1 });
  expect(readFileSync(join(folder, "e_manifest.csv"), "utf8")).toMatch(
    /^happy\/broken\.jpg,happy,failed,.*cannot be decoded as a picture/m,
  );
});

test("--face_crop on looks for faces and says so in the file", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  const args = [...RANDOM, "--face_crop", "on", "--out_h5", "e.h5", "--json", "--workers", "1"];
  const { stdout } = await runCommand("embed", args, { cwd: folder });
  // some of the drawn faces fill their picture too much to be found
  const { written, failed, causes } = JSON.parse(stdout);
  expect(written).toBeGreaterThan(0);
  expect(causes).toEqual({ "no face found (--face_crop off takes the whole picture)": failed });
  const { encoder } = await readEmbeddings(join(folder, "e.h5"), "");
  expect(JSON.parse(encoder.featureConfig)).toMatchObject({ face_crop: "on", face_size: 112 });
});

test("cached weights that are not the published ones are refused", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  mkdirSync(join(folder, "torch/hub/checkpoints"), { recursive: true });
  writeFileSync(join(folder, "torch/hub/checkpoints/resnet18-f37072fd.pth"), "cut short");
  const args = ["--images_dir", "faces", "--model", "resnet18", "--out_h5", "e.h5"];
  const env = { TORCH_HOME: join(folder, "torch") };
  const { exitCode, stderr } = await runCommand("embed", args, { cwd: folder, env });
  expect(exitCode).toBe(1);
  expect(stderr).toMatch(/resnet18-f37072fd\.pth: its SHA-256 must begin with the digits/);
});

test("a row that is not finite is none, and is named", async () => {
  const folder = temporaryFolder();
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  // The square root of the pixels scaled by ImageNet's mean: NaN where a channel is darker than that.
  const rootOfMean = writeOnnx({
    name: "g",
    producer: "test",
    inputs: [{ name: "x", type: "float32", dims: ["batch", 3, 8, 8] }],
    outputs: [{ name: "root", type: "float32", dims: ["batch", 3, 1, 1] }],
    nodes: [
      { op: "GlobalAveragePool", inputs: ["x"], output: "mean", attributes: {} },
      { op: "Sqrt", inputs: ["mean"], output: "root", attributes: {} },
    ],
    constants: [],
    metadata: {},
  });
  writeFileSync(join(folder, "root.onnx"), rootOfMean);
  for (const [name, level] of [
    ["dark", 0],
    ["light", 255],
  ] as const)
    // prettier-ignore
    await sharp({ create: { width: 9, height: 9, channels: 3, background: { r: level, g: level, b: level } } }) // prettier-ignore
      .png()
      .toFile(join(folder, "faces", `${name}.png`));
  const args = ["--images_dir", "faces", "--model", "root.onnx", "--out_h5", "e.h5"];
  const { exitCode } = await runCommand("embed", args, { cwd: folder });
  expect(exitCode).toBe(0);
  const { splits } = await readEmbeddings(join(folder, "e.h5"), "");
  const { embeddings, paths } = splits.get("all")!;
  expect(embeddings.data.every(Number.isFinite)).toBe(true);
  expect(paths).toContain("light.png");
  expect(readFileSync(join(folder, "e_manifest.csv"), "utf8")).toMatch(
    /^dark\.png,.*,failed,the network gives NaN or infinity for it$/m,
  );
});
