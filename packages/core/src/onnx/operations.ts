import type { Layer, LayerOf, OperationName, Padding, Window } from "../model/graph.ts";
import { type WeightOf, batchNormAffine, planesKernel, withAffine } from "./layerWeights.ts";
import { DATA_TYPES } from "./model.ts";
import type { NodeWriter, Value } from "./nodeWriter.ts";

/** What an operation is written with. */
export interface Writing {
  readonly to: NodeWriter;
  readonly weightOf: WeightOf;
  /** The batch norm that the weights of this layer take over; undefined: none. */
  readonly foldedNorm: (layer: string) => LayerOf<"batchNorm"> | undefined;
}

export type WriteLayer<Name extends OperationName> = (
  writing: Writing,
  layer: LayerOf<Name>,
  inputs: readonly [Value, ...Value[]],
) => Value;

/** How each operation stands in ONNX, operator set 17: what runGraph of model/layers.ts computes without training. */
export const WRITE: { readonly [Name in Exclude<OperationName, "input">]: WriteLayer<Name> } = {
  dense: (writing, layer, [x]) => {
    const { to } = writing;
    const { kernel, bias } = weightsOf(writing, layer, true);
    const taken = [to.rows(x), to.floats(`${layer.name}.kernel`, kernel.shape, kernel.data)];
    const constant =
      bias === undefined ? [] : [to.floats(`${layer.name}.bias`, [bias.length], bias)];
    if (layer.shape.length === 2)
      return rows(layer, to.node(`${layer.name}:Gemm`, "Gemm", [...taken, ...constant]));
    const product = to.node(`${layer.name}:MatMul`, "MatMul", taken);
    return rows(layer, to.node(`${layer.name}:Add`, "Add", [product, ...constant]));
  },
  conv2d: (writing, layer, [x]) => convolution(writing, layer, x),
  depthwiseConv2d: (writing, layer, [x]) => convolution(writing, layer, x),
  maxPool2d: ({ to }, layer, [x]) =>
    planes(layer, to.node(`${layer.name}:MaxPool`, "MaxPool", [to.planes(x)], windowOf(layer))),
  globalAveragePool2d: ({ to }, layer, [x]) => {
    const mean = to.node(`${layer.name}:Mean`, "GlobalAveragePool", [to.planes(x)]); // [B, C, 1, 1]
    return rows(layer, to.node(`${layer.name}:Flatten`, "Flatten", [mean]));
  },
  batchNorm: ({ to, weightOf, foldedNorm }, layer, [x]) => {
    if (foldedNorm(layer.inputs[0] ?? "") !== undefined) return x;
    const { scale, shift } = batchNormAffine(layer, weightOf);
    const along = (name: string, values: Float64Array): string =>
      to.floats(
        `${layer.name}.${name}`,
        alongChannels(x, values.length),
        Float32Array.from(values),
      );
    const scaled = to.node(`${layer.name}:Mul`, "Mul", [x.name, along("scale", scale)]);
    return like(x, to.node(`${layer.name}:Add`, "Add", [scaled, along("shift", shift)]));
  },
  layerNorm: ({ to, weightOf }, { name, epsilon, shape }, [x]) => {
    const constants = ["gamma", "beta"].map((weight) => {
      const { data } = weightOf(`${name}.${weight}`);
      return to.floats(`${name}.${weight}`, [data.length], data);
    });
    const attributes = { axis: { int: -1 }, epsilon: { float: epsilon } };
    const normal = to.node(
      `${name}:Norm`,
      "LayerNormalization",
      [to.rows(x), ...constants],
      attributes,
    );
    return rows({ shape }, normal);
  },
  relu: ({ to }, { name }, [x]) => like(x, to.node(`${name}:Relu`, "Relu", [x.name])),
  leakyRelu: ({ to }, { name, alpha }, [x]) =>
    like(x, to.node(`${name}:LeakyRelu`, "LeakyRelu", [x.name], { alpha: { float: alpha } })),
  softmax: ({ to }, { name }, [x]) => like(x, softmaxNode(to, `${name}:Softmax`, x)),
  dropout: (_writing, _layer, [x]) => x,
  add: ({ to }, layer, [first, ...others]) => {
    const inFirst = (value: Value): string => to[first.layout](value);
    const sum = others.reduce(
      (x, value, i) => to.node(`${layer.name}:Add${i}`, "Add", [x, inFirst(value)]),
      first.name,
    );
    return { ...first, name: sum };
  },
  concat: ({ to }, layer, inputs) => {
    const [{ layout }] = inputs;
    const joined = to.node(
      `${layer.name}:Concat`,
      "Concat",
      inputs.map((x) => to[layout](x)),
      { axis: { int: channelAxis(layout) } },
    );
    return { name: joined, layout, shape: layer.shape };
  },
  standardise: ({ to, weightOf }, { name }, [x, present]) => {
    const along = (weight: string): string => {
      const { data } = weightOf(`${name}.${weight}`);
      return to.floats(`${name}.${weight}`, alongChannels(x, data.length), data);
    };
    const centred = to.node(`${name}:Sub`, "Sub", [x.name, along("mean")]);
    const standard = to.node(`${name}:Div`, "Div", [centred, along("deviation")]);
    if (present === undefined) return like(x, standard);
    const zero = to.floats("zero", [], Float32Array.of(0));
    return like(x, to.node(`${name}:Where`, "Where", [to.truth(present), standard, zero]));
  },
  fillMissing: ({ to, weightOf }, layer, [x, present]) => {
    const { shape, data } = weightOf(`${layer.name}.missing`);
    const missing = to.floats(`${layer.name}.missing`, shape, data);
    const inputs = [to.truth(second(layer, present)), to.rows(x), missing];
    return rows(layer, to.node(`${layer.name}:Where`, "Where", inputs));
  },
  reshape: ({ to }, layer, [x]) => {
    const sizes = to.ints([0, ...layer.shape.slice(1).map((size) => size ?? -1)]); // 0: as it is, -1: what is left
    return rows(layer, to.node(`${layer.name}:Reshape`, "Reshape", [to.rows(x), sizes]));
  },
  maskTime: ({ to }, layer, [x, mask]) => {
    const inside = within(to, layer, x, second(layer, mask));
    return like(x, to.node(`${layer.name}:Mul`, "Mul", [x.name, inside]));
  },
  meanTime: ({ to }, layer, [x, mask]) => {
    const { name } = layer;
    const inside = within(to, layer, x, second(layer, mask)); // [B, T, 1]
    const sum = (of: string, what: string): string =>
      to.node(`${name}:${what}`, "ReduceSum", [of, to.ints([1])], { keepdims: { int: 0 } });
    const one = to.floats("one", [], Float32Array.of(1));
    const frames = to.node(`${name}:Max`, "Max", [sum(inside, "Frames"), one]); // [B, 1]
    const heard = to.node(`${name}:Mul`, "Mul", [x.name, inside]);
    return rows(layer, to.node(`${name}:Div`, "Div", [sum(heard, "Sum"), frames]));
  },
};

/** Softmax over the channels. */
export function softmaxNode(to: NodeWriter, name: string, x: Value): string {
  return to.node(name, "Softmax", [x.name], { axis: { int: channelAxis(x.layout) } });
}

/**
 * An input of bytes is taken as numbers. A picture goes into planes at once, while it is bytes: besides that convolutions want
 * it so, steps a channel run along whole planes, and not three values at a time.
 */
export function writeInput(to: NodeWriter, { name, dtype, shape }: LayerOf<"input">): Value {
  const given: Value = { name, layout: "rows", shape };
  const x: Value = shape.length === 4 ? { name: to.planes(given), layout: "planes", shape } : given;
  if (dtype === "float32") return x;
  return like(x, to.node(`${name}:Cast`, "Cast", [x.name], { to: { int: DATA_TYPES.float32 } }));
}

/** A kernel of one filter a channel, [height, width, C, 1], is [C, 1, height, width] in ONNX, in as many groups. */
function convolution(
  writing: Writing,
  layer: LayerOf<"conv2d"> | LayerOf<"depthwiseConv2d">,
  x: Value,
): Value {
  const { to } = writing;
  const { name } = layer;
  const isDepthwise = layer.op === "depthwiseConv2d";
  const { kernel, bias } = weightsOf(writing, layer, !isDepthwise && layer.bias);
  const { shape, data } = planesKernel(kernel);
  const [outputs = 1, inputs = 1, ...size] = shape;
  const dims = isDepthwise ? [inputs, outputs, ...size] : shape;
  const taken = [to.planes(x), to.floats(`${name}.kernel`, dims, data)];
  if (bias !== undefined) taken.push(to.floats(`${name}.bias`, [bias.length], bias));
  const attributes = { ...windowOf(layer), group: { int: isDepthwise ? inputs : 1 } };
  return planes(layer, to.node(`${name}:Conv`, "Conv", taken, attributes));
}

/** A layer's kernel and bias, with the batch norm in them that follows it. */
function weightsOf({ weightOf, foldedNorm }: Writing, { name }: Layer, hasBias: boolean) {
  const own = {
    kernel: weightOf(`${name}.kernel`),
    bias: hasBias ? weightOf(`${name}.bias`).data : undefined,
  };
  const norm = foldedNorm(name);
  return norm === undefined ? own : withAffine(own, batchNormAffine(norm, weightOf));
}

/** The mask [B, T · every] at the last of each `every` frames, of the axes of x: [B, T, 1, …], or [B, 1, T, 1] in planes. */
function within(
  to: NodeWriter,
  { name, every }: LayerOf<"maskTime"> | LayerOf<"meanTime">,
  x: Value,
  mask: Value,
): string {
  const { layout, shape } = x;
  const time = layout === "rows" ? 1 : 2;
  const known = shape[1] ?? null;
  const countedEnd = (): string => {
    const range = { start: { int: time }, end: { int: time + 1 } };
    const frames = to.node(`${name}:Shape`, "Shape", [x.name], range);
    return to.node(`${name}:End`, "Mul", [frames, to.ints([every])]);
  };
  const end = known === null ? countedEnd() : to.ints([known * every]);
  const bounds = [to.ints([every - 1]), end, to.ints([1]), to.ints([every])]; // start, end, axis, step
  const seen = to.node(`${name}:Slice`, "Slice", [mask.name, ...bounds]); // [B, T]
  const axes = shape.map((_, axis) => axis).filter((axis) => axis !== 0 && axis !== time);
  return to.node(`${name}:Mask`, "Unsqueeze", [seen, to.ints(axes)]);
}

function windowOf({ size, strides, padding }: Window) {
  return {
    kernel_shape: { ints: size },
    strides: { ints: strides },
    pads: { ints: padsOf(padding) },
  };
}

function padsOf({ top, left, bottom, right }: Padding): number[] {
  return [top, left, bottom, right];
}

function channelAxis(layout: Value["layout"]): number {
  return layout === "planes" ? 1 : -1;
}

/** The sizes of a value a channel that goes with x. */
function alongChannels({ layout }: Value, channels: number): number[] {
  return layout === "planes" ? [channels, 1, 1] : [channels];
}

function rows({ shape }: Pick<Layer, "shape">, name: string): Value {
  return { name, layout: "rows", shape };
}

function planes({ shape }: Pick<Layer, "shape">, name: string): Value {
  return { name, layout: "planes", shape };
}

/** What an operation on single values gives. */
function like(x: Value, name: string): Value {
  return { ...x, name };
}

function second({ name }: Layer, value: Value | undefined): Value {
  if (value === undefined) throw new Error(`the layer '${name}' lacks its second input`);
  return value;
}
