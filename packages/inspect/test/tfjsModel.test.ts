import { mkdirSync, truncateSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import { beforeAll, describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { inspectModel } from "../src/inspectModel.ts";
import { kerasLayers } from "../src/kerasLayers.ts";

type LayersModel = InstanceType<Tf["LayersModel"]>;

let tf: Tf;
beforeAll(async () => ({ tf } = await loadTensorFlow("cpu")));

const WEIGHTS = "group1-shard1of1.bin";

/** Saves a model as tf.io's file handler does. */
async function save(model: LayersModel, more: object = {}): Promise<string> {
  const folder = temporaryFolder();
  await model.save({
    save: (artifacts) => {
      const { modelTopology, weightSpecs, weightData } = artifacts;
      writeFileSync(join(folder, WEIGHTS), Buffer.from(weightData as ArrayBuffer));
      const weightsManifest = [{ paths: [WEIGHTS], weights: weightSpecs }];
      const json = { format: "layers-model", modelTopology, weightsManifest, ...more };
      writeFileSync(join(folder, "model.json"), JSON.stringify(json));
      return Promise.resolve({
        modelArtifactsInfo: { dateSaved: new Date(0), modelTopologyType: "JSON" },
      });
    },
  });
  return folder;
}

/** [32, 32, 3] → 3 classes */
function convolutional(): LayersModel {
  return tf.sequential({
    layers: [
      tf.layers.conv2d({ name: "conv", filters: 8, kernelSize: 3, inputShape: [32, 32, 3] }),
      tf.layers.batchNormalization({ name: "norm" }),
      tf.layers.globalAveragePooling2d({ name: "pool" }),
      tf.layers.dense({ name: "classes", units: 3, activation: "softmax" }),
    ],
  });
}

describe("a layers-model", () => {
  test("of layers in a row: shapes, parameters as Keras counts them, trainable without moving statistics", async () => {
    const report = await inspectModel(await save(convolutional()));
    expect(report.layers?.map(({ name, shape, parameters }) => [name, shape, parameters])).toEqual([
      ["conv_input", ["batch", 32, 32, 3], 0],
      ["conv", ["batch", 30, 30, 8], 3 * 3 * 3 * 8 + 8],
      ["norm", ["batch", 30, 30, 8], 4 * 8],
      ["pool", ["batch", 8], 0],
      ["classes", ["batch", 3], 8 * 3 + 3],
    ]);
    expect(report).toMatchObject({
      kind: "TensorFlow.js layers-model",
      parameters: 224 + 32 + 27,
      trainable: 224 + 16 + 27,
      problems: [],
    });
    expect(report.layers?.at(-1)).toMatchObject({
      kind: "Dense",
      inputs: ["pool"],
      settings: { units: 3, activation: "softmax" },
    });
  });

  test("with branches, a layer that is called twice and a model within", async () => {
    const [left, right] = [
      tf.input({ shape: [16], name: "left" }),
      tf.input({ shape: [8], name: "right" }),
    ];
    const shared = tf.layers.dense({ units: 4, name: "shared" });
    const up = tf.layers.dense({ units: 16, name: "up" }).apply(right) as typeof left;
    const joined = tf.layers
      .concatenate({ name: "join" })
      .apply([shared.apply(left) as typeof left, shared.apply(up) as typeof left]);
    const head = tf.sequential({
      name: "head",
      layers: [tf.layers.dense({ units: 2, inputShape: [8], name: "classes" })],
    });
    const outputs = head.apply(joined) as typeof left;
    const folder = await save(tf.model({ inputs: [left, right], outputs }), {
      userDefinedMetadata: { labels: ["calm", "sad"] },
    });
    const { layers = [], labels, problems } = await inspectModel(folder);
    const inputs = Object.fromEntries(layers.map((layer) => [layer.name, layer.inputs]));
    expect(inputs).toEqual({
      left: [],
      right: [],
      up: ["right"],
      shared: ["left", "up"],
      join: ["shared"],
      "head/classes": ["join"],
    });
    expect(layers.at(-1)).toMatchObject({ shape: ["batch", 2], parameters: 18 });
    expect({ labels, problems }).toEqual({ labels: ["calm", "sad"], problems: [] });
  });

  test("of Keras 3, whose calls are told by keras_history", () => {
    const tensor = (layer: string) => ({
      class_name: "__keras_tensor__",
      config: { shape: [null, 4], dtype: "float32", keras_history: [layer, 0, 0] },
    });
    const call = (...layers: string[]) => [{ args: [layers.map(tensor)], kwargs: {} }];
    const layer = (class_name: string, name: string, inbound_nodes: unknown[]) => ({
      class_name,
      name,
      config: { name },
      inbound_nodes,
    });
    const layers = kerasLayers({
      class_name: "Functional",
      config: {
        layers: [
          layer("InputLayer", "x", []),
          layer("Dense", "a", call("x")),
          layer("Add", "sum", call("a", "x")),
        ],
        input_layers: [["x", 0, 0]],
        output_layers: [["sum", 0, 0]],
      },
    });
    expect(layers.map(({ name, inputs }) => [name, inputs])).toEqual([
      ["x", []],
      ["a", ["x"]],
      ["sum", ["a", "x"]],
    ]);
  });

  test("with a layer that TensorFlow.js does not know keeps its parameters, and says what is not known", async () => {
    const folder = temporaryFolder();
    const layer = (class_name: string, name: string, more: object = {}) => ({
      class_name,
      config: { name, ...more },
    });
    const layers = [
      layer("Dense", "d", { units: 2, batch_input_shape: [null, 3] }),
      layer("Mine", "m"),
    ];
    const weights = [{ name: "d/kernel", shape: [3, 2], dtype: "float32" }];
    const json = {
      modelTopology: { model_config: { class_name: "Sequential", config: { name: "s", layers } } },
      weightsManifest: [{ paths: ["w.bin"], weights }],
    };
    writeFileSync(join(folder, "model.json"), JSON.stringify(json));
    writeFileSync(join(folder, "w.bin"), Buffer.alloc(24));
    const report = await inspectModel(folder);
    expect(report.layers?.map(({ name, shape, parameters }) => [name, shape, parameters])).toEqual([
      ["d_input", ["batch", 3], 0],
      ["d", ["batch", 3], 6],
      ["m", null, 0],
    ]);
    expect(report.problems[0]).toContain("output shapes are not known");
    expect(report.problems[0]).toContain("Mine");
  });
});

describe("weight files", () => {
  test("that are cut short or missing are pointed out", async () => {
    const folder = await save(convolutional());
    truncateSync(join(folder, WEIGHTS), 1000);
    const { problems } = await inspectModel(folder);
    expect(problems).toEqual([`${join(folder, WEIGHTS)} must have ${4 * 283} bytes, has 1000`]);
    mkdirSync(join(folder, "elsewhere"));
    writeFileSync(
      join(folder, "model.json"),
      JSON.stringify({ weightsManifest: [{ paths: ["elsewhere"], weights: [] }] }),
    );
    expect((await inspectModel(folder)).problems).toEqual([
      `${join(folder, "elsewhere")} is missing`,
    ]);
  });

  test("of face-api's package: a manifest alone, in 8 bits a value", async () => {
    const require = createRequire(import.meta.resolve("@emotion-service/core/face/weights"));
    const name = "tiny_face_detector_model-weights_manifest.json";
    const path = require.resolve(`@vladmandic/face-api/model/${name}`);
    const report = await inspectModel(path);
    expect(report).toMatchObject({ kind: "TensorFlow.js weights", problems: [] });
    expect(report.weights?.[0]).toMatchObject({ dtype: "float32 as uint8" });
    expect(report.layers).toBeUndefined();
  });

  test("a weight without sizes is a broken file", async () => {
    const folder = temporaryFolder();
    const json = { weightsManifest: [{ paths: [], weights: [{ name: "w", dtype: "float32" }] }] };
    writeFileSync(join(folder, "model.json"), JSON.stringify(json));
    await expect(inspectModel(folder)).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringContaining('one is {"name":"w","dtype":"float32"}'),
    });
  });
});

test("a graph-model: nodes but for constants, shapes where nodes state them, the signature", async () => {
  const folder = temporaryFolder();
  const dim = (...sizes: number[]) => ({ dim: sizes.map((size) => ({ size: String(size) })) });
  const node = [
    { name: "w", op: "Const" },
    { name: "x", op: "Placeholder", attr: { shape: { shape: dim(-1, 3) } } },
    {
      name: "y",
      op: "MatMul",
      input: ["x", "w"],
      attr: { _output_shapes: { list: { shape: [dim(-1, 2)] } }, transpose_a: { b: false } },
    },
    { name: "z", op: "Relu", input: ["y:0", "^x"] },
  ];
  const json = {
    format: "graph-model",
    modelTopology: { node, versions: { producer: 808 } },
    signature: { outputs: { z: { name: "z:0", dtype: "DT_FLOAT", tensorShape: dim(-1, 2) } } },
    weightsManifest: [
      { paths: ["w.bin"], weights: [{ name: "w", shape: [3, 2], dtype: "float32" }] },
    ],
  };
  writeFileSync(join(folder, "model.json"), JSON.stringify(json));
  writeFileSync(join(folder, "w.bin"), Buffer.alloc(24));
  const report = await inspectModel(join(folder, "model.json"));
  expect(report).toMatchObject({
    kind: "TensorFlow.js graph-model",
    parameters: 6,
    problems: [],
    facts: { versions: { producer: 808 }, outputs: { z: "DT_FLOAT [batch, 2]" } },
  });
  expect(report.layers).toEqual([
    {
      name: "x",
      kind: "Placeholder",
      inputs: [],
      shape: ["batch", 3],
      parameters: 0,
      settings: {},
    },
    {
      name: "y",
      kind: "MatMul",
      inputs: ["x"],
      shape: ["batch", 2],
      parameters: 6,
      settings: { transpose_a: false },
    },
    { name: "z", kind: "Relu", inputs: ["y", "x"], shape: null, parameters: 0, settings: {} },
  ]);
});
