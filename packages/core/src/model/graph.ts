/**
 * A network as data: one description that TensorFlow.js trains (layers.ts) and that is written as ONNX (onnx/exportGraph.ts).
 * Images are [batch, height, width, channels], kernels [height, width, in, out], dense kernels [in, out].
 */

/** A plain array of a weight, row-major. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
export type Weights = Map<string, Weight>;

/** A weight before it has values. */
export interface WeightSlot {
  readonly name: string;
  readonly shape: readonly number[];
  /** Fresh values are drawn from [low, high). */
  readonly low: number;
  readonly high: number;
  /** Whether a gradient moves it; the others are statistics of the data. */
  readonly trainable: boolean;
}

/** Sizes of a tensor; the first is the batch. null: any, known only when the network runs. */
export type Shape = readonly (number | null)[];

/** [vertical, horizontal] */
export type Pair = readonly [number, number];
/** Zeros that are put around the picture (a max pool ignores them), pixels. */
export interface Padding {
  readonly top: number;
  readonly bottom: number;
  readonly left: number;
  readonly right: number;
}
export interface Window {
  readonly size: Pair;
  readonly strides: Pair;
  readonly padding: Padding;
}

/** What a layer does, and its settings. */
export type Operation =
  | { readonly op: "input"; readonly dtype: "float32" | "uint8" }
  | { readonly op: "dense"; readonly units: number }
  | ({ readonly op: "conv2d"; readonly filters: number; readonly bias: boolean } & Window)
  /** One filter a channel; no bias. */
  | ({ readonly op: "depthwiseConv2d" } & Window)
  | ({ readonly op: "maxPool2d" } & Window)
  /** [B, H, W, C] → [B, C] */
  | { readonly op: "globalAveragePool2d" }
  /** Over the last axis. A second input, [B, 1], says which rows count in training. */
  | { readonly op: "batchNorm"; readonly epsilon: number; readonly momentum: number }
  /** Over the last axis. */
  | { readonly op: "layerNorm"; readonly epsilon: number }
  | { readonly op: "relu" }
  /** x where x > 0, else alpha · x */
  | { readonly op: "leakyRelu"; readonly alpha: number }
  /** Over the last axis. */
  | { readonly op: "softmax" }
  /** In training only. */
  | { readonly op: "dropout"; readonly rate: number }
  /** The sum of inputs of one shape. */
  | { readonly op: "add" }
  /** Along the last axis. */
  | { readonly op: "concat" }
  /** (x - mean) / deviation over the last axis; a second input, [B, 1], makes the rows zeros where it is 0. */
  | { readonly op: "standardise" }
  /** x where the second input, [B, 1], is 1; a learnt vector where it is 0. */
  | { readonly op: "fillMissing" }
  /** Other sizes of the same values; the batch stays. */
  | { readonly op: "reshape" }
  /**
   * [B, T, …] · mask: zeros beyond the end of a sequence. The second input, [B, T · every or more], is 1 within; a frame
   * made of `every` frames is within if the last of them is.
   */
  | { readonly op: "maskTime"; readonly every: number }
  /** [B, T, C] → [B, C]: the mean over the time within. The second input is as for maskTime. */
  | { readonly op: "meanTime"; readonly every: number };

export type OperationName = Operation["op"];

/** A layer; its output goes by its name. */
export type Layer = Operation & {
  readonly name: string;
  readonly inputs: readonly string[];
  /** Of its output. */
  readonly shape: Shape;
  readonly weights: readonly WeightSlot[];
};

export interface Graph {
  /** In an order in which each comes after its inputs. */
  readonly layers: readonly Layer[];
  /** The name of the layer whose output is the network's. */
  readonly output: string;
}

/** What an operation is, of all that {@link Layer} may be. */
export type LayerOf<Name extends OperationName> = Extract<Layer, { readonly op: Name }>;

/** PyTorch's: the share of a new batch in the running statistics, and what keeps a division finite. */
const BATCH_NORM_MOMENTUM = 0.1;
export const EPSILON = 1e-5;

/** Every weight of a network, in order. */
export function weightSlots({ layers }: Graph): WeightSlot[] {
  return layers.flatMap(({ weights }) => weights);
}

/** Fresh weights, drawn in the order of the layers. */
export function initialWeights(graph: Graph, random: () => number): Weights {
  const fresh = ({ shape, low, high }: WeightSlot): Weight => {
    const data = new Float32Array(sizeOf(shape));
    for (let i = 0; i < data.length; i += 1)
      data[i] = low === high ? low : low + (high - low) * random();
    return { shape, data };
  };
  return new Map(weightSlots(graph).map((slot) => [slot.name, fresh(slot)]));
}

export function sizeOf(shape: readonly number[]): number {
  return shape.reduce((a, b) => a * b, 1);
}

/** No padding. */
export const VALID: Padding = { top: 0, bottom: 0, left: 0, right: 0 };

/** The same padding on all sides, as PyTorch's `padding=n`. */
export function padAll(pixels: number): Padding {
  return { top: pixels, bottom: pixels, left: pixels, right: pixels };
}

/** TensorFlow's "same": ⌈n / stride⌉ outputs, the odd pixel after the end. */
export function padSame([height, width]: Pair, size: Pair, strides: Pair): Padding {
  const along = (pixels: number, k: number, stride: number): Pair => {
    const total = Math.max(0, (Math.ceil(pixels / stride) - 1) * stride + k - pixels);
    return [Math.floor(total / 2), Math.ceil(total / 2)];
  };
  const [top, bottom] = along(height, size[0], strides[0]);
  const [left, right] = along(width, size[1], strides[1]);
  return { top, bottom, left, right };
}

export type GraphBuilder = ReturnType<typeof createGraphBuilder>;

/**
 * Builds a network layer by layer: each function adds a layer and returns its name, which later layers take as input.
 * Dense and convolution layers start as PyTorch's do, uniform in ±1/√(values that one output sees).
 */
export function createGraphBuilder() {
  const layers = new Map<string, Layer>();
  const shapeOf = (name: string): Shape => {
    const layer = layers.get(name);
    if (layer === undefined) throw new Error(`no layer '${name}' comes before`);
    return layer.shape;
  };
  const last = (name: string): number => {
    const size = shapeOf(name).at(-1);
    if (typeof size !== "number") throw new Error(`'${name}' has no known last axis`);
    return size;
  };
  const add = (
    name: string,
    operation: Operation,
    inputs: readonly string[],
    shape: Shape,
    weights: readonly WeightSlot[] = [],
  ): string => {
    if (layers.has(name)) throw new Error(`two layers are named '${name}'`);
    layers.set(name, { ...operation, name, inputs, shape, weights });
    return name;
  };
  const plain = (operation: Operation) => (name: string, x: string) =>
    add(name, operation, [x], shapeOf(x));
  const windowed = (x: string, { size, strides, padding }: Window, channels: number): Shape => {
    const [batch = null, height = null, width = null] = shapeOf(x);
    const { top, bottom, left, right } = padding;
    return [
      batch,
      outputs(height, top + bottom, size[0], strides[0]),
      outputs(width, left + right, size[1], strides[1]),
      channels,
    ];
  };

  return {
    shapeOf,
    input: (name: string, shape: Shape, dtype: "float32" | "uint8" = "float32") =>
      add(name, { op: "input", dtype }, [], shape),
    dense: (name: string, x: string, units: number) =>
      add(
        name,
        { op: "dense", units },
        [x],
        [...shapeOf(x).slice(0, -1), units],
        [
          ...uniform(name, "kernel", [last(x), units], last(x)),
          ...uniform(name, "bias", [units], last(x)),
        ],
      ),
    conv2d: (name: string, x: string, filters: number, window: Window, bias = false) => {
      const seen = window.size[0] * window.size[1] * last(x);
      return add(
        name,
        { op: "conv2d", filters, bias, ...window },
        [x],
        windowed(x, window, filters),
        [
          ...uniform(name, "kernel", [...window.size, last(x), filters], seen),
          ...(bias ? uniform(name, "bias", [filters], seen) : []),
        ],
      );
    },
    depthwiseConv2d: (name: string, x: string, window: Window) =>
      add(
        name,
        { op: "depthwiseConv2d", ...window },
        [x],
        windowed(x, window, last(x)),
        uniform(name, "kernel", [...window.size, last(x), 1], window.size[0] * window.size[1]),
      ),
    maxPool2d: (name: string, x: string, window: Window) =>
      add(name, { op: "maxPool2d", ...window }, [x], windowed(x, window, last(x))),
    globalAveragePool2d: (name: string, x: string) =>
      add(name, { op: "globalAveragePool2d" }, [x], [shapeOf(x)[0] ?? null, last(x)]),
    batchNorm: (name: string, x: string, present?: string) =>
      add(
        name,
        { op: "batchNorm", epsilon: EPSILON, momentum: BATCH_NORM_MOMENTUM },
        present === undefined ? [x] : [x, present],
        shapeOf(x),
        [
          constant(name, "gamma", [last(x)], 1),
          constant(name, "beta", [last(x)], 0),
          constant(name, "running_mean", [last(x)], 0, false),
          constant(name, "running_variance", [last(x)], 1, false),
        ],
      ),
    layerNorm: (name: string, x: string) =>
      add(name, { op: "layerNorm", epsilon: EPSILON }, [x], shapeOf(x), [
        constant(name, "gamma", [last(x)], 1),
        constant(name, "beta", [last(x)], 0),
      ]),
    relu: plain({ op: "relu" }),
    softmax: plain({ op: "softmax" }),
    leakyRelu: (name: string, x: string, alpha: number) =>
      add(name, { op: "leakyRelu", alpha }, [x], shapeOf(x)),
    dropout: (name: string, x: string, rate: number) =>
      add(name, { op: "dropout", rate }, [x], shapeOf(x)),
    add: (name: string, inputs: readonly string[]) =>
      add(name, { op: "add" }, inputs, shapeOf(inputs[0] ?? "")),
    concat: (name: string, inputs: readonly string[]) => {
      const size = inputs.reduce((sum, input) => sum + last(input), 0);
      return add(name, { op: "concat" }, inputs, [...shapeOf(inputs[0] ?? "").slice(0, -1), size]);
    },
    standardise: (name: string, x: string, present?: string) =>
      add(name, { op: "standardise" }, present === undefined ? [x] : [x, present], shapeOf(x), [
        constant(name, "mean", [last(x)], 0, false),
        constant(name, "deviation", [last(x)], 1, false),
      ]),
    fillMissing: (name: string, x: string, present: string) =>
      add(name, { op: "fillMissing" }, [x, present], shapeOf(x), [
        constant(name, "missing", [1, last(x)], 0),
      ]),
    reshape: (name: string, x: string, shape: Shape) => add(name, { op: "reshape" }, [x], shape),
    maskTime: (name: string, x: string, mask: string, every: number) =>
      add(name, { op: "maskTime", every }, [x, mask], shapeOf(x)),
    meanTime: (name: string, x: string, mask: string, every: number) =>
      add(name, { op: "meanTime", every }, [x, mask], [shapeOf(x)[0] ?? null, last(x)]),
    /** The network whose output is the layer named. */
    build: (output: string): Graph => {
      shapeOf(output);
      return { layers: [...layers.values()], output };
    },
  };
}

/** Outputs of a window that moves over `pixels` and their padding; null where the pixels are not known. */
function outputs(
  pixels: number | null,
  padding: number,
  size: number,
  stride: number,
): number | null {
  return pixels === null ? null : Math.floor((pixels + padding - size) / stride) + 1;
}

function uniform(
  layer: string,
  weight: string,
  shape: readonly number[],
  seen: number,
): WeightSlot[] {
  const high = 1 / Math.sqrt(seen);
  return [{ name: `${layer}.${weight}`, shape, low: -high, high, trainable: true }];
}

function constant(
  layer: string,
  weight: string,
  shape: readonly number[],
  value: number,
  trainable = true,
): WeightSlot {
  return { name: `${layer}.${weight}`, shape, low: value, high: value, trainable };
}
