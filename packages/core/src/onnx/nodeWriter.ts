import { type Shape, sizeOf } from "../model/graph.ts";
import { DATA_TYPES, type OnnxAttribute, type OnnxConstant, type OnnxNode } from "./model.ts";

/**
 * A layer's output in the ONNX graph. Our pictures are [batch, height, width, channels] ("rows"), ONNX's convolutions take
 * [batch, channels, height, width] ("planes"): an operation on single values stays in the layout that its input has.
 */
export interface Value {
  readonly name: string;
  readonly layout: "rows" | "planes";
  /** As the layer has it, channels last. */
  readonly shape: Shape;
}

export type NodeWriter = ReturnType<typeof createNodeWriter>;

/** Collects nodes and constants. A node, a constant or an input goes by the name of the tensor that it gives. */
export function createNodeWriter() {
  const nodes: OnnxNode[] = [];
  const constants = new Map<string, OnnxConstant>();
  const made = new Map<string, string>();
  /** Makes a tensor that several layers want once. */
  const once = (key: string, make: () => string): string => {
    const name = made.get(key) ?? make();
    made.set(key, name);
    return name;
  };
  const node = (
    name: string,
    op: string,
    inputs: readonly string[],
    attributes: Readonly<Record<string, OnnxAttribute>> = {},
  ): string => {
    nodes.push({ op, inputs, output: name, attributes });
    return name;
  };
  const transposed = ({ name }: Value, layout: string, perm: readonly number[]): string =>
    once(`${name}:${layout}`, () =>
      node(`${name}:${layout}`, "Transpose", [name], { perm: { ints: perm } }),
    );
  return {
    nodes: nodes as readonly OnnxNode[],
    constants: () => [...constants.values()],
    /** Adds a node whose output has this name; returns the name. */
    node,
    floats: (name: string, dims: readonly number[], data: Float32Array): string => {
      if (data.length !== sizeOf(dims)) throw new Error(`${name} has ${data.length} values`);
      constants.set(name, { name, dims, data });
      return name;
    },
    ints: (values: readonly number[]): string => {
      const name = `ints:${values.join()}`;
      constants.set(name, {
        name,
        dims: [values.length],
        data: BigInt64Array.from(values, BigInt),
      });
      return name;
    },
    /** [B, H, W, C], or any other number of axes as it is. */
    rows: (value: Value): string =>
      value.layout === "rows" ? value.name : transposed(value, "rows", [0, 2, 3, 1]),
    /** [B, C, H, W] */
    planes: (value: Value): string => {
      if (value.layout === "planes") return value.name;
      return transposed(value, "planes", [0, 3, 1, 2]);
    },
    /** A mask of zeros and ones, as truth values. */
    truth: ({ name }: Value): string =>
      once(`${name}:truth`, () =>
        node(`${name}:truth`, "Cast", [name], { to: { int: DATA_TYPES.bool } }),
      ),
  };
}
