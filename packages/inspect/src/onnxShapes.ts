import type { OnnxGraph, OnnxGraphNode, OnnxSetting } from "@emotion-service/core/onnx/readGraph";
import type { ModelShape } from "./modelReport.ts";

type Size = number | string;

/**
 * Shapes of the values of a graph: what the file states, and for the rest what the usual operators of ai.onnx make of it.
 * A size that cannot be told is "?"; a value whose number of axes cannot be told is not there.
 */
export function onnxShapes(graph: OnnxGraph): Map<string, ModelShape> {
  const shapes = new Map<string, ModelShape>();
  const ints = new Map<string, readonly number[]>();
  for (const { name, dims } of [...graph.values, ...graph.outputs, ...graph.inputs])
    if (dims !== undefined) shapes.set(name, dims);
  const addConstant = (name: string, { dims, ints: values }: (typeof graph.constants)[number]) => {
    shapes.set(name, dims);
    if (values !== undefined) ints.set(name, values);
  };
  for (const constant of graph.constants) addConstant(constant.name, constant);
  for (const node of graph.nodes) {
    const [output] = node.outputs;
    const tensor = node.tensors.get("value");
    if (output === undefined || shapes.has(output)) continue;
    if (node.op === "Constant" && tensor !== undefined) addConstant(output, tensor);
    const shape = node.domain === "" ? shapeAfter(node, shapes, ints) : undefined;
    if (shape !== undefined) shapes.set(output, shape);
  }
  return shapes;
}

/** What a rule has to go by. */
interface Known {
  readonly node: OnnxGraphNode;
  /** Of the inputs; undefined for one that is not known. */
  readonly shapes: readonly (ModelShape | undefined)[];
  readonly x: ModelShape;
  /** The whole numbers of an input that is a constant. */
  readonly ints: (input: number) => readonly number[] | undefined;
}
type Rule = (known: Known) => ModelShape | undefined;

function shapeAfter(
  node: OnnxGraphNode,
  shapes: ReadonlyMap<string, ModelShape>,
  ints: ReadonlyMap<string, readonly number[]>,
): ModelShape | undefined {
  const rule = Object.hasOwn(RULES, node.op) ? RULES[node.op] : undefined;
  const found = node.inputs.map((input) => shapes.get(input));
  const [x] = found;
  if (x === undefined) return undefined;
  const shape = rule?.({
    node,
    shapes: found,
    x,
    ints: (input) => ints.get(node.inputs[input] ?? ""),
  });
  return shape?.map((size) => (typeof size !== "number" || isSize(size) ? size : "?"));
}

/** Not so after strides of 0 and the like. */
function isSize(size: number): boolean {
  return Number.isSafeInteger(size) && size >= 0;
}

const same: Rule = ({ x }) => x;

/** numpy's broadcasting of all inputs. */
const broadcast: Rule = ({ shapes }) => {
  if (!shapes.every((shape) => shape !== undefined)) return undefined;
  const axes = Math.max(...shapes.map(({ length }) => length));
  return Array.from({ length: axes }, (_, axis) =>
    shapes.map((shape): Size => shape[axis - axes + shape.length] ?? 1).reduce(broadcastSize),
  );
};

function broadcastSize(a: Size, b: Size): Size {
  if (a === 1) return b;
  if (b === 1 || a === b) return a;
  if (typeof a === "number") return typeof b === "number" ? "?" : a;
  return typeof b === "number" ? b : "?";
}

/** [batch, channels, …] → [batch, `channels`, …] by windows that move over the axes behind. */
function windowed({ node: { settings }, x }: Known, channels: Size, size: readonly number[]) {
  const strides = numbers(settings["strides"]);
  const dilations = numbers(settings["dilations"]);
  const pads = numbers(settings["pads"]);
  const mode = settings["auto_pad"] ?? "NOTSET";
  const axes = x.slice(2).map((pixels, axis): Size => {
    if (typeof pixels !== "number") return "?";
    const stride = strides[axis] ?? 1;
    const reach = ((size[axis] ?? 1) - 1) * (dilations[axis] ?? 1) + 1;
    if (mode === "SAME_UPPER" || mode === "SAME_LOWER") return Math.ceil(pixels / stride);
    const padding = (pads[axis] ?? 0) + (pads[axis + x.length - 2] ?? 0);
    const steps = (pixels + padding - reach) / stride;
    return (settings["ceil_mode"] === 1 ? Math.ceil(steps) : Math.floor(steps)) + 1;
  });
  return [x[0] ?? "?", channels, ...axes];
}

const convolution: Rule = (known) => {
  const kernel = known.shapes[1];
  if (kernel === undefined) return undefined;
  return windowed(known, kernel[0] ?? "?", kernel.slice(2).map(Number));
};

const pool: Rule = (known) =>
  windowed(known, known.x[1] ?? "?", numbers(known.node.settings["kernel_shape"]));

const globalPool: Rule = ({ x }) => x.map((size, axis) => (axis < 2 ? size : 1));

const gemm: Rule = ({ node: { settings }, x, shapes: [, kernel] }) => {
  const rows = x[settings["transA"] === 1 ? 1 : 0];
  const columns = kernel?.[settings["transB"] === 1 ? 0 : 1];
  return rows === undefined || columns === undefined ? undefined : [rows, columns];
};

const matMul: Rule = ({ x, shapes: [, y], node, ints }) => {
  if (y === undefined || x.length < 2 || y.length < 2) return undefined;
  const stacks = broadcast({ node, x, ints, shapes: [x.slice(0, -2), y.slice(0, -2)] }) ?? [];
  return [...stacks, x.at(-2) ?? "?", y.at(-1) ?? "?"];
};

const concat: Rule = ({ node: { settings }, x, shapes }) => {
  if (!shapes.every((shape) => shape !== undefined)) return undefined;
  const axis = axisOf(settings["axis"], x.length);
  const sizes = shapes.map((shape) => shape[axis]);
  const isKnown = sizes.every((size) => typeof size === "number");
  return x.with(axis, isKnown ? sizes.reduce((sum, size) => sum + size, 0) : "?");
};

const transpose: Rule = ({ node: { settings }, x }) => {
  const order = settings["perm"] === undefined ? undefined : numbers(settings["perm"]);
  return order === undefined ? x.toReversed() : order.map((axis) => x[axis] ?? "?");
};

const flatten: Rule = ({ node: { settings }, x }) => {
  const axis = Number(settings["axis"] ?? 1);
  const split = axis < 0 ? axis + x.length : axis;
  return [productOf(x.slice(0, split)), productOf(x.slice(split))];
};

const reshape: Rule = ({ x, ints }) => {
  const sizes = ints(1)?.map((size, axis): Size => (size === 0 ? (x[axis] ?? "?") : size));
  if (sizes === undefined) return undefined;
  const [all, told] = [productOf(x), productOf(sizes.filter((size) => size !== -1))];
  const left = typeof all === "number" && typeof told === "number" ? all / told : leftOf(x, sizes);
  return sizes.map((size) => (size === -1 ? left : size));
};

/** What -1 stands for when the only unknown sizes are one name on both sides, which cancels. */
function leftOf(x: ModelShape, sizes: ModelShape): Size {
  const names = (shape: ModelShape): Size[] => shape.filter((size) => typeof size !== "number");
  const counted = (shape: ModelShape): number =>
    shape.reduce<number>((a, b) => (typeof b === "number" && b !== -1 ? a * b : a), 1);
  const [from, to] = [names(x), names(sizes)];
  const ratio = counted(x) / counted(sizes);
  if (from.join() === to.join()) return ratio;
  return from.length === 1 && to.length === 0 && ratio === 1 ? (from[0] ?? "?") : "?";
}

const squeeze: Rule = ({ node: { settings }, x, ints }) => {
  const axes = axesOf(settings, ints(1))?.map((axis) => axisOf(axis, x.length));
  return axes && x.filter((_, axis) => !axes.includes(axis));
};

const unsqueeze: Rule = ({ node: { settings }, x, ints }) => {
  const found = axesOf(settings, ints(1));
  if (found === undefined) return undefined;
  const length = x.length + found.length;
  const axes = found.map((axis) => axisOf(axis, length));
  const rest = [...x];
  return Array.from({ length }, (_, axis) => (axes.includes(axis) ? 1 : (rest.shift() ?? "?")));
};

const reduce: Rule = ({ node: { settings, inputs }, x, ints }) => {
  const found = axesOf(settings, ints(1));
  if (found === undefined && inputs.length > 1) return undefined;
  const axes = (found ?? x.map((_, axis) => axis)).map((axis) => axisOf(axis, x.length));
  if (settings["keepdims"] === 0) return x.filter((_, axis) => !axes.includes(axis));
  return x.map((size, axis) => (axes.includes(axis) ? 1 : size));
};

/** Axes stood among the attributes before they became an input. */
function axesOf(
  { axes }: Readonly<Record<string, OnnxSetting>>,
  input: readonly number[] | undefined,
): readonly number[] | undefined {
  return axes === undefined ? input : numbers(axes);
}

function axisOf(axis: OnnxSetting | undefined, length: number): number {
  const at = Number(axis ?? 0);
  return at < 0 ? at + length : at;
}

function numbers(value: OnnxSetting | undefined): number[] {
  return Array.isArray(value) ? value.map(Number) : [];
}

function numberOr(value: OnnxSetting | undefined, otherwise: number): number {
  return typeof value === "number" ? value : otherwise;
}

function productOf(sizes: ModelShape): Size {
  const [first = 1] = sizes;
  if (sizes.length === 1) return first;
  return sizes.every((size) => typeof size === "number") ? sizes.reduce((a, b) => a * b, 1) : "?";
}

/** Rules for lists of operators that share one. */
function sharing(operators: string, rule: Rule): Record<string, Rule> {
  return Object.fromEntries(operators.split(" ").map((op) => [op, rule]));
}

const RULES: Readonly<Record<string, Rule>> = {
  ...sharing(
    "Relu LeakyRelu Elu Selu Gelu Sigmoid HardSigmoid HardSwish Tanh Softplus Clip Erf",
    same,
  ),
  ...sharing("Softmax LogSoftmax Identity Cast Dropout Exp Log Sqrt Neg Abs Not Reciprocal", same),
  ...sharing("BatchNormalization LayerNormalization InstanceNormalization LRN", same),
  ...sharing(
    "Add Sub Mul Div Pow Max Min Sum Mean Where PRelu Equal Greater Less And Or",
    broadcast,
  ),
  ...sharing("ReduceMean ReduceSum ReduceMax ReduceMin ReduceProd ReduceL2", reduce),
  ...sharing("MaxPool AveragePool", pool),
  ...sharing("GlobalAveragePool GlobalMaxPool", globalPool),
  Conv: convolution,
  Gemm: gemm,
  MatMul: matMul,
  Concat: concat,
  Transpose: transpose,
  Flatten: flatten,
  Reshape: reshape,
  Squeeze: squeeze,
  Unsqueeze: unsqueeze,
  Shape: ({ x, node: { settings } }) => [
    x.slice(Number(settings["start"] ?? 0), numberOr(settings["end"], x.length)).length,
  ],
  ConstantOfShape: ({ ints }) => ints(0),
};
