import { PbfReader } from "pbf";
import { UserError, causeOf } from "../errors.ts";
import {
  ATTRIBUTE,
  DIMENSION,
  GRAPH,
  MODEL,
  NODE,
  STRING_ENTRY,
  TENSOR,
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from "./fields.ts";
import { DATA_TYPES, type DataType, type OnnxValue } from "./model.ts";

/** What an .onnx file says of itself. */
export interface OnnxInfo {
  readonly inputs: readonly OnnxInfoValue[];
  readonly outputs: readonly OnnxInfoValue[];
  readonly metadata: Readonly<Record<string, string>>;
  /** Files beside it that it keeps weights in, by its own names of them, sorted. */
  readonly externalFiles: readonly string[];
}
/**
 * type "other": no tensor, or one of a type that {@link DATA_TYPES} lacks; a size "?": neither known nor named, and no
 * sizes at all where the file leaves open how many axes there are.
 */
export type OnnxInfoValue = Omit<OnnxValue, "type"> & { readonly type: DataType | "other" };

/** By field number, what reads the field; the others are passed over. */
export type Readers = Readonly<Record<number, (pbf: PbfReader) => void>>;

/** Protobuf's wire type of texts, bytes and messages. */
export const LENGTH_DELIMITED = 2;

const NAME_OF_TYPE = new Map(
  (Object.keys(DATA_TYPES) as DataType[]).map((name) => [DATA_TYPES[name] as number, name]),
);

/**
 * The inputs, outputs and metadata of an .onnx file; its weights and nodes are passed over.
 * @param file as the user named it, for the message
 * @throws UserError E_INPUT_BROKEN when the bytes are no whole ONNX model
 */
export function readOnnxInfo(bytes: Uint8Array, file: string): OnnxInfo {
  try {
    const info = readModel(bytes);
    if (info.outputs.length === 0) throw new Error("it has no output");
    return info;
  } catch (error) {
    throw brokenOnnx(file, error);
  }
}

/** What is thrown for bytes that are no ONNX model. */
export function brokenOnnx(file: string, error: unknown): UserError {
  return new UserError("E_INPUT_BROKEN", `${file}: is not a whole ONNX model (${causeOf(error)})`, {
    hint: "make the file again, or copy it whole",
    cause: error,
  });
}

function readModel(bytes: Uint8Array): OnnxInfo {
  const metadata = new Map<string, string>();
  const constants = new Set<string>();
  const externalFiles = new Set<string>();
  const inputs: OnnxInfoValue[] = [];
  const outputs: OnnxInfoValue[] = [];
  const { tensor, node } = weightReaders(externalFiles);
  const constant = { ...tensor, [TENSOR.name]: (pbf: PbfReader) => constants.add(readText(pbf)) };
  const graph: Readers = {
    [GRAPH.input]: (pbf) => inputs.push(readValue(pbf)),
    [GRAPH.output]: (pbf) => outputs.push(readValue(pbf)),
    [GRAPH.initializer]: (pbf) => readMessage(pbf, constant),
    [GRAPH.node]: (pbf) => readMessage(pbf, node),
  };
  readFields(new PbfReader(bytes), bytes.length, {
    [MODEL.metadataProps]: (pbf) => metadata.set(...readEntry(pbf)),
    [MODEL.graph]: (pbf) => readMessage(pbf, graph),
  });
  return {
    inputs: inputs.filter(({ name }) => !constants.has(name)), // old files name their weights among the inputs too
    outputs,
    metadata: Object.fromEntries(metadata),
    externalFiles: [...externalFiles].sort(),
  };
}

/** What collects the files of tensors, which nodes too may hold, and graphs within nodes. */
function weightReaders(files: Set<string>): Readonly<Record<"tensor" | "node", Readers>> {
  const tensor: Readers = {
    [TENSOR.externalData]: (pbf) => {
      const [key, value] = readEntry(pbf);
      if (key === "location") files.add(value);
    },
  };
  const attribute: Readers = {
    [ATTRIBUTE.t]: (pbf) => readMessage(pbf, tensor),
    [ATTRIBUTE.g]: (pbf) => readMessage(pbf, graph),
  };
  const node: Readers = { [NODE.attribute]: (pbf) => readMessage(pbf, attribute) };
  const graph: Readers = {
    [GRAPH.initializer]: (pbf) => readMessage(pbf, tensor),
    [GRAPH.node]: (pbf) => readMessage(pbf, node),
  };
  return { tensor, node };
}

/** A name and its text. */
export function readEntry(entry: PbfReader): [key: string, value: string] {
  let [key, value] = ["", ""];
  readMessage(entry, {
    [STRING_ENTRY.key]: (pbf) => (key = readText(pbf)),
    [STRING_ENTRY.value]: (pbf) => (value = readText(pbf)),
  });
  return [key, value];
}

function readValue(value: PbfReader): OnnxInfoValue {
  let name = "";
  let elementType = 0;
  const dims: (number | string)[] = [];
  const shape: Readers = { [TENSOR_SHAPE.dim]: (pbf) => dims.push(readSize(pbf)) };
  const tensorType: Readers = {
    [TENSOR_TYPE.elemType]: (pbf) => (elementType = pbf.readVarint()),
    [TENSOR_TYPE.shape]: (pbf) => readMessage(pbf, shape),
  };
  readMessage(value, {
    [VALUE_INFO.name]: (pbf) => (name = readText(pbf)),
    [VALUE_INFO.type]: (type) =>
      readMessage(type, { [TYPE.tensorType]: (pbf) => readMessage(pbf, tensorType) }),
  });
  return { name, type: NAME_OF_TYPE.get(elementType) ?? "other", dims };
}

/** A size, its name, or "?". */
export function readSize(size: PbfReader): number | string {
  let found: number | string = "?";
  readMessage(size, {
    [DIMENSION.value]: (pbf) => (found = pbf.readVarint(true)),
    [DIMENSION.param]: (pbf) => (found = readText(pbf) || "?"),
  });
  return found;
}

/** Reads the message that comes now, field by field. */
export function readMessage(pbf: PbfReader, readers: Readers): void {
  readFields(pbf, endOfValue(pbf), readers);
}

/** Reads the fields up to `end`; a file that was cut or changed does not come out there. */
export function readFields(pbf: PbfReader, end: number, readers: Readers): void {
  for (let field = pbf.nextField(end); field !== 0; field = pbf.nextField(end))
    readers[field]?.(pbf);
  if (pbf.pos !== end) throw new Error(`a field does not end at byte ${end}`);
}

/** The text that comes now. */
export function readText(pbf: PbfReader): string {
  const { pos } = pbf;
  const end = endOfValue(pbf);
  pbf.pos = pos;
  const text = pbf.readString();
  if (pbf.pos !== end) throw new Error(`a text does not end at byte ${end}`);
  return text;
}

/** Where the text or message that comes now ends; reads its length. */
export function endOfValue(pbf: PbfReader): number {
  if (pbf.type !== LENGTH_DELIMITED) throw new Error(`byte ${pbf.pos} has a number out of place`);
  const end = pbf.readVarint() + pbf.pos;
  if (end > pbf.length) throw new Error(`it ends before byte ${end}`);
  return end;
}
