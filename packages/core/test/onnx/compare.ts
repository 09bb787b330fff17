import type { Tensor } from "@tensorflow/tfjs";
import type { Tf } from "@emotion-service/core/model/backend";
import {
  type Graph,
  type LayerOf,
  type Weights,
  sizeOf,
  weightSlots,
} from "@emotion-service/core/model/graph";
import { createNetwork } from "@emotion-service/core/model/network";
import { exportGraph } from "@emotion-service/core/onnx/exportGraph";
import {
  type SessionInput,
  type SessionOutput,
  createSession,
  loadOnnxRuntime,
} from "@emotion-service/core/onnx/session";
import { createRandom } from "@emotion-service/core/random";
import { expect } from "vitest";

export const runtime = loadOnnxRuntime();
if (!runtime.ok)
  console.warn(
    `SKIPPED: TensorFlow.js against ONNX Runtime (onnxruntime-node does not load: ${runtime.cause})`,
  );

/** Axes that the graph leaves open, outermost first; the first is the batch. */
type Sizes = readonly number[];
export type Inputs = Readonly<Record<string, SessionInput>>;

/** Every kind of weight with values that would show if it were left out, statistics too. */
export function randomWeights(graph: Graph, seed = 1): Weights {
  const random = createRandom(seed);
  return new Map(
    weightSlots(graph).map(({ name, shape, low, high }) => {
      const isSpread = /\.(gamma|running_variance|deviation)$/.test(name);
      const [from, to] = isSpread ? [0.5, 2] : low < high ? [low, high] : [-0.5, 0.5];
      const data = Float32Array.from(
        { length: sizeOf(shape) },
        () => from + (to - from) * random(),
      );
      return [name, { shape, data }];
    }),
  );
}

/**
 * Values for each input: masks of time end somewhere after the first frame, presence is 0 or 1, bytes are any, others are
 * in [-2, 2).
 */
export function randomInputs({ layers }: Graph, sizes: Sizes, seed = 2): Inputs {
  const random = createRandom(seed);
  const valuesOf = ({ name, dtype }: LayerOf<"input">, dims: readonly number[]) => {
    const length = sizeOf(dims);
    if (dtype === "uint8") return Uint8Array.from({ length }, () => Math.floor(256 * random()));
    if (name.endsWith("present"))
      return Float32Array.from({ length }, (_, row) => Number(row % 3 !== 1));
    const frames = dims[1] ?? 1;
    if (!name.endsWith("mask")) return Float32Array.from({ length }, () => 4 * random() - 2);
    const ends = Array.from({ length: dims[0] ?? 0 }, () => 1 + Math.floor(frames * random()));
    return Float32Array.from({ length }, (_, i) =>
      Number(i % frames < (ends[Math.floor(i / frames)] ?? 0)),
    );
  };
  return Object.fromEntries(
    layers.flatMap((layer) => {
      if (layer.op !== "input") return [];
      const dims = layer.shape.map((size, axis) => size ?? sizes[axis] ?? 1);
      return [[layer.name, { data: valuesOf(layer, dims), dims }]];
    }),
  );
}

export const FACTS = { name: "test", metadata: {}, createdBy: "test" } as const;

/** Both engines give the same for a graph. */
export async function expectSameOutput(tf: Tf, graph: Graph, sizes: Sizes): Promise<void> {
  const weights = randomWeights(graph);
  const inputs = randomInputs(graph, sizes);
  const expected = runOnTensorFlow(tf, graph, weights, inputs);
  expectClose(await runOnOnnx(graph, weights, inputs), expected);
}

/**
 * The same within 1e-5 of the largest value, or of 1: the error of a float32 sum goes with its terms, not with what they
 * come to.
 */
export function expectClose(actual: SessionOutput, expected: SessionOutput): void {
  expect(actual.dims).toEqual(expected.dims);
  expect(expected.data.every(Number.isFinite)).toBe(true);
  const largest = expected.data.reduce((most, value) => Math.max(most, Math.abs(value)), 1);
  expect(actual.data).toBeAllClose(expected.data, { rtol: 0, atol: 1e-5 * largest });
}

export function runOnTensorFlow(tf: Tf, graph: Graph, weights: Weights, inputs: Inputs) {
  const network = createNetwork(tf, graph, weights);
  const output = tf.tidy(() => {
    const tensors = Object.entries(inputs).map(([name, { data, dims }]) => [
      name,
      tf.tensor(Float32Array.from(data as Float32Array), [...dims]),
    ]);
    const named = Object.fromEntries(tensors) as Record<string, Tensor>;
    return network.forward(named, { training: false });
  });
  const result = { data: Float32Array.from(output.dataSync()), dims: output.shape };
  output.dispose();
  network.dispose();
  return result;
}

export async function runOnOnnx(graph: Graph, weights: Weights, inputs: Inputs) {
  if (!runtime.ok) throw new Error(runtime.cause);
  const outputs = [{ name: "out", layer: graph.output }];
  const session = await createSession(
    runtime.ort,
    exportGraph(graph, weights, { ...FACTS, outputs }),
    { threads: 1 },
  );
  const { out } = await session.run(inputs);
  await session.dispose();
  return out!;
}
