import { writeFileSync } from "node:fs";
import { join } from "node:path";
import type {
  DataType,
  Dims,
  OnnxModel,
  OnnxNode,
  OnnxValue,
} from "../packages/core/src/onnx/model.ts";
import { writeOnnx } from "../packages/core/src/onnx/writeModel.ts";
import { temporaryFolder } from "./command.ts";

/** A network as a file in a folder of its own, gone when the test ends. */
export function onnxFile(
  network: Pick<OnnxModel, "inputs" | "outputs" | "nodes"> &
    Partial<Pick<OnnxModel, "constants" | "metadata">>,
  folder = temporaryFolder(),
): string {
  const file = join(folder, "network.onnx");
  const whole = { name: "network", producer: "test", constants: [], metadata: {}, ...network };
  writeFileSync(file, writeOnnx(whole));
  return file;
}

/** Samples of a frame. */
const FRAME = 400;

/**
 * A network of waveforms: of every 400 samples their mean and the first, "frames" [batch, time, 2], or [batch, 2, time] where not transposed.
 */
export function framesNetwork(
  dims: Dims,
  {
    transposed = true,
    more = [],
    outputs = [],
    metadata = {},
    folder = temporaryFolder(),
  }: {
    readonly transposed?: boolean;
    readonly more?: readonly OnnxNode[];
    readonly outputs?: readonly OnnxValue[];
    readonly metadata?: Readonly<Record<string, string>>;
    readonly folder?: string;
  } = {},
): string {
  const weights = new Float32Array(2 * FRAME).fill(1 / FRAME, 0, FRAME);
  weights[FRAME] = 1;
  const order = { perm: { ints: [0, 2, 1] } };
  const strides = { strides: { ints: [FRAME] } };
  const shape = dims.length === 3 ? [["Identity", "x"]] : [["Reshape", "x", "shape"]];
  const [[op = "", ...inputs] = []] = shape;
  return onnxFile(
    {
      inputs: [{ name: "x", type: "float32", dims }],
      outputs: [{ name: "frames", type: "float32", dims: ["batch", "time", "values"] }, ...outputs],
      nodes: [
        { op, inputs, output: "clip", attributes: {} },
        { op: "Conv", inputs: ["clip", "w"], output: "conv", attributes: strides },
        {
          op: transposed ? "Transpose" : "Identity",
          inputs: ["conv"],
          output: "frames",
          attributes: transposed ? order : {},
        },
        ...more,
      ],
      constants: [
        { name: "w", dims: [2, 1, FRAME], data: weights },
        { name: "shape", dims: [3], data: BigInt64Array.of(1n, 1n, -1n) },
      ],
      metadata,
    },
    folder,
  );
}

/** A network of log-mel that gives it back: for each frame its bands, "out" [batch, time, bands]. */
export function bandsNetwork(
  dims: Dims,
  layout: "nct" | "ntc",
  metadata: Readonly<Record<string, string>> = {},
  folder = temporaryFolder(),
): string {
  const squeeze: OnnxNode = {
    op: "Squeeze",
    inputs: ["x", "one"],
    output: "bands",
    attributes: {},
  };
  const same: OnnxNode = { op: "Identity", inputs: ["x"], output: "bands", attributes: {} };
  const last: OnnxNode =
    layout === "ntc"
      ? { op: "Identity", inputs: ["bands"], output: "out", attributes: {} }
      : { op: "Transpose", inputs: ["bands"], output: "out", attributes: { perm: { ints: [0, 2, 1] } } }; // prettier-ignore
  const network = {
    inputs: [{ name: "x", type: "float32" as const, dims }],
    outputs: [{ name: "out", type: "float32" as const, dims: ["batch", "time", "values"] }],
    nodes: [dims.length === 4 ? squeeze : same, last],
    constants: [{ name: "one", dims: [1], data: BigInt64Array.of(1n) }],
    metadata,
  };
  return onnxFile(network, folder);
}

export const POOL: OnnxNode = {
  op: "GlobalAveragePool",
  inputs: ["x"],
  output: "y",
  attributes: {},
};
export const FLATTEN: OnnxNode = { op: "Flatten", inputs: ["y"], output: "means", attributes: {} };
export const MEANS: OnnxValue = { name: "means", type: "float32", dims: ["batch", 3] };

/** A file whose network gives the mean of each channel of a picture [batch, 3, height, width]. */
export function meansNetwork(
  dims: Dims,
  type: DataType = "float32",
  {
    nodes,
    outputs,
    metadata = {},
  }: Partial<Pick<OnnxModel, "nodes" | "outputs" | "metadata">> = {},
): string {
  return onnxFile({
    inputs: [{ name: "x", type, dims }],
    outputs: outputs ?? [MEANS],
    nodes: nodes ?? [POOL, FLATTEN],
    metadata,
  });
}

/** The mean of each channel, wherever these are. */
export function meansOf(layout: "nchw" | "nhwc"): OnnxNode[] {
  const axes = { ints: layout === "nchw" ? [2, 3] : [1, 2] };
  const attributes = { axes, keepdims: { int: 0 } };
  return [{ op: "ReduceMean", inputs: ["x"], output: "means", attributes }];
}

/** A picture of one colour. */
export function plain(colour: readonly number[], width: number, height: number) {
  return {
    data: Uint8Array.from({ length: width * height * 3 }, (_, i) => colour[i % 3]!),
    width,
    height,
  };
}
