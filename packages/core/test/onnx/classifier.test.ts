import { createHash } from "node:crypto";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Checkpoint,
  checkpointShape,
  readCheckpoint,
  writeCheckpoint,
} from "@emotion-service/core/model/checkpoint";
import { fusionGraph } from "@emotion-service/core/model/fusion";
import { ONNX_FILE } from "@emotion-service/core/model/modelFolder";
import { type Classifier, loadClassifier } from "@emotion-service/core/onnx/loadClassifier";
import { readOnnxInfo } from "@emotion-service/core/onnx/readInfo";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { randomWeights, runtime } from "./compare.ts";

const CLASSES = ["angry", "happy", "sad"];
const ENCODERS = {
  image: { model: "face", weightsSha256: "ab", featureConfig: '{"face_crop":"auto"}', dim: 4 },
  audio: { model: "audio_stats", weightsSha256: "none", featureConfig: '{"sr":16000}', dim: 3 },
};

function checkpointOf(seed = 1): Checkpoint {
  const facts = { classes: CLASSES, encoders: ENCODERS };
  return {
    ...facts,
    weights: randomWeights(fusionGraph(checkpointShape(facts)), seed),
    matchBy: "id",
    epoch: 1,
    settings: {},
    metrics: {},
  };
}

function written(checkpoint = checkpointOf()): string {
  const folder = join(temporaryFolder(), "model");
  writeCheckpoint(folder, checkpoint);
  return folder;
}

/** Two rows, the second without its picture. */
const ROWS = {
  rows: 2,
  parts: {
    image: {
      values: Float32Array.of(1, -2, 0.5, 3, 0, 0, 0, 0),
      present: Float32Array.of(1, 0),
    },
    audio: { values: Float32Array.of(0.1, 0.2, -0.3, 2, 1, 0), present: Float32Array.of(1, 1) },
  },
};
const WITHOUT_ONNX = { ok: false, cause: "no such module" } as const;

/** The probabilities of {@link ROWS}, what ran, and what was told. */
async function classified(folder: string, settings: { runtime?: typeof runtime } = {}) {
  const notices: string[] = [];
  const onNotice = (line: string): void => void notices.push(line);
  const checkpoint = readCheckpoint(folder, "--multimodal");
  const classifier: Classifier = await loadClassifier(folder, checkpoint, {
    ...settings,
    onNotice,
  });
  const probabilities = await classifier.classify(ROWS);
  await classifier.dispose();
  return { probabilities, engine: classifier.engine, notices };
}

it("a checkpoint's model.onnx tells what it is of", () => {
  const folder = written();
  const info = readOnnxInfo(readFileSync(join(folder, ONNX_FILE)), "");
  const bytes = readFileSync(join(folder, "weights.bin"));
  expect(info.outputs).toEqual([
    { name: "probabilities", type: "float32", dims: ["batch", 3] },
    { name: "logits", type: "float32", dims: ["batch", 3] },
  ]);
  expect(info.metadata).toEqual({
    format: "emotion-service onnx",
    format_version: "1",
    created_by: "emotion-service 0.1.0",
    kind: "fusion",
    classes: '["angry","happy","sad"]',
    image:
      '{"model":"face","weights_sha256":"ab","feature_config":"{\\"face_crop\\":\\"auto\\"}","dim":4}',
    audio:
      '{"model":"audio_stats","weights_sha256":"none","feature_config":"{\\"sr\\":16000}","dim":3}',
    match_by: "id",
    weights_sha256: createHash("sha256").update(bytes).digest("hex"),
  });
});

it("TensorFlow.js runs the classifier where ONNX Runtime does not load, and that is told", async () => {
  const { engine, notices, probabilities } = await classified(written(), { runtime: WITHOUT_ONNX });
  const backend = /^tensorflow\.js \((\w+)\)$/.exec(engine)?.[1];
  expect(notices).toEqual([
    `ONNX Runtime does not load (no such module): TensorFlow.js on ${backend} runs the model`,
  ]);
  const sums = [0, 3].map((row) => probabilities.slice(row, row + 3).reduce((a, b) => a + b, 0));
  expect(sums).toBeAllClose([1, 1], { rtol: 1e-6 });
});

describe("a temperature", () => {
  const sharp = (temperature?: number) =>
    written({ ...checkpointOf(), ...(temperature && { temperature }) });

  it.each([
    ["ONNX Runtime", runtime],
    ["TensorFlow.js", WITHOUT_ONNX],
  ] as const)("makes probabilities more even, %s", async (_, runs) => {
    const settings = { runtime: runs };
    const [as, over] = [
      await classified(sharp(), settings),
      await classified(sharp(2.5), settings),
    ];
    // softmax(z / T) is p^(1 / T), made to sum to 1.
    const expected = [0, 3].flatMap((row) => {
      const powers = Array.from(as.probabilities.slice(row, row + 3), (p) => p ** (1 / 2.5));
      const total = powers.reduce((a, b) => a + b, 0);
      return powers.map((power) => power / total);
    });
    expect(over.probabilities).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-7 });
    expect(over.notices).toEqual(as.notices);
  });

  it("is kept, is 1 where a folder does not say, and must be a number above 0", () => {
    const folder = sharp(2.5);
    const path = join(folder, "model.json");
    expect(readCheckpoint(folder, "").temperature).toBe(2.5);
    const text = readFileSync(path, "utf8");
    writeFileSync(path, text.replace('"temperature": 2.5,', ""));
    expect(readCheckpoint(folder, "").temperature).toBe(1);
    writeFileSync(path, text.replace('"temperature": 2.5,', '"temperature": 0,'));
    expect(() => readCheckpoint(folder, "")).toThrow(/temperature must be a number above 0/);
  });
});

it("no device but the CPU is to be had without ONNX Runtime", async () => {
  const folder = written();
  const loading = loadClassifier(folder, readCheckpoint(folder, ""), {
    runtime: WITHOUT_ONNX,
    device: "cuda",
    onNotice: () => {},
  });
  await expect(loading).rejects.toMatchObject({
    code: "E_UNAVAILABLE",
    message: expect.stringContaining("the device cuda: ONNX Runtime") as unknown,
  });
});

describe.skipIf(!runtime.ok)("ONNX Runtime runs the classifier", () => {
  it("as TensorFlow.js does", async () => {
    const folder = written();
    const onnx = await classified(folder);
    const { probabilities } = await classified(folder, { runtime: WITHOUT_ONNX });
    expect(onnx).toMatchObject({
      notices: [],
      engine: expect.stringMatching(/^onnxruntime .* \(cpu\)$/) as unknown,
    });
    expect(onnx.probabilities).toBeAllClose(probabilities, { rtol: 0, atol: 1e-5 });
  });

  it("of a folder that has no model.onnx, as older versions wrote it", async () => {
    const folder = written();
    const { probabilities } = await classified(folder);
    rmSync(join(folder, ONNX_FILE));
    expect(await classified(folder)).toMatchObject({ probabilities, notices: [] });
  });

  it.each([
    ["of other weights", /is not of this model \(its weights_sha256 is another\)/],
    ["of another temperature", /is not of this model \(its temperature is another\)/],
    ["of other classes", /is not of this model \(its classes is another\)/],
    ["cut short", /is not a whole ONNX model \(.*\)/],
  ])("but never by a model.onnx %s: that is told, and weights.bin counts", async (what, told) => {
    const folder = written();
    const { probabilities } = await classified(folder);
    const path = join(folder, ONNX_FILE);
    const others: Readonly<Record<string, Checkpoint>> = {
      "of other classes": { ...checkpointOf(), classes: ["a", "b", "c"] },
      "of another temperature": { ...checkpointOf(), temperature: 1.5 },
    };
    const bytes = readFileSync(join(written(others[what] ?? checkpointOf(2)), ONNX_FILE));
    writeFileSync(path, what === "cut short" ? bytes.subarray(0, 2000) : bytes);
    const result = await classified(folder);
    expect(result.probabilities).toEqual(probabilities);
    expect(result.notices).toEqual([expect.stringMatching(told)]);
    expect(result.notices[0]).toMatch(/: the model is taken from weights\.bin$/);
  });

  it.each<[string, (path: string) => void, RegExp]>([
    [
      "that has a folder's name",
      (path) => {
        rmSync(path);
        mkdirSync(path);
      },
      /must be a file, is a folder: the model is taken from weights\.bin$/,
    ],
    [
      "that ONNX Runtime refuses",
      (path) => {
        const bytes = readFileSync(path);
        bytes.write("Xayer", bytes.indexOf("LayerNormalization"));
        writeFileSync(path, bytes);
      },
      /model\.onnx: cannot be used \(.*XayerNormalization.*: the model is taken from weights\.bin$/,
    ],
  ])("nor by a model.onnx %s", async (_, damage, told) => {
    const folder = written();
    const { probabilities } = await classified(folder);
    damage(join(folder, ONNX_FILE));
    const result = await classified(folder);
    expect(result).toEqual({ ...result, probabilities, notices: [expect.stringMatching(told)] });
  });
});
