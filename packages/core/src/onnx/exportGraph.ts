import { UserError } from "../errors.ts";
import type { Graph, Layer, LayerOf, OperationName, Shape, Weights } from "../model/graph.ts";
import type { Dims, OnnxModel, OnnxValue } from "./model.ts";
import { type NodeWriter, type Value, createNodeWriter } from "./nodeWriter.ts";
import { WRITE, type WriteLayer, type Writing, softmaxNode, writeInput } from "./operations.ts";
import { writeOnnx } from "./writeModel.ts";

export interface GraphOutput {
  /** What the file calls it. */
  readonly name: string;
  /** The layer whose values these are. */
  readonly layer: string;
  /** The softmax of the layer's values over the temperature, in place of its values. */
  readonly softmax?: { readonly temperature: number };
}

export interface ExportOptions {
  /** Of the graph, such as "fusion". */
  readonly name: string;
  readonly outputs: readonly GraphOutput[];
  /** Facts that go with the network: labels, feature settings. */
  readonly metadata: Readonly<Record<string, string>>;
  readonly createdBy: string;
}

/**
 * A network as an .onnx file that gives what it gives without training. Inputs keep their names and layout; unknown sizes are
 * named ("batch", "frames", "height", "width"); layers that no output needs are left out.
 * @throws UserError E_LAYOUT for an operation that cannot be written, by its name and its layer's
 */
export function exportGraph(graph: Graph, weights: Weights, options: ExportOptions): Uint8Array {
  return writeOnnx(onnxOfGraph(graph, weights, options));
}

function onnxOfGraph(graph: Graph, weights: Weights, options: ExportOptions): OnnxModel {
  const layers = neededLayers(
    graph,
    options.outputs.map(({ layer }) => layer),
  );
  const to = createNodeWriter();
  const values = writeLayers(layers, {
    to,
    weightOf: (name) => found(weights.get(name), `weight '${name}'`),
    foldedNorm: foldedNorms(layers, options.outputs),
  });
  const outputs = options.outputs.map((output) =>
    writeOutput(to, output, found(values.get(output.layer), `layer '${output.layer}'`)),
  );
  return {
    name: options.name,
    producer: options.createdBy,
    inputs: layers.flatMap((layer) => (layer.op === "input" ? [inputOf(layer)] : [])),
    outputs,
    nodes: to.nodes,
    constants: to.constants(),
    metadata: options.metadata,
  };
}

function writeLayers(layers: readonly Layer[], writing: Writing): Map<string, Value> {
  const values = new Map<string, Value>();
  for (const layer of layers) {
    const value = (name: string): Value => found(values.get(name), `layer '${name}'`);
    if (layer.op === "input") values.set(layer.name, writeInput(writing.to, layer));
    else {
      const inputs = inputsUsed(layer).map(value) as [Value, ...Value[]];
      values.set(layer.name, writerOf(layer)(writing, layer, inputs));
    }
  }
  return values;
}

/** A graph may be data of a newer version, whatever its type says. */
function writerOf({ op, name }: Layer): WriteLayer<OperationName> {
  if (Object.hasOwn(WRITE, op)) return WRITE[op as keyof typeof WRITE] as WriteLayer<OperationName>;
  throw new UserError(
    "E_LAYOUT",
    `the layer '${name}': the operation '${op}' cannot be written as ONNX`,
    { hint: `it can be any of ${Object.keys(WRITE).join(", ")}` },
  );
}

/** The layers that the outputs depend on, in their order. */
function neededLayers({ layers }: Graph, outputs: readonly string[]): Layer[] {
  const needed = new Set(outputs);
  for (const layer of layers.toReversed())
    if (needed.has(layer.name)) for (const input of inputsUsed(layer)) needed.add(input);
  return layers.filter(({ name }) => needed.has(name));
}

/** Which rows count is of no matter to a batch norm that goes by its running statistics. */
function inputsUsed({ op, inputs }: Layer): readonly string[] {
  return op === "batchNorm" ? inputs.slice(0, 1) : inputs;
}

/** Batch norms that alone take the output of a layer with a kernel, by that layer's name. */
function foldedNorms(
  layers: readonly Layer[],
  outputs: readonly GraphOutput[],
): (layer: string) => LayerOf<"batchNorm"> | undefined {
  const takers = new Map<string, (Layer | GraphOutput)[]>();
  const take = (name: string, by: Layer | GraphOutput): void => {
    takers.set(name, [...(takers.get(name) ?? []), by]);
  };
  for (const layer of layers) for (const input of inputsUsed(layer)) take(input, layer);
  for (const output of outputs) take(output.layer, output);
  const folded = new Map<string, LayerOf<"batchNorm">>();
  for (const { op, name } of layers) {
    const [taker, ...others] = takers.get(name) ?? [];
    const hasKernel = op === "dense" || op === "conv2d" || op === "depthwiseConv2d";
    if (hasKernel && others.length === 0 && taker !== undefined && isBatchNorm(taker))
      folded.set(name, taker);
  }
  return (layer) => folded.get(layer);
}

function isBatchNorm(taker: Layer | GraphOutput): taker is LayerOf<"batchNorm"> {
  return "op" in taker && taker.op === "batchNorm";
}

function writeOutput(to: NodeWriter, { name, softmax }: GraphOutput, value: Value): OnnxValue {
  const rows: Value = { ...value, name: to.rows(value), layout: "rows" };
  if (softmax !== undefined) softmaxNode(to, name, cooled(to, name, rows, softmax.temperature));
  else to.node(name, "Identity", [rows.name]);
  const dims = value.shape.map((size, axis) => size ?? (axis === 0 ? BATCH : `${name}_${axis}`));
  return { name, type: "float32", dims };
}

/** The values over a temperature. */
function cooled(to: NodeWriter, name: string, x: Value, temperature: number): Value {
  if (temperature === 1) return x;
  const divisor = to.floats(`${name}:temperature`, [], Float32Array.of(temperature));
  return { ...x, name: to.node(`${name}:Div`, "Div", [x.name, divisor]) };
}

function inputOf({ name, dtype, shape }: LayerOf<"input">): OnnxValue {
  return { name, type: dtype, dims: inputDims(shape) };
}

const BATCH = "batch";

/** A picture may have any height and width; a sequence any number of frames, its mask as many. */
function inputDims(shape: Shape): Dims {
  const isPicture = shape.length === 4 && shape[1] === null && shape[2] === null;
  const names = [BATCH, ...(isPicture ? ["height", "width"] : ["frames"])];
  return shape.map((size, axis) => size ?? names[axis] ?? `size_${axis}`);
}

function found<T>(value: T | undefined, what: string): T {
  if (value === undefined) throw new Error(`the network lacks the ${what}`);
  return value;
}
