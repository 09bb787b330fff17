import { mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { checkpointShape, writeCheckpoint } from "@emotion-service/core/model/checkpoint";
import { fusionGraph } from "@emotion-service/core/model/fusion";
import { initialWeights, sizeOf } from "@emotion-service/core/model/graph";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, test } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/modelCli.ts";

/** Runs `inspect-model` in this process. */
function inspect(...argv: string[]) {
  return runInProcess(createProgram, argv);
}

const ENCODER = { model: "face", weightsSha256: "none", featureConfig: "{}", dim: 3 };
const FACTS = { classes: ["angry", "sad"], encoders: { image: ENCODER } };
const WEIGHTS = initialWeights(fusionGraph(checkpointShape(FACTS)), createRandom(1));
const PARAMETERS = [...WEIGHTS.values()].reduce((sum, { shape }) => sum + sizeOf(shape), 0);
/** All but the means and deviations of 3 inputs and of 512 values in batch norm. */
const TRAINABLE = PARAMETERS - 2 * 3 - 2 * 512;

function modelFolder(): string {
  const folder = join(temporaryFolder(), "multimodal_best");
  writeCheckpoint(folder, {
    ...FACTS,
    weights: WEIGHTS,
    matchBy: "label",
    epoch: 4,
    settings: { lr: 0.001 },
    metrics: { val: { uar: 0.5 } },
  });
  return folder;
}

/** Two trees: of three nodes and depth 1, of five nodes and depth 2. */
const FOREST = {
  format: "emotion-service isolation forest",
  n_features: 2,
  offset: -0.5,
  contamination: 0.01,
  image_encoder: { model: "face", dim: 2 },
  training_means: Array.from({ length: 40 }, () => 0),
  trees: [
    { left: [1, -1, -1], right: [2, -1, -1] },
    { left: [1, -1, 3, -1, -1], right: [2, -1, 4, -1, -1] },
  ],
};

function written(name: string, content: string): string {
  const path = join(temporaryFolder(), name);
  writeFileSync(path, content);
  return path;
}

describe("a fusion model", () => {
  test("shows kind, classes, encoders, settings, metrics and each weight", async () => {
    const folder = modelFolder();
    const { exitCode, stdout } = await inspect(folder);
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")[0]).toBe(`${folder}: fusion`);
    for (const line of [
      "  classes: angry, sad",
      "  image:\n    model: face",
      "  audio: null",
      "  match_by: label",
      "  settings:\n    lr: 0.001",
      "  metrics:\n    val:\n      uar: 0.5",
      `16 layers, ${WEIGHTS.size} weights, ${PARAMETERS} parameters (${TRAINABLE} trainable)`,
    ])
      expect(stdout).toContain(line);
    expect(stdout).toMatch(/image_encoder\.dense1 +dense +\[batch, 512\] +2048\n/);
    expect(stdout).toMatch(/fusion\.dense2\.kernel +\[256, 2\] +float32/);
  });

  test("--json, and the model.json itself as the path", async () => {
    const report = JSON.parse((await inspect(join(modelFolder(), "model.json"), "--json")).stdout);
    expect(report).toMatchObject({ kind: "fusion", parameters: PARAMETERS, problems: [] });
    expect(report.labels).toEqual(["angry", "sad"]);
    expect(report.layers.at(-1)).toEqual({
      name: "fusion.dense2",
      kind: "dense",
      inputs: ["fusion.dropout"],
      shape: ["batch", 2],
      parameters: 256 * 2 + 2,
      settings: { units: 2 },
    });
    expect(report.weights.at(-1)).toEqual({
      name: "fusion.dense2.bias",
      shape: [2],
      dtype: "float32",
    });
  });

  test("each parameter is a layer's", async () => {
    const { layers } = JSON.parse((await inspect(modelFolder(), "--json")).stdout);
    const counts = layers.map(({ parameters }: { parameters: number }) => parameters);
    expect(counts.reduce((sum: number, count: number) => sum + count, 0)).toBe(PARAMETERS);
  });

  test("a weight that is missing or of another shape is pointed out", async () => {
    const folder = modelFolder();
    const path = join(folder, "model.json");
    const { weights, ...facts } = JSON.parse(readFileSync(path, "utf8"));
    weights[0].shape = [4];
    writeFileSync(path, JSON.stringify({ ...facts, weights: weights.slice(0, -1) }));
    const { stdout } = await inspect(folder);
    expect(stdout).toContain("! weight image.mean must be [3], is [4]");
    expect(stdout).toContain("! weight fusion.dense2.bias must be [2], is missing");
  });

  test("weights that are cut short are pointed out", async () => {
    const folder = modelFolder();
    truncateSync(join(folder, "weights.bin"), 40);
    expect((await inspect(folder)).stdout).toContain(
      `weights.bin must have at least ${4 * PARAMETERS} bytes, has 40`,
    );
  });
});

describe("an isolation forest", () => {
  test("shows trees, nodes, depth and what it says of itself", async () => {
    const { exitCode, stdout } = await inspect(
      written("isolation_forest.json", JSON.stringify(FOREST)),
    );
    expect(exitCode).toBe(0);
    expect(stdout).toContain("2 trees, 8 nodes (5 leaves), depth at most 2, on average 1.5");
    for (const line of [
      "offset: -0.5",
      "contamination: 0.01",
      "n_features: 2",
      "training_means: (40 values)",
    ])
      expect(stdout).toContain(line);
  });

  test("--json", async () => {
    const path = written("forest.json", JSON.stringify(FOREST));
    const { kind, forest } = JSON.parse((await inspect(path, "--json")).stdout);
    expect({ kind, forest }).toEqual({
      kind: "isolation forest",
      forest: { trees: 2, nodes: 8, leaves: 5, max_depth: 2, mean_depth: 1.5 },
    });
  });
});

describe("models of other programs", () => {
  test("an .onnx file: inputs, outputs and metadata", async () => {
    const { exitCode, stdout } = await inspect(join(modelFolder(), "model.onnx"));
    expect(exitCode).toBe(0);
    expect(stdout).toContain("image_embeddings: float32 [batch, 3]");
    expect(stdout).toContain("probabilities: float32 [batch, 2]");
    expect(stdout).toContain("classes: angry, sad");
    expect(stdout).toContain("kind: fusion");
  });

  test.each([
    ["zip.pth", "transposed", "[3, 2]", "2 modules, 20 weights, 99 parameters (98 trainable)\n"],
    [
      "weights.safetensors",
      "bfloat16",
      "[8]",
      "1 module, 11 weights, 40 parameters (39 trainable)\n",
    ],
  ])("the state dict %s", async (name, weight, shape, last) => {
    const path = `packages/core/test/fixtures/torch/${name}`;
    const { exitCode, stdout } = await inspect(path);
    expect(exitCode).toBe(0);
    expect(stdout.split("\n")[0]).toBe(`${path}: PyTorch state dict`);
    const line = stdout.split("\n").find((text) => text.startsWith(weight));
    expect(line).toContain(shape);
    expect(stdout.endsWith(last)).toBe(true);
  });

  test("the Python service's classifier", async () => {
    const { stdout } = await inspect("packages/core/test/fixtures/fusion/whole.pth");
    for (const line of [
      "whole.pth: fusion classifier (PyTorch)",
      "  classes: angry, disgust, fear, happy, neutral, sad",
      "  image_values: 7\n  audio_values: 5\n  epoch: 4",
    ])
      expect(stdout).toContain(line);
    expect(stdout).toMatch(/image_encoder\.1\.weight +\[16, 7\]/);
  });

  test("scikit-learn's isolation forest", async () => {
    const path = "packages/core/test/fixtures/sklearn/scaler.joblib";
    const { facts, forest } = JSON.parse((await inspect(path, "--json")).stdout);
    expect(facts).toMatchObject({
      fitted_by: "scikit-learn 1.9.1",
      n_features: 6,
      max_samples: 16,
      contamination: 0.1,
      seed: 3,
      training_rows: 60,
      standard_scaler: true,
    });
    expect(forest).toMatchObject({ trees: 4, max_depth: 4 }); // ceil(log2(16))
  });

  test("a state dict that would run code is refused", async () => {
    const result = await inspect("packages/core/test/fixtures/torch/call.pth");
    expect(result).toMatchObject({ exitCode: 1, stdout: "" });
    expect(result.stderr).toContain("nothing of it was run");
  });
});

describe("bad input", () => {
  test.each([
    ["multimodal_best.pth", "x", "must be a file of torch.save or safetensors"],
    ["isolation_forest.joblib", "x", "must be a file of joblib.dump or pickle.dump"],
    ["encoder.onnx", "x", "is not a whole ONNX model"],
    ["paired.h5", "x", "does not read HDF5 models (.h5)"],
    ["cut.json", '{"trees": [', "cannot be read as JSON"],
    ["list.json", "[1]", "it must be an object"],
    ["other.json", "{}", "has neither 'weights' nor 'trees'"],
  ])("%s", async (name, content, message) => {
    const { exitCode, stdout, stderr } = await inspect(written(name, content));
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).toContain("hint: ");
  });

  test("a folder that is no model, run as a command", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "model"));
    const { exitCode, stderr } = await runCommand("inspect-model", ["model"], { cwd: folder });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("<path> model: is no model folder, it lacks model.json");
    expect(namesIn(join(folder, "model"))).toEqual([]);
  });

  test.each([
    ["a missing path", ["nowhere"], 1, "<path> nowhere: no such file"],
    ["no path", [], 2, "missing required argument 'path'"],
    ["an unknown flag", ["x", "--rows", "1"], 2, "unknown option '--rows'"],
  ])("%s", async (_, argv, status, message) => {
    const { exitCode, stderr } = await inspect(...argv);
    expect(exitCode).toBe(status);
    expect(stderr).toContain(message);
  });
});
