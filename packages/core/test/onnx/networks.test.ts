import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import { audioCnnGraph } from "@emotion-service/core/model/audioCnn";
import { fusionGraph } from "@emotion-service/core/model/fusion";
import { exportGraph } from "@emotion-service/core/onnx/exportGraph";
import { createSession } from "@emotion-service/core/onnx/session";
import { beforeAll, describe, expect, it } from "vitest";
import {
  FACTS,
  expectClose,
  expectSameOutput,
  randomInputs,
  randomWeights,
  runOnTensorFlow,
  runtime,
} from "./compare.ts";

import { pictureGraph, soundGraph } from "./graphs.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

const BOTH = { image: 20, audio: 13, classes: 6 };

describe.skipIf(!runtime.ok)("ONNX Runtime gives what TensorFlow.js gives", () => {
  it.each([
    ["a network on pictures of bytes", pictureGraph(), []],
    ["a network on sequences of 19 frames", soundGraph(), [19]],
    ["a network on sequences of 64 frames", soundGraph(), [64]],
    ["the classifier of both modalities, some missing", fusionGraph(BOTH), []],
    ["the classifier of pictures alone", fusionGraph({ ...BOTH, audio: 0 }), []],
    ["the classifier of sound alone", fusionGraph({ ...BOTH, image: 0 }), []],
    ["audio_cnn on clips of up to 94 frames", audioCnnGraph({ mels: 64, classes: 6 }), [94]],
    ["audio_cnn on clips of up to 33 frames", audioCnnGraph({ mels: 32, classes: 3 }), [33]],
  ] as const)("%s", async (_name, graph, sizes) => {
    for (const batch of [1, 2, 7]) await expectSameOutput(tf, graph, [batch, ...sizes]);
  });

  it("several outputs, softmax among them, of layers inside", async () => {
    const graph = pictureGraph();
    const weights = randomWeights(graph);
    weights.set("pixels.deviation", { shape: [3], data: Float32Array.of(90, 100, 110) }); // else all is certain
    const inputs = randomInputs(graph, [3]);
    const outputs = [
      { name: "probabilities", layer: graph.output, softmax: { temperature: 1 } },
      { name: "planes", layer: "block.add" },
      { name: "embeddings", layer: "pool" },
    ];
    if (!runtime.ok) throw new Error(runtime.cause);
    const session = await createSession(
      runtime.ort,
      exportGraph(graph, weights, { ...FACTS, outputs }),
      { threads: 1 },
    );
    const got = await session.run(inputs);
    await session.dispose();
    expect(got["planes"]!.dims).toEqual([3, 4, 4, 12]); // pictures come out as the graph has them, channels last
    for (const layer of ["planes", "embeddings"] as const) {
      const output = outputs.find(({ name }) => name === layer)!.layer;
      expectClose(got[layer]!, runOnTensorFlow(tf, { ...graph, output }, weights, inputs));
    }
    const logits = runOnTensorFlow(tf, graph, weights, inputs).data;
    const ofRow = (row: number): number[] => {
      const powers = Array.from(logits.subarray(5 * row, 5 * row + 5), Math.exp);
      const sum = powers.reduce((a, b) => a + b, 0);
      return powers.map((power) => power / sum);
    };
    const probabilities = [0, 1, 2].flatMap(ofRow);
    expect(got["probabilities"]!.data).toBeAllClose(probabilities, { rtol: 0, atol: 1e-5 });
  });
});
