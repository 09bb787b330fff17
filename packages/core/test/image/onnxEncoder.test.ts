import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadOnnxEncoder } from "@emotion-service/core/image/onnxEncoder";
import type { DataType, Dims, OnnxNode } from "@emotion-service/core/onnx/model";
import { writeOnnx } from "@emotion-service/core/onnx/writeModel";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

/** A file whose network gives the mean of each channel of a picture [batch, 3, height, width]. */
function meansNetwork(dims: Dims, type: DataType = "float32"): string {
  const pool: OnnxNode = { op: "GlobalAveragePool", inputs: ["x"], output: "y", attributes: {} };
  const flatten: OnnxNode = { op: "Flatten", inputs: ["y"], output: "means", attributes: {} };
  const bytes = writeOnnx({
    name: "means",
    producer: "test",
    inputs: [{ name: "x", type, dims }],
    outputs: [{ name: "means", type: "float32", dims: ["batch", 3] }],
    nodes: [pool, flatten],
    constants: [],
    metadata: {},
  });
  const file = join(temporaryFolder(), "means.onnx");
  writeFileSync(file, bytes);
  return file;
}

const OPTIONS = { device: "auto", faceCrop: "off" } as const;
const load = (file: string) => loadOnnxEncoder(file, "--model", OPTIONS);

/** A picture of one colour. */
function plain(colour: readonly number[], width: number, height: number) {
  return {
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!),
    width,
    height,
  };
}

const COLOURS = [[0, 0, 0], [255, 128, 3], [10, 20, 30]]; // prettier-ignore
/** torchvision's Normalize on ToTensor. */
const EXPECTED = COLOURS.flatMap(([red = 0, green = 0, blue = 0]) => [
  (red / 255 - 0.485) / 0.229,
  (green / 255 - 0.456) / 0.224,
  (blue / 255 - 0.406) / 0.225,
]);

describe("loadOnnxEncoder", () => {
  it.each<[string, Dims]>([
    ["any number of pictures", ["batch", 3, 4, 6]],
    ["one picture at a time", [1, 3, 4, 6]],
    ["two, the last filled up", [2, 3, 4, 6]],
  ])("gives ImageNet's scaling of colours to a network that takes %s", async (_, dims) => {
    const encoder = await load(meansNetwork(dims));
    expect(encoder.input).toEqual({ faceCrop: "off", width: 6, height: 4 });
    expect(encoder.info).toMatchObject({ model: "onnx", dim: 3 });
    expect(encoder.info.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
    const means = await encoder.embed(COLOURS.map((colour) => plain(colour, 6, 4)));
    expect(means).toHaveLength(EXPECTED.length);
    for (const [i, mean] of means.entries()) expect(mean).toBeCloseTo(EXPECTED[i]!, 5); // float32 sums
    await encoder.dispose();
  });

  it("takes 224 × 224 where the file leaves the size open", async () => {
    const encoder = await load(meansNetwork(["batch", 3, "height", "width"]));
    expect(encoder.input).toMatchObject({ width: 224, height: 224 });
    await encoder.dispose();
  });

  it.each<[string, Dims, DataType, RegExp]>([
    [
      "that takes no picture",
      ["batch", 512],
      "float32",
      /must take one picture.*takes x \[batch,512\]/,
    ],
    ["of grey pictures", ["batch", 1, 4, 4], "float32", /takes x \[batch,1,4,4\]/],
    ["of another type", ["batch", 3, 4, 4], "float64", /takes x of type float64/],
  ])("refuses a network %s", async (_, dims, type, message) => {
    await expect(load(meansNetwork(dims, type))).rejects.toThrow(message);
  });

  it("refuses a file that is none", async () => {
    await expect(load("nowhere.onnx")).rejects.toThrow(/--model nowhere\.onnx: no such file/);
  });
});
