import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeAll, describe, expect, it } from "vitest";
import { decisionFunction, fit } from "../packages/core/src/anomaly/forest.ts";
import { FOREST_DEFAULTS } from "../packages/core/src/anomaly/forestDefaults.ts";
import { type Tf, loadTensorFlow } from "../packages/core/src/model/backend.ts";
import { audioCnnGraph } from "../packages/core/src/model/audioCnn.ts";
import { fusionGraph } from "../packages/core/src/model/fusion.ts";
import type { Graph } from "../packages/core/src/model/graph.ts";
import { exportGraph } from "../packages/core/src/onnx/exportGraph.ts";
import { exportForest } from "../packages/core/src/onnx/forestOnnx.ts";
import {
  type Inputs,
  expectClose,
  randomInputs,
  randomWeights,
  runOnTensorFlow,
} from "../packages/core/test/onnx/compare.ts";
import { pictureGraph, soundGraph } from "../packages/core/test/onnx/graphs.ts";
import { temporaryFolder } from "./command.ts";
import { onnxPython, runPython } from "./python.ts";

const python = onnxPython();
if (python === undefined)
  console.warn(
    "SKIPPED: checking our ONNX files with Python (none with onnx and onnxruntime; `npm run verify` makes one)",
  );

/** Checks an .onnx file by ONNX's own rules, sizes along the network too, runs it, and tells what it holds. */
const CHECK_AND_RUN = `
import json, sys, numpy, onnx, onnxruntime
model = onnx.load(sys.argv[1])
onnx.checker.check_model(model, full_check=True)
session = onnxruntime.InferenceSession(sys.argv[1], providers=["CPUExecutionProvider"])
given = json.load(open(sys.argv[2]))
feeds = {name: numpy.array(i["data"], i["dtype"]).reshape(i["dims"]) for name, i in given.items()}
names = [output.name for output in session.get_outputs()]
values = session.run(names, feeds)
print(json.dumps({
    "inputs": {i.name: [i.type, i.shape] for i in session.get_inputs()},
    "outputs": {name: {"dims": list(v.shape), "data": v.ravel().tolist()} for name, v in zip(names, values)},
    "metadata": session.get_modelmeta().custom_metadata_map,
    "producer": model.producer_name,
}))
`;

interface Checked {
  readonly inputs: Record<string, [string, (number | string)[]]>;
  readonly outputs: Record<string, { readonly dims: number[]; readonly data: number[] }>;
  readonly metadata: Record<string, string>;
  readonly producer: string;
}

function checkedByPython(file: Uint8Array, inputs: Inputs): Checked {
  const folder = temporaryFolder();
  const [model, values] = [join(folder, "model.onnx"), join(folder, "inputs.json")];
  writeFileSync(model, file);
  const plain = Object.entries(inputs).map(([name, { data, dims }]) => [
    name,
    {
      dims,
      data: Array.from(data as Float32Array),
      dtype: data instanceof Uint8Array ? "uint8" : "float32",
    },
  ]);
  writeFileSync(values, JSON.stringify(Object.fromEntries(plain)));
  return runPython(python ?? "", CHECK_AND_RUN, [model, values]) as Checked;
}

describe.skipIf(python === undefined)("Python's onnx takes, and its onnxruntime runs", () => {
  let tf: Tf;
  beforeAll(async () => {
    ({ tf } = await loadTensorFlow("wasm"));
  });

  const exported = (graph: Graph): Uint8Array =>
    exportGraph(graph, randomWeights(graph), {
      name: "test",
      outputs: [
        { name: "values", layer: graph.output },
        { name: "shares", layer: graph.output, softmax: { temperature: 1 } },
      ],
      metadata: { labels: '["zornig","fröhlich"]' },
      createdBy: "emotion-service",
    });

  it.each([
    ["the classifier of both modalities", fusionGraph({ image: 20, audio: 13, classes: 6 }), []],
    ["a network on pictures of bytes", pictureGraph(), []],
    ["a network on sequences", soundGraph(), [19]],
    ["audio_cnn", audioCnnGraph({ mels: 32, classes: 6 }), [47]],
  ] as const)("%s, to our numbers", (_name, graph, sizes) => {
    const inputs = randomInputs(graph, [3, ...sizes]);
    const { outputs, metadata, producer } = checkedByPython(exported(graph), inputs);
    const { dims, data } = outputs["values"]!;
    const expected = runOnTensorFlow(tf, graph, randomWeights(graph), inputs);
    expectClose({ dims, data: Float32Array.from(data) }, expected);
    expect(metadata).toEqual({ labels: '["zornig","fröhlich"]' });
    expect(producer).toBe("emotion-service");
  });

  it("an isolation forest, to its decision function", () => {
    const rows = Array.from({ length: 300 }, (_, i) => Math.fround(Math.sin(i * i) * 3));
    const matrix = { data: Float32Array.from(rows), rows: 60, columns: 5 };
    const forest = fit(matrix, FOREST_DEFAULTS);
    const encoder = { model: "face", weightsSha256: "none", featureConfig: "{}", dim: 5 };
    const file = exportForest({
      forest,
      seed: 42,
      trainingRows: 60,
      imageEncoder: encoder,
      audioEncoder: undefined,
      means: new Float32Array(5),
    });
    const { outputs } = checkedByPython(file, {
      embeddings: { data: matrix.data, dims: [60, 5] },
    });
    // 100 trees, summed up in 32 bits.
    expect(Float64Array.from(outputs["decision_function"]!.data)).toBeAllClose(
      decisionFunction(forest, matrix),
      { rtol: 0, atol: 1e-6 },
    );
  });

  it("sizes that are open by their names", () => {
    const graph = soundGraph();
    const { inputs } = checkedByPython(exported(graph), randomInputs(graph, [2, 16]));
    expect(inputs).toEqual({
      features: ["tensor(float)", ["batch", "frames", 8]],
      mask: ["tensor(float)", ["batch", "frames"]],
    });
  });
});
