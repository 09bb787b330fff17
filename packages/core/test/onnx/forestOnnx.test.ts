import { decisionFunction, scoreSamples } from "@emotion-service/core/anomaly/forest";
import type { AnomalyModel } from "@emotion-service/core/anomaly/modelFile";
import { exportForest } from "@emotion-service/core/onnx/forestOnnx";
import { readOnnxInfo } from "@emotion-service/core/onnx/readInfo";
import { createSession } from "@emotion-service/core/onnx/session";
import { describe, expect, it } from "vitest";
import { matrixOf, reference, treeOf } from "../anomaly/reference.ts";
import { runtime } from "./compare.ts";

const encoder = { model: "face", weightsSha256: "none", featureConfig: "{}" };

/** A model of scikit-learn's own trees, and the rows that go with them. */
function modelOf(name: string): { model: AnomalyModel; rows: ReturnType<typeof matrixOf> } {
  const { rows, trees, max_samples: maxSamples, offset } = reference.cases[name]!;
  const matrix = matrixOf(rows);
  const model = {
    forest: {
      trees: trees.map(treeOf),
      nFeatures: matrix.columns,
      maxSamples,
      contamination: 0.1,
      offset,
    },
    seed: 1,
    trainingRows: 150,
    imageEncoder: { ...encoder, dim: matrix.columns },
    audioEncoder: undefined,
    means: new Float32Array(matrix.columns).fill(0.5),
  };
  return { model, rows: matrix };
}

describe.skipIf(!runtime.ok)("ONNX Runtime gives a forest's scores", () => {
  it.each(Object.keys(reference.cases))("%s", async (name) => {
    if (!runtime.ok) throw new Error(runtime.cause);
    const { model, rows } = modelOf(name);
    const session = await createSession(runtime.ort, exportForest(model), { threads: 1 });
    const outputs = await session.run({
      embeddings: { data: rows.data, dims: [rows.rows, rows.columns] },
    });
    await session.dispose();
    // Sums of 32-bit floats of about 1, of a few trees.
    const tolerance = { rtol: 0, atol: 1e-6 };
    const { score_samples: samples, decision_function: decision } = outputs;
    expect(samples!.dims).toEqual([rows.rows, 1]);
    expect(samples!.data).toBeAllClose(scoreSamples(model.forest, rows), tolerance);
    expect(decision!.data).toBeAllClose(decisionFunction(model.forest, rows), tolerance);
  });
});

it("tells what made it, and what a missing modality is filled with", () => {
  const { model } = modelOf("defaults");
  const { inputs, outputs, metadata } = readOnnxInfo(exportForest(model), "forest.onnx");
  expect(inputs).toEqual([{ name: "embeddings", type: "float32", dims: ["batch", 6] }]);
  expect(outputs.map(({ name }) => name)).toEqual(["score_samples", "decision_function"]);
  expect(metadata).toMatchObject({ format: "emotion-service onnx", kind: "isolation_forest" });
  expect(JSON.parse(metadata["image"]!)).toMatchObject({ model: "face", dim: 6 });
  expect(metadata).not.toHaveProperty("audio");
  expect(JSON.parse(metadata["training_means"]!)).toEqual(Array.from({ length: 6 }, () => 0.5));
});

it("the same forest gives the same bytes", () => {
  const { model } = modelOf("defaults");
  expect(Buffer.compare(exportForest(model), exportForest(model))).toBe(0);
});
