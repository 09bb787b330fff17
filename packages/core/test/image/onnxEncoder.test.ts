import { writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { loadOnnxEncoder } from "@emotion-service/core/image/onnxEncoder";
import {
  DATA_TYPES,
  type DataType,
  type Dims,
  type OnnxNode,
  type OnnxValue,
} from "@emotion-service/core/onnx/model";
import { GRAPH, MODEL, STRING_ENTRY, TENSOR } from "@emotion-service/core/onnx/fields";
import { writeOnnx } from "@emotion-service/core/onnx/writeModel";
import { PbfWriter } from "pbf";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import {
  FLATTEN,
  MEANS,
  POOL,
  meansNetwork,
  meansOf,
  plain,
} from "../../../../test/onnxNetworks.ts";

function written(bytes: Uint8Array): string {
  const file = join(temporaryFolder(), "network.onnx");
  writeFileSync(file, bytes);
  return file;
}

/** The mean of each channel plus a weight that the file `location` beside it holds, f4 [3]. */
function withExternalWeight(location: string): Uint8Array {
  const add: OnnxNode = { op: "Add", inputs: ["flat", "w"], output: "means", attributes: {} };
  const network = writeOnnx({
    name: "means",
    producer: "test",
    inputs: [{ name: "x", type: "float32", dims: ["batch", 3, 4, 4] }],
    outputs: [MEANS],
    nodes: [POOL, { ...FLATTEN, output: "flat" }, add],
    constants: [],
    metadata: {},
  });
  const writer = new PbfWriter();
  writer.writeMessage(MODEL.graph, writeWeight, location); // a second part of the graph
  return Buffer.concat([network, writer.finish()]);
}

function writeWeight(location: string, graph: PbfWriter): void {
  const entry = (text: string, pbf: PbfWriter): void => {
    pbf.writeStringField(STRING_ENTRY.key, "location");
    pbf.writeStringField(STRING_ENTRY.value, text);
  };
  const tensor = (_: null, pbf: PbfWriter): void => {
    pbf.writePackedVarint(TENSOR.dims, [3]);
    pbf.writeVarintField(TENSOR.dataType, DATA_TYPES.float32);
    pbf.writeStringField(TENSOR.name, "w");
    pbf.writeMessage(TENSOR.externalData, entry, location);
    pbf.writeVarintField(14, 1); // data_location: EXTERNAL
  };
  graph.writeMessage(GRAPH.initializer, tensor, null);
}

const OPTIONS = { device: "auto", faceCrop: "off" } as const;
const load = (file: string) => loadOnnxEncoder(file, "--model", OPTIONS);

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

  it.each<[string, Dims]>([
    ["by names", ["batch", 3, "height", "width"]],
    ["by -1, as some exporters do", [-1, 3, -1, -1]],
  ])("takes 224 × 224 where the file leaves the size open %s", async (_, dims) => {
    const encoder = await load(meansNetwork(dims));
    expect(encoder.input).toMatchObject({ width: 224, height: 224 });
    expect(await encoder.embed([plain([1, 2, 3], 224, 224)])).toHaveLength(3);
    await encoder.dispose();
  });

  it("takes size, mean, deviation and output from the settings, which its feature_config keeps", async () => {
    const raw: OnnxValue = { name: "y", type: "float32", dims: ["batch", 3, 1, 1] };
    const open = { outputs: [raw, MEANS] };
    const file = meansNetwork(["batch", 3, "height", "width"], "float32", open);
    const settings = {
      size: [8, 8],
      mean: [0.5, 0.25, 0],
      std: [0.5, 1, 2],
      output: "means",
    } as const;
    const encoder = await loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
    expect(encoder.input).toMatchObject({ width: 8, height: 8 });
    const { mean, std, size, output } = settings;
    expect(JSON.parse(encoder.info.featureConfig)).toMatchObject({ normalisation: { mean, std }, size, output }); // prettier-ignore
    const [red, green, blue] = await encoder.embed([plain([255, 128, 3], 8, 8)]);
    expect(red).toBeCloseTo((1 - 0.5) / 0.5, 6);
    expect(green).toBeCloseTo((128 / 255 - 0.25) / 1, 6);
    expect(blue).toBeCloseTo(3 / 255 / 2, 6);
    const plainOne = await load(file);
    expect(plainOne.info.featureConfig).not.toEqual(encoder.info.featureConfig);
    for (const { info } of [encoder, plainOne]) {
      const { featureConfig } = info;
      const again = await loadOnnxEncoder(file, "--weights", { ...OPTIONS, featureConfig });
      expect(again.info).toEqual(info);
    }
  });

  it.each([
    [
      "a size that the file does not take",
      { size: [5, 5] },
      "float32",
      /--input_size 5: [^]* takes pictures of 4 × 6 alone/,
    ],
    ["a mean for pixels as they are", { mean: [0, 0, 0] }, "uint8", /takes pixels as they are/],
    [
      "an output that is not there",
      { output: "z" },
      "float32",
      /--output z: [^]* has the outputs means/,
    ],
  ] as const)("refuses %s", async (_, settings, type, message) => {
    const file = meansNetwork(["batch", 3, 4, 6], type);
    const loading = loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
    await expect(loading).rejects.toMatchObject({ message: expect.stringMatching(message) });
  });

  it.each<[string, Dims, "nchw" | "nhwc"]>([
    ["channels that could be either axis", ["batch", 3, 4, 3], "nchw"],
    ["the same, the other way", ["batch", 3, 4, 3], "nhwc"],
    ["axes that are all open", ["batch", "a", "b", "c"], "nhwc"],
  ])("takes --layout for %s, and keeps it", async (_, dims, layout) => {
    const file = meansNetwork(dims, "float32", { nodes: meansOf(layout) });
    const size = layout === "nchw" ? ([4, 3] as const) : ([3, 4] as const);
    const settings = { layout, size: typeof dims[1] === "string" ? size : undefined };
    const encoder = await loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
    expect(encoder.input).toMatchObject({ height: size[0], width: size[1] });
    const means = await encoder.embed([plain(COLOURS[1]!, size[1], size[0])]);
    for (const [i, mean] of means.entries()) expect(mean).toBeCloseTo(EXPECTED[3 + i]!, 5);
    const { featureConfig } = encoder.info;
    const again = await loadOnnxEncoder(file, "--weights", { ...OPTIONS, featureConfig });
    expect(again.info).toEqual(encoder.info);
  });

  it("refuses a layout that contradicts the shape", async () => {
    const file = meansNetwork(["batch", 3, 4, 6]);
    const loading = loadOnnxEncoder(file, "--model", { ...OPTIONS, settings: { layout: "nhwc" } });
    await expect(loading).rejects.toThrow(/--layout nhwc: .* has 6 there, and not 3 or 1 channels/);
  });

  it("makes pictures grey as Pillow does, for one channel", async () => {
    const output = { name: "means", type: "float32", dims: ["batch", 1] } as const;
    const file = meansNetwork(["batch", 1, 4, 6], "float32", { outputs: [output] });
    const settings = { mean: [0], std: [1 / 255] };
    const encoder = await loadOnnxEncoder(file, "--model", { ...OPTIONS, settings });
    const levels = await encoder.embed(COLOURS.map((colour) => plain(colour, 6, 4)));
    // Image.new("RGB", (1, 1), colour).convert("L").getpixel((0, 0)) of Pillow 12.3, a level each
    expect([...levels]).toEqual([0, 152, 18]);
    const three = loadOnnxEncoder(file, "--model", { ...OPTIONS, settings: { ...settings, mean: [0, 0, 0] } }); // prettier-ignore
    await expect(three).rejects.toThrow(/--mean: .*grey pictures, must be one number, has 3/);
  });

  it("takes the first output, whatever the others are", async () => {
    const whole = { name: "whole", type: "int64", dims: ["batch", 3] } as const;
    const to = { int: DATA_TYPES.int64 };
    const cast = { op: "Cast", inputs: ["means"], output: "whole", attributes: { to } };
    const both = { outputs: [MEANS, whole], nodes: [POOL, FLATTEN, cast] };
    const encoder = await load(meansNetwork(["batch", 3, 4, 4], "float32", both));
    expect(encoder.info.dim).toBe(3);
    await encoder.dispose();
    await expect(
      load(meansNetwork(["batch", 3, 4, 4], "float32", { ...both, outputs: [whole, MEANS] })),
    ).rejects.toThrow(/network\.onnx: its first output, whole, must be float32, is int64/);
  });

  it.each<[string, OnnxNode, RegExp]>([
    [
      "one row for all pictures",
      { op: "ReduceMean", inputs: ["y"], output: "means", attributes: { axes: { ints: [0] } } },
      /means must have a row for each picture, is \[1,3,1,1\] for 2/,
    ],
    [
      "the pictures along another axis",
      { op: "Transpose", inputs: ["y"], output: "means", attributes: { perm: { ints: [1, 0, 2, 3] } } }, // prettier-ignore
      /is \[3,2,1,1\] for 2/,
    ],
  ])("refuses a network that gives %s", async (_, node, message) => {
    const loading = load(meansNetwork(["batch", 3, 4, 4], "float32", { nodes: [POOL, node] }));
    await expect(loading).rejects.toThrow(message);
  });

  it("counts the files beside it, in which it keeps weights, into its hash", async () => {
    const hashes = [];
    for (const weight of [1, 1, 2]) {
      const file = written(withExternalWeight("w.bin"));
      writeFileSync(join(dirname(file), "w.bin"), Float32Array.of(weight, 0, 0));
      const encoder = await load(file);
      const [red] = await encoder.embed([plain([255, 255, 255], 4, 4)]);
      expect(red).toBeCloseTo((1 - 0.485) / 0.229 + weight, 5);
      hashes.push(encoder.info.weightsSha256);
      await encoder.dispose();
    }
    expect(hashes[1]).toBe(hashes[0]);
    expect(hashes[2]).not.toBe(hashes[0]);
  });

  it("tells with which settings faces are cut out", async () => {
    const encoder = await loadOnnxEncoder(meansNetwork(["batch", 3, 4, 4]), "--model", {
      ...OPTIONS,
      faceCrop: "on",
    });
    const { package: source, ...config } = JSON.parse(encoder.info.featureConfig);
    expect(source).toMatch(/face-api \d/);
    expect(config).toMatchObject({ face_crop: "on", face_size: 112, size: [4, 4] });
    await encoder.dispose();
  });

  it.each<[string, Dims, DataType, RegExp]>([
    [
      "that takes no picture",
      ["batch", 512],
      "float32",
      /must take one picture.*takes x \[batch,512\]/,
    ],
    ["of four channels", ["batch", 4, 4, 4], "float32", /takes x \[batch,4,4,4\]/],
    ["of grey pictures without their scale", ["batch", 1, 4, 4], "float32", /grey pictures, for which no mean/], // prettier-ignore
    ["of channels first or last", ["batch", 3, 4, 3], "float32", /does not tell where the channels are/], // prettier-ignore
    ["of axes that are all open", ["batch", "c", "h", "w"], "float32", /does not tell where the channels are/], // prettier-ignore
    ["of another type", ["batch", 3, 4, 4], "float64", /takes x \[batch,3,4,4\] float64/],
    ["of giants", ["batch", 3, 30_000, 30_000], "float32", /more than 268435456 values/],
  ])("refuses a network %s", async (_, dims, type, message) => {
    await expect(load(meansNetwork(dims, type))).rejects.toThrow(message);
  });

  it("refuses a file that is none", async () => {
    await expect(load("nowhere.onnx")).rejects.toThrow(/--model nowhere\.onnx: no such file/);
  });
});
