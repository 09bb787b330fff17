import { readFileSync } from "node:fs";
import { loadTensorFlow } from "@emotion-service/core/model/backend";
import { type Weights, sizeOf } from "@emotion-service/core/model/graph";
import { createNetwork } from "@emotion-service/core/model/network";
import {
  randomResnet18Weights,
  resnet18Graph,
  resnet18Weights,
} from "@emotion-service/core/model/resnet18";
import { exportGraph } from "@emotion-service/core/onnx/exportGraph";
import { createSession, loadOnnxRuntime } from "@emotion-service/core/onnx/session";
import { beforeAll, describe, expect, it } from "vitest";
import { hashedValues } from "./reference.ts";

interface Reference {
  pictures: number;
  side: number;
  /** torchvision's name → how its values are made; seeds go up from 0 */
  tensors: Record<string, { shape: number[]; low: number; high: number }>;
  embeddings: number[][];
}
const reference: Reference = JSON.parse(
  readFileSync(new URL("../reference/resnet18.json", import.meta.url), "utf8"),
);
const { pictures, side } = reference;
const dims = [pictures, side, side, 3] as const;
const pixels = Uint8Array.from(hashedValues(1000, sizeOf(dims), 0, 256));

let stateDict: Weights;
beforeAll(() => {
  stateDict = new Map(
    Object.entries(reference.tensors).map(([name, { shape, low, high }], seed) => [
      name,
      { shape, data: hashedValues(seed, sizeOf(shape), low, high) },
    ]),
  );
});

/** The largest difference from PyTorch, as a part of the embedding's norm. */
function worstDifference(embeddings: ArrayLike<number>): number {
  const differences = reference.embeddings.map((row, i) => {
    const norm = Math.hypot(...row);
    return Math.max(...row.map((v, k) => Math.abs(v - embeddings[i * row.length + k]!))) / norm;
  });
  expect(embeddings).toHaveLength(reference.embeddings.flat().length);
  return Math.max(...differences);
}

/** Whether two networks have the same weights; vitest's own comparison takes a minute for so many numbers. */
function sameWeights(a: Weights, b: Weights): boolean {
  return (
    [...a.keys()].join() === [...b.keys()].join() &&
    [...a].every(([name, { data }]) => bytesOf(data).equals(bytesOf(b.get(name)!.data)))
  );
}

function bytesOf({ buffer }: Float32Array): Buffer {
  return Buffer.from(buffer as ArrayBuffer);
}

/** Twenty layers of float32 sums, in another order than PyTorch's. */
const ROUNDING = 1e-6;

describe("the embeddings of PyTorch's ResNet-18", () => {
  it("on ONNX Runtime", async () => {
    const runtime = loadOnnxRuntime();
    if (!runtime.ok) throw new Error(runtime.cause);
    const graph = resnet18Graph(side);
    const bytes = exportGraph(graph, resnet18Weights(stateDict, ""), {
      name: "resnet18",
      outputs: [{ name: "embedding", layer: graph.output }],
      metadata: {},
      createdBy: "test",
    });
    const session = await createSession(runtime.ort, bytes);
    const { embedding } = await session.run({ picture: { data: pixels, dims } });
    expect(worstDifference(embedding!.data)).toBeLessThan(ROUNDING);
    await session.dispose();
  });

  it("on TensorFlow.js", async () => {
    const { tf } = await loadTensorFlow("wasm");
    const network = createNetwork(tf, resnet18Graph(side), resnet18Weights(stateDict, ""));
    const embedding = tf.tidy(() => {
      const picture = tf.tensor4d(Float32Array.from(pixels), [...dims]);
      return network.forward({ picture }, { training: false });
    });
    expect(worstDifference(embedding.dataSync())).toBeLessThan(ROUNDING);
    embedding.dispose();
    network.dispose();
  });
});

describe("resnet18Weights", () => {
  const refused = (change: (dict: Weights) => void): string => {
    const dict = new Map(stateDict);
    change(dict);
    try {
      resnet18Weights(dict, "some.pth");
    } catch (error) {
      return (error as Error).message;
    }
    return "";
  };

  it("leaves out the classifier and the counters of batches", () => {
    const scalar = { shape: [], data: Float32Array.of(7) };
    const more: Weights = new Map([
      ...stateDict,
      ["fc.weight", { shape: [1000, 512], data: new Float32Array(512_000) }],
      ["fc.bias", { shape: [1000], data: new Float32Array(1000) }],
      ["bn1.num_batches_tracked", scalar],
      ["layer1.0.bn1.num_batches_tracked", scalar],
    ]);
    expect(sameWeights(resnet18Weights(more, ""), resnet18Weights(stateDict, ""))).toBe(true);
  });

  it("names what is missing", () => {
    expect(refused((dict) => dict.delete("layer3.0.downsample.1.running_var"))).toBe(
      "some.pth: must be the state dict of torchvision's resnet18: layer3.0.downsample.1.running_var is missing",
    );
  });

  it("names what does not belong there, and tells the first three of many", () => {
    const extra = { shape: [1], data: new Float32Array(1) };
    const message = refused((dict) => {
      for (const i of [2, 3, 4, 5]) dict.set(`layer1.${i}.conv1.weight`, extra); // resnet34 has more blocks
    });
    expect(message).toMatch(/layer1\.2\.conv1\.weight does not belong there; .*; and 1 more$/);
  });

  it("names a tensor of another shape", () => {
    const message = refused((dict) =>
      dict.set("conv1.weight", { shape: [64, 1, 7, 7], data: new Float32Array(64 * 49) }),
    );
    expect(message).toMatch(/conv1\.weight must be \[64,3,7,7\], is \[64,1,7,7\]$/);
  });
});

describe("randomResnet18Weights", () => {
  it("is the same for a seed, another for another, and scales pixels as the real ones do", () => {
    const weights = randomResnet18Weights(1);
    const kernel = weights.get("layer1.0.conv1.kernel")!;
    expect(sameWeights(randomResnet18Weights(1), weights)).toBe(true);
    expect(sameWeights(randomResnet18Weights(2), weights)).toBe(false);
    const bound = 1 / Math.sqrt(9 * 64); // PyTorch's: uniform in ±1/√(values that an output sees)
    const largest = kernel.data.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
    expect(largest).toBeLessThanOrEqual(Math.fround(bound));
    expect(largest).toBeGreaterThan(0.99 * bound);
    expect(weights.get("normalise.mean")).toEqual(
      resnet18Weights(stateDict, "").get("normalise.mean"),
    );
  });
});
