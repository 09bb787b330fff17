import { fusionGraph } from "@emotion-service/core/model/fusion";
import { exportGraph } from "@emotion-service/core/onnx/exportGraph";
import type { OnnxModel } from "@emotion-service/core/onnx/model";
import { readOnnxInfo } from "@emotion-service/core/onnx/readInfo";
import { writeOnnx } from "@emotion-service/core/onnx/writeModel";
import { UserError } from "@emotion-service/core/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { randomWeights } from "./compare.ts";

const GRAPH = fusionGraph({ image: 4, audio: 3, classes: 2 });
const METADATA = { labels: '["angry","zornig — très"]', empty: "", long: "x".repeat(300) };
const OUTPUTS = [
  { name: "logits", layer: GRAPH.output },
  { name: "probabilities", layer: GRAPH.output, softmax: { temperature: 1 } },
];

function exported(): Uint8Array {
  return exportGraph(GRAPH, randomWeights(GRAPH), {
    name: "fusion",
    outputs: OUTPUTS,
    metadata: METADATA,
    createdBy: "test",
  });
}

it("the same network gives the same bytes", () => {
  expect(Buffer.from(exported()).equals(exported())).toBe(true);
});

it("a file tells its inputs, outputs and metadata", () => {
  const value = (name: string, size: number) => ({ name, type: "float32", dims: ["batch", size] });
  expect(readOnnxInfo(exported(), "model.onnx")).toEqual({
    inputs: [
      value("image_present", 1),
      value("image_embeddings", 4),
      value("audio_present", 1),
      value("audio_embeddings", 3),
    ],
    outputs: [value("logits", 2), value("probabilities", 2)],
    metadata: METADATA,
    externalFiles: [],
  });
});

const EMPTY: OnnxModel = {
  name: "g",
  producer: "p",
  inputs: [],
  outputs: [{ name: "out", type: "float32", dims: [] }],
  nodes: [],
  constants: [],
  metadata: {},
};

it("weights that an old file names among its inputs are no inputs", () => {
  const inputs = ["x", "kernel"].map((name) => ({ name, type: "uint8", dims: [1, "n"] }) as const);
  const constants = [{ name: "kernel", dims: [1, 1], data: Float32Array.of(1) }];
  const info = readOnnxInfo(writeOnnx({ ...EMPTY, inputs, constants }), "a.onnx");
  expect(info.inputs).toEqual([{ name: "x", type: "uint8", dims: [1, "n"] }]);
});

describe("a damaged file is refused, not misread", () => {
  const whole = exported();
  /** Why a file is refused; undefined: it is read. */
  const refusal = (bytes: Uint8Array): UserError | undefined => {
    try {
      readOnnxInfo(bytes, "--model a.onnx");
    } catch (error) {
      if (error instanceof UserError && error.code === "E_INPUT_BROKEN") return error;
      throw error;
    }
    return undefined;
  };

  it.each([
    ["no bytes", new Uint8Array(0)],
    ["text", new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\n")],
    ["a file of another kind", Uint8Array.of(0x89, 0x48, 0x44, 0x46, 0x0d, 0x0a, 0x1a, 0x0a)],
    ["zeros", new Uint8Array(100)],
    ["a network without an output", writeOnnx({ ...EMPTY, outputs: [] })],
  ])("%s", (_name, bytes) => {
    expect(refusal(bytes)?.message).toMatch(/^--model a\.onnx: is not a whole ONNX model \(/);
  });

  it("cut anywhere", () => {
    const cut = (length: number): boolean => refusal(whole.subarray(0, length)) !== undefined;
    const length = fc.integer({ min: 0, max: whole.length - 1 });
    expect(() => fc.assert(fc.property(length, cut), { seed: 1 })).not.toThrow();
  });

  it("with any bytes changed: read or refused, and never anything else", () => {
    const changes = fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1 });
    const change = (places: readonly (readonly [number, number])[]): void => {
      const bytes = whole.slice();
      for (const [at, value] of places) bytes[at] = value;
      refusal(bytes);
    };
    const settings = { seed: 1, numRuns: 300 };
    expect(() => fc.assert(fc.property(changes, change), settings)).not.toThrow();
  });
});
