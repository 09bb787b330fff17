import { dirname, join } from "node:path";
import { statOf } from "@emotion-service/core/files/listFiles";
import { readWholeFile } from "@emotion-service/core/interop/wholeFile";
import { ML_DOMAIN } from "@emotion-service/core/onnx/model";
import {
  type OnnxBody,
  type OnnxGraph,
  type OnnxGraphNode,
  type OnnxGraphValue,
  type OnnxSetting,
  readOnnxGraph,
} from "@emotion-service/core/onnx/readGraph";
import { readOnnxInfo } from "@emotion-service/core/onnx/readInfo";
import type { OnnxTensor } from "@emotion-service/core/onnx/readTensor";
import {
  type Json,
  type LayerFacts,
  type ModelReport,
  listOf,
  product,
  sum,
  textsOf,
  valuesOf,
} from "./modelReport.ts";
import { onnxShapes } from "./onnxShapes.ts";

/** Types of shapes, indices and truth values, which are no parameters. */
const NOT_WEIGHTS = ["int64", "bool", "string"];
/** What linear models, support vectors and scalers of ai.onnx.ml learnt: lists among their attributes. */
const LEARNT = ["coefficients", "intercepts", "support_vectors", "rho", "offset", "scale"];
/** Longest list of numbers or texts of a node that is shown. */
const LONGEST_SETTING = 64;

/** An .onnx file: its nodes, constants, inputs, outputs and metadata. Values of weights are not looked at. */
export function onnxReport(path: string): ModelReport {
  const bytes = readWholeFile(path, "<path>");
  const { metadata, externalFiles } = readOnnxInfo(bytes, path);
  const graph = readOnnxGraph(bytes, path);
  const constants = allConstants(graph);
  const layers = layersOf(graph);
  const labels = labelsOf(metadata, graph);
  return {
    path,
    kind: "ONNX",
    facts: factsOf(graph, metadata, externalFiles),
    ...(labels.length > 0 && { labels }),
    layers,
    weights: constants.map(({ name, dims, type }) => ({ name, shape: dims, dtype: type.name })),
    parameters: parametersOf(constants) + sum(graph.nodes.map(learntNumbers)),
    problems: [
      ...externalFiles.flatMap((name) => externalProblem(dirname(path), name, constants)),
      ...constants.flatMap(sizeProblem),
    ],
  };
}

function factsOf(
  graph: OnnxGraph,
  metadata: Readonly<Record<string, string>>,
  externalFiles: readonly string[],
): Json {
  const values = (list: readonly OnnxGraphValue[]): Json =>
    Object.fromEntries(list.map(({ name, type, dims }) => [name, valueText(type, dims)]));
  const { name, producer, irVersion, opsets, functions } = graph;
  return {
    ...(producer !== "" && { producer }),
    ...(name !== "" && { graph: name }),
    ir_version: irVersion,
    opsets,
    ...(functions > 0 && { functions }),
    ...treeFacts(graph),
    inputs: values(graph.inputs),
    outputs: values(graph.outputs),
    ...(externalFiles.length > 0 && { weights_in: externalFiles }),
    metadata: Object.fromEntries(
      Object.entries(metadata).map(([key, text]) => [key, parsed(text)]),
    ),
  };
}

function valueText(type: string, dims: OnnxGraphValue["dims"]): string {
  return dims === undefined ? type : `${type} [${dims.join(", ")}]`;
}

/** A text that is JSON, such as the classes of our own files, as what it says. */
function parsed(text: string): unknown {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? value : text;
  } catch {
    return text;
  }
}

/** The classes that the metadata name, else those of a classifier among the nodes (operators of ai.onnx.ml). */
function labelsOf(metadata: Readonly<Record<string, string>>, graph: OnnxGraph): string[] {
  for (const key of ["classes", "labels"]) {
    const names = parsed(metadata[key] ?? "");
    if (Array.isArray(names)) return names.map(String);
  }
  for (const { settings } of graph.nodes)
    for (const key of ["classlabels_strings", "classlabels_int64s", "classlabels_ints"])
      if (Array.isArray(settings[key])) return textsOf(settings[key]);
  return [];
}

/** Constants of the graph and of the graphs within its nodes, and tensors that nodes hold themselves. */
function allConstants({ nodes, constants }: OnnxBody): OnnxTensor[] {
  return [...constants, ...nodes.flatMap(ownConstants)];
}

function ownConstants({ tensors, bodies, outputs }: OnnxGraphNode): OnnxTensor[] {
  const own = [...tensors.values()].map((tensor) => ({
    ...tensor,
    name: tensor.name || (outputs[0] ?? ""),
  }));
  return [...own, ...bodies.flatMap(allConstants)];
}

function parametersOf(constants: readonly OnnxTensor[]): number {
  return valuesOf(
    constants
      .filter(({ type }) => !NOT_WEIGHTS.includes(type.name))
      .map(({ dims }) => ({ shape: dims })),
  );
}

function learntNumbers({ domain, settings }: OnnxGraphNode): number {
  return domain === ML_DOMAIN ? sum(LEARNT.map((key) => listOf(settings[key]).length)) : 0;
}

/** Of the ensembles of trees (TreeEnsembleClassifier, TreeEnsembleRegressor) together; nothing where there are none. */
function treeFacts({ nodes }: OnnxGraph): Json {
  const ensembles = nodes.flatMap(({ domain, settings: { nodes_treeids: ids } }) =>
    domain === ML_DOMAIN && Array.isArray(ids) ? [ids as readonly unknown[]] : [],
  );
  if (ensembles.length === 0) return {};
  return {
    trees: sum(ensembles.map((ids) => new Set(ids).size)),
    tree_nodes: sum(ensembles.map(({ length }) => length)),
  };
}

/** Whether a file beside, named by the model, is there and as long as the constants in it want. */
function externalProblem(folder: string, name: string, constants: readonly OnnxTensor[]): string[] {
  const file = join(folder, name);
  const size = statOf(file)?.size;
  if (size === undefined) return [`${file} is missing`];
  const needed = constants.reduce((most, { external, dims, type: { bits = 0 } }) => {
    if (external?.file !== name) return most;
    return Math.max(most, external.offset + bytesOf(dims, bits));
  }, 0);
  return needed > size ? [`${file} must have at least ${needed} bytes, has ${size}`] : [];
}

function bytesOf(dims: readonly number[], bits: number): number {
  return Math.ceil((product(dims) * bits) / 8);
}

/** Whether the bytes of a constant are as many as its sizes want. */
function sizeProblem({ name, dims, type, rawBytes }: OnnxTensor): string[] {
  if (rawBytes === undefined || type.bits === undefined) return [];
  const wanted = bytesOf(dims, type.bits);
  if (wanted === rawBytes) return [];
  return [`${type.name} '${name}' [${dims.join(", ")}] must have ${wanted} bytes, has ${rawBytes}`];
}

/** Inputs, nodes and outputs as layers, each with a name of its own; nodes that give a constant are none. */
function layersOf(graph: OnnxGraph): LayerFacts[] {
  const unique = createNames();
  const producers = new Map<string, string>();
  const constants = constantsByName(graph);
  const operations = graph.nodes.filter(({ outputs: [output = ""] }) => !constants.has(output));
  const shapes = onnxShapes(graph);
  const shapeOf = (value: string) => shapes.get(value) ?? null;
  const inputs = graph.inputs.map(({ name, dims }): LayerFacts => {
    const own = unique(name, "input");
    producers.set(name, own);
    return layer(own, "input", [], dims ?? null);
  });
  const outputNames = graph.outputs.map(({ name }) => unique(name, "output"));
  const nodeNames = operations.map(({ name, op, outputs }) => {
    const own = unique(name || outputs[0] || op, op);
    for (const output of outputs) if (output !== "") producers.set(output, own);
    return own;
  });
  const sourcesOf = (values: readonly string[]): string[] => [
    ...new Set(values.flatMap((value) => producers.get(value) ?? [])),
  ];
  const nodes = operations.map((node, index): LayerFacts => {
    const read = [...node.inputs, ...node.bodies.flatMap(readByBody)];
    const weights = read.flatMap((value) => constants.get(value) ?? []);
    return {
      ...layer(nodeNames[index] ?? "", kindOf(node), sourcesOf(read), null),
      shape: shapeOf(node.outputs[0] ?? ""),
      parameters: parametersOf([...weights, ...ownConstants(node)]) + learntNumbers(node),
      settings: settingsOf(node),
    };
  });
  const outputs = graph.outputs.map(({ name, dims }, index) =>
    layer(outputNames[index] ?? "", "output", sourcesOf([name]), dims ?? shapeOf(name)),
  );
  return [...inputs, ...nodes, ...outputs];
}

/** The graph's constants, those that Constant nodes hold, and those that only have another name through Identity nodes. */
function constantsByName({ constants, nodes }: OnnxGraph): Map<string, OnnxTensor> {
  const found = new Map(constants.map((constant) => [constant.name, constant]));
  for (const { op, domain, inputs, outputs, tensors } of nodes) {
    const [[input = ""], [output = ""]] = [inputs, outputs];
    const constant = op === "Identity" ? found.get(input) : tensors.get("value");
    if (domain === "" && constant !== undefined && (op === "Identity" || op === "Constant"))
      found.set(output, constant);
  }
  return found;
}

function layer(
  name: string,
  kind: string,
  inputs: readonly string[],
  shape: LayerFacts["shape"],
): LayerFacts {
  return { name, kind, inputs, shape, parameters: 0, settings: {} };
}

/** Makes names unlike all before: "x", "x (Relu)", "x (Relu) (Relu)", … */
function createNames(): (name: string, kind: string) => string {
  const taken = new Set<string>();
  return (name, kind) => {
    let own = name;
    while (taken.has(own)) own = `${own} (${kind})`;
    taken.add(own);
    return own;
  };
}

function kindOf({ domain, op }: OnnxGraphNode): string {
  return domain === "" || domain === ML_DOMAIN ? op : `${domain}.${op}`;
}

/** What a graph within a node takes from around it. */
function readByBody({ nodes, outputs }: OnnxBody): string[] {
  const read = nodes.flatMap(({ inputs, bodies }) => [...inputs, ...bodies.flatMap(readByBody)]);
  return [...read, ...outputs.map(({ name }) => name)];
}

function settingsOf({ settings, bodies }: OnnxGraphNode): Json {
  const shown = Object.entries(settings).map(([key, value]) => [key, settingOf(value)] as const);
  const nodes = sum(bodies.map((body) => body.nodes.length));
  return Object.fromEntries(bodies.length > 0 ? [...shown, ["nodes_within", nodes]] : shown);
}

function settingOf(value: OnnxSetting): unknown {
  const isLong = Array.isArray(value) && value.length > LONGEST_SETTING;
  return isLong ? `(${value.length} values)` : value;
}
