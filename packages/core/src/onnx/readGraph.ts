import { PbfReader } from "pbf";
import {
  ATTRIBUTE,
  GRAPH,
  MAP_TYPE,
  MODEL,
  NODE,
  OPERATOR_SET,
  SEQUENCE_TYPE,
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from "./fields.ts";
import type { Dims } from "./model.ts";
import {
  type Readers,
  brokenOnnx,
  readFields,
  readMessage,
  readSize,
  readText,
} from "./readInfo.ts";
import { type OnnxTensor, readNumber, readNumbers, readSparse, readTensor } from "./readTensor.ts";
import { tensorType } from "./tensorTypes.ts";

/** A tensor, or what else goes from node to node, as the file states it. */
export interface OnnxGraphValue {
  readonly name: string;
  /** numpy's name of the type; "sequence(…)", "map(…)" or "optional(…)" of one; "unknown". */
  readonly type: string;
  /** "?" for a size that is neither known nor named; undefined: the file leaves open how many axes there are. */
  readonly dims: Dims | undefined;
}

/** Numbers and texts, or lists of them; of a tensor or a graph, what it is. */
export type OnnxSetting = number | string | readonly number[] | readonly string[];

export interface OnnxGraphNode {
  /** May be empty. */
  readonly name: string;
  readonly op: string;
  /** "" for ONNX's own operators. */
  readonly domain: string;
  /** An input that is left out is "". */
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly settings: Readonly<Record<string, OnnxSetting>>;
  /** Tensors among its attributes, by attribute. */
  readonly tensors: ReadonlyMap<string, OnnxTensor>;
  /** Graphs among its attributes: bodies of loops, branches. */
  readonly bodies: readonly OnnxBody[];
}

export interface OnnxBody {
  readonly nodes: readonly OnnxGraphNode[];
  readonly constants: readonly OnnxTensor[];
  readonly inputs: readonly OnnxGraphValue[];
  readonly outputs: readonly OnnxGraphValue[];
  /** What the file says of other values. */
  readonly values: readonly OnnxGraphValue[];
}

/** An .onnx file's network. Values of weights are passed over. */
export interface OnnxGraph extends OnnxBody {
  readonly name: string;
  readonly producer: string;
  readonly irVersion: number;
  /** Versions of the operator sets by domain; ONNX's own is "ai.onnx". */
  readonly opsets: Readonly<Record<string, number>>;
  /** Operators that the file defines itself. */
  readonly functions: number;
}

/**
 * The nodes and constants of an .onnx file, in its order.
 * @param file as the user named it, for the message
 * @throws UserError E_INPUT_BROKEN when the bytes are no whole ONNX model
 */
export function readOnnxGraph(bytes: Uint8Array, file: string): OnnxGraph {
  try {
    return readModel(bytes);
  } catch (error) {
    throw brokenOnnx(file, error);
  }
}

function readModel(bytes: Uint8Array): OnnxGraph {
  let [producer, version, irVersion, functions] = ["", "", 0, 0];
  let graph: OnnxBody & { readonly name: string } = { ...EMPTY, name: "" };
  const opsets: Record<string, number> = {};
  readFields(new PbfReader(bytes), bytes.length, {
    [MODEL.irVersion]: (pbf) => (irVersion = readNumber(pbf)),
    [MODEL.producerName]: (pbf) => (producer = readText(pbf)),
    [MODEL.producerVersion]: (pbf) => (version = readText(pbf)),
    [MODEL.opsetImport]: (pbf) => Object.assign(opsets, readOperatorSet(pbf)),
    [MODEL.functions]: () => (functions += 1),
    [MODEL.graph]: (pbf) => (graph = readGraph(pbf)),
  });
  return { ...graph, producer: `${producer} ${version}`.trim(), irVersion, opsets, functions };
}

const EMPTY: OnnxBody = { nodes: [], constants: [], inputs: [], outputs: [], values: [] };

function readOperatorSet(pbf: PbfReader): Record<string, number> {
  let [domain, version] = ["", 0];
  readMessage(pbf, {
    [OPERATOR_SET.domain]: () => (domain = readText(pbf)),
    [OPERATOR_SET.version]: () => (version = readNumber(pbf)),
  });
  return { [domain === "" ? "ai.onnx" : domain]: version };
}

function readGraph(graph: PbfReader): OnnxBody & { readonly name: string } {
  let name = "";
  const nodes: OnnxGraphNode[] = [];
  const constants: OnnxTensor[] = [];
  const inputs: OnnxGraphValue[] = [];
  const outputs: OnnxGraphValue[] = [];
  const values: OnnxGraphValue[] = [];
  readMessage(graph, {
    [GRAPH.name]: (pbf) => (name = readText(pbf)),
    [GRAPH.node]: (pbf) => nodes.push(readNode(pbf)),
    [GRAPH.initializer]: (pbf) => constants.push(readTensor(pbf)),
    [GRAPH.sparseInitializer]: (pbf) => constants.push(readSparse(pbf)),
    [GRAPH.input]: (pbf) => inputs.push(readValue(pbf)),
    [GRAPH.output]: (pbf) => outputs.push(readValue(pbf)),
    [GRAPH.valueInfo]: (pbf) => values.push(readValue(pbf)),
  });
  const known = new Set(constants.map((constant) => constant.name));
  return {
    name,
    nodes,
    constants,
    inputs: inputs.filter((input) => !known.has(input.name)), // old files name their weights among the inputs too
    outputs,
    values,
  };
}

function readNode(node: PbfReader): OnnxGraphNode {
  let [name, op, domain] = ["", "", ""];
  const inputs: string[] = [];
  const outputs: string[] = [];
  const settings: Record<string, OnnxSetting> = {};
  const tensors = new Map<string, OnnxTensor>();
  const bodies: OnnxBody[] = [];
  readMessage(node, {
    [NODE.input]: (pbf) => inputs.push(readText(pbf)),
    [NODE.output]: (pbf) => outputs.push(readText(pbf)),
    [NODE.name]: (pbf) => (name = readText(pbf)),
    [NODE.opType]: (pbf) => (op = readText(pbf)),
    [NODE.domain]: (pbf) => (domain = readText(pbf)),
    [NODE.attribute]: (pbf) => {
      const attribute = readAttribute(pbf);
      if (attribute.setting !== undefined) settings[attribute.name] = attribute.setting;
      if (attribute.tensor !== undefined) tensors.set(attribute.name, attribute.tensor);
      bodies.push(...attribute.bodies);
    },
  });
  const isOwn = domain === "" || domain === "ai.onnx";
  return { name, op, domain: isOwn ? "" : domain, inputs, outputs, settings, tensors, bodies };
}

interface Attribute {
  readonly name: string;
  readonly setting: OnnxSetting | undefined;
  readonly tensor: OnnxTensor | undefined;
  readonly bodies: readonly OnnxBody[];
}

function readAttribute(attribute: PbfReader): Attribute {
  let name = "";
  let setting: OnnxSetting | undefined;
  let tensor: OnnxTensor | undefined;
  const lists: { floats: number[]; ints: number[]; strings: string[] } = {
    floats: [],
    ints: [],
    strings: [],
  };
  const bodies: OnnxBody[] = [];
  const readers: Readers = {
    [ATTRIBUTE.name]: (pbf) => (name = readText(pbf)),
    [ATTRIBUTE.f]: (pbf) => (setting = readNumbers(pbf, "float")[0]),
    [ATTRIBUTE.i]: (pbf) => (setting = readNumber(pbf)),
    [ATTRIBUTE.s]: (pbf) => (setting = readText(pbf)),
    [ATTRIBUTE.t]: (pbf) => (tensor = readTensor(pbf)),
    [ATTRIBUTE.g]: (pbf) => bodies.push(readGraph(pbf)),
    [ATTRIBUTE.graphs]: (pbf) => bodies.push(readGraph(pbf)),
    [ATTRIBUTE.floats]: (pbf) => appendTo(lists.floats, readNumbers(pbf, "float")),
    [ATTRIBUTE.ints]: (pbf) => appendTo(lists.ints, readNumbers(pbf, "int")),
    [ATTRIBUTE.strings]: (pbf) => lists.strings.push(readText(pbf)),
  };
  readMessage(attribute, readers);
  for (const list of Object.values(lists)) if (list.length > 0) setting = list;
  return { name, setting, tensor, bodies };
}

/** One by one: the lists of a forest have more numbers than a call may have arguments. */
function appendTo(list: number[], numbers: readonly number[]): void {
  for (const number of numbers) list.push(number);
}

function readValue(value: PbfReader): OnnxGraphValue {
  let name = "";
  let found: Omit<OnnxGraphValue, "name"> = UNKNOWN;
  readMessage(value, {
    [VALUE_INFO.name]: (pbf) => (name = readText(pbf)),
    [VALUE_INFO.type]: (pbf) => (found = readType(pbf)),
  });
  return { name, ...found };
}

const UNKNOWN = { type: "unknown", dims: undefined };

function readType(type: PbfReader): Omit<OnnxGraphValue, "name"> {
  let found: Omit<OnnxGraphValue, "name"> = UNKNOWN;
  const wrap =
    (kind: string) =>
    (pbf: PbfReader): void => {
      let inner = "unknown";
      readMessage(pbf, { [SEQUENCE_TYPE.elemType]: () => (inner = readType(pbf).type) });
      found = { type: `${kind}(${inner})`, dims: undefined };
    };
  readMessage(type, {
    [TYPE.tensorType]: (pbf) => (found = readTensorType(pbf)),
    [TYPE.sequenceType]: wrap("sequence"),
    [TYPE.optionalType]: wrap("optional"),
    [TYPE.mapType]: (pbf) => (found = { type: readMapType(pbf), dims: undefined }),
  });
  return found;
}

function readMapType(map: PbfReader): string {
  let [key, value] = ["unknown", "unknown"];
  readMessage(map, {
    [MAP_TYPE.keyType]: (pbf) => (key = tensorType(readNumber(pbf)).name),
    [MAP_TYPE.valueType]: (pbf) => (value = readType(pbf).type),
  });
  return `map(${key}, ${value})`;
}

function readTensorType(tensor: PbfReader): Omit<OnnxGraphValue, "name"> {
  let type = "unknown";
  let dims: (number | string)[] | undefined;
  readMessage(tensor, {
    [TENSOR_TYPE.elemType]: (pbf) => (type = tensorType(readNumber(pbf)).name),
    [TENSOR_TYPE.shape]: (pbf) => {
      const sizes: (number | string)[] = [];
      readMessage(pbf, { [TENSOR_SHAPE.dim]: () => sizes.push(readSize(pbf)) });
      dims = sizes;
    },
  });
  return { type, dims };
}
