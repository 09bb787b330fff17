import { copyFileSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { DATA_TYPES } from "@emotion-service/core/onnx/model";
import { tensorType } from "@emotion-service/core/onnx/tensorTypes";
import { writeOnnx } from "@emotion-service/core/onnx/writeModel";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../test/command.ts";
import { drawGraph } from "../src/drawGraph.ts";
import { formatModel } from "../src/formatModel.ts";
import { graphBoxes } from "../src/graphBoxes.ts";
import type { ModelReport } from "../src/modelReport.ts";
import { onnxReport } from "../src/onnxModel.ts";

/** Made by scripts/reference/onnx_files.py. */
const FIXTURES = join(import.meta.dirname, "fixtures");
const EXPECTED = JSON.parse(readFileSync(join(FIXTURES, "onnx_files.json"), "utf8"));

function fixture(name: string): ModelReport {
  return onnxReport(join(FIXTURES, `${name}.onnx`));
}

function layerOf({ layers = [] }: ModelReport, name: string) {
  return layers.find((layer) => layer.name === name);
}

describe.each(["dynamo", "torchscript"])("a network of PyTorch's exporter %s", (name) => {
  const report = fixture(name);

  test("has the shapes that onnx.shape_inference finds, though the file states none", () => {
    const found = Object.fromEntries(
      (report.layers ?? [])
        .filter(({ kind }) => kind !== "input" && kind !== "output")
        .map((layer) => [layer.name, layer.shape]),
    );
    expect(found).toEqual(EXPECTED.shapes[name]);
  });

  test("has PyTorch's parameters: 3·4·9 + 4, 4·4·9 + 4, 16·5 + 5", () => {
    const counts = (report.layers ?? []).map(({ parameters }) => parameters).filter(Boolean);
    expect(counts).toEqual([112, 148, 85]);
    expect(report.parameters).toBe(112 + 148 + 85);
  });

  test("has its exporter, operator set and edges", () => {
    expect(report.facts).toMatchObject({
      opsets: { "ai.onnx": 20 },
      ir_version: expect.any(Number),
    });
    expect(report.facts["producer"]).toMatch(/^pytorch 2\./);
    const add = report.layers?.find(({ kind }) => kind === "Add");
    const [relu, conv] = (report.layers ?? [])
      .filter(({ kind }) => /^(Relu|Conv)$/.test(kind))
      .slice(1);
    expect(new Set(add?.inputs)).toEqual(new Set([relu?.name, conv?.name]));
    expect(report.problems).toEqual([]);
  });
});

describe("a forest of scikit-learn's", () => {
  test("tells its classes, trees and what comes out", () => {
    const report = fixture("trees");
    expect(report.labels).toEqual(["angry", "happy", "sad"]);
    expect(report.facts).toMatchObject({
      ...EXPECTED.trees,
      outputs: { label: "string [?]", probabilities: "sequence(map(string, float32))" },
    });
    expect(formatModel(report)).toContain("  trees: 3\n");
  });
});

describe("a graph within a node", () => {
  const report = fixture("branches");

  test("takes what its branches read around them", () => {
    expect(layerOf(report, "y (If)")?.inputs).toEqual(["flag", "project"]);
    expect(layerOf(report, "y (If)")?.settings).toEqual({ nodes_within: 2 });
  });

  test("a weight in a Constant node is the layer's that takes it", () => {
    expect(layerOf(report, "project")?.parameters).toBe(6);
    expect(report.weights).toEqual([{ name: "weight", shape: [3, 2], dtype: "float32" }]);
    expect(report.layers?.map(({ kind }) => kind)).not.toContain("Constant");
  });
});

describe("constants", () => {
  const file = (path: string): void =>
    writeFileSync(
      path,
      writeOnnx({
        name: "g",
        producer: "test",
        inputs: [{ name: "x", type: "float32", dims: ["batch", 4] }],
        outputs: [{ name: "y", type: "float32", dims: ["batch", 2, 2] }],
        nodes: [
          { op: "Identity", inputs: ["w"], output: "alias", attributes: {} },
          { op: "Mul", inputs: ["x", "alias"], output: "a", attributes: {} },
          { op: "Add", inputs: ["a", "w"], output: "b", attributes: {} },
          { op: "Reshape", inputs: ["b", "sizes"], output: "y", attributes: {} },
        ],
        constants: [
          { name: "w", dims: [4], data: new Float32Array(4) },
          { name: "sizes", dims: [3], data: BigInt64Array.of(-1n, 2n, 2n) },
        ],
        metadata: { classes: '["a","b"]' },
      }),
    );

  test("that two take count for both and once in all; shapes are no parameters", () => {
    const path = join(temporaryFolder(), "m.onnx");
    file(path);
    const report = onnxReport(path);
    const counts = report.layers?.map(({ name, parameters }) => [name, parameters]);
    expect(counts).toEqual([
      ["x", 0],
      ["a", 4],
      ["b", 4],
      ["y (Reshape)", 0],
      ["y", 0],
    ]);
    expect(report).toMatchObject({ parameters: 4, labels: ["a", "b"] });
  });

  test("whose bytes do not fit their sizes are pointed out", () => {
    const path = join(temporaryFolder(), "m.onnx");
    file(path);
    const bytes = readFileSync(path);
    bytes[bytes.indexOf(Buffer.from([0x0a, 0x01, 0x04, 0x10, 0x01])) + 2] = 5; // dims: [5]
    writeFileSync(path, bytes);
    expect(onnxReport(path).problems).toEqual(["float32 'w' [5] must have 20 bytes, has 16"]);
  });
});

test("weights in a file beside: it must be there, and as long as they want", () => {
  const folder = temporaryFolder();
  const [path, weights] = [join(folder, "m.onnx"), join(folder, "weights.bin")];
  copyFileSync(join(FIXTURES, "external.onnx"), path);
  expect(onnxReport(path)).toMatchObject({
    parameters: 4 * 3 + 3,
    problems: [`${weights} is missing`],
  });
  writeFileSync(weights, Buffer.alloc(4 * (4 * 3 + 3)));
  expect(onnxReport(path).problems).toEqual([]);
  writeFileSync(weights, Buffer.alloc(59));
  expect(onnxReport(path).problems).toEqual([`${weights} must have at least 60 bytes, has 59`]);
});

test("types go by the names that the writer has for them", () => {
  for (const [name, number] of Object.entries(DATA_TYPES))
    expect(tensorType(number).name).toBe(name);
});

/** Whether a file was read, told and drawn, or the code of the UserError. */
function outcome(path: string): string {
  try {
    const report = onnxReport(path);
    formatModel(report);
    drawGraph(graphBoxes(report.layers ?? []), "m", "");
    return "drawn";
  } catch (error) {
    if (error instanceof UserError) return error.code;
    throw error;
  }
}

test("bytes that were changed give a report or a UserError, at once", () => {
  const path = join(temporaryFolder(), "m.onnx");
  const change = fc.record({ at: fc.nat(), value: fc.integer({ min: 0, max: 255 }) });
  const name = fc.constantFrom("dynamo", "torchscript", "trees", "branches");
  fc.assert(
    fc.property(name, fc.array(change, { minLength: 1, maxLength: 5 }), (file, changes) => {
      copyFileSync(join(FIXTURES, `${file}.onnx`), path);
      const bytes = readFileSync(path);
      for (const { at, value } of changes) bytes[at % bytes.length] = value;
      writeFileSync(path, bytes);
      expect(outcome(path)).toMatch(/^(drawn|E_INPUT_BROKEN)$/);
    }),
    { numRuns: 400, seed: 7 },
  );
});
