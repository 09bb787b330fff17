import { PbfWriter } from "pbf";
import {
  ATTRIBUTE,
  ATTRIBUTE_TYPES,
  DIMENSION,
  GRAPH,
  MODEL,
  NODE,
  OPERATOR_SET,
  STRING_ENTRY,
  TENSOR,
  TENSOR_SHAPE,
  TENSOR_TYPE,
  TYPE,
  VALUE_INFO,
} from "./fields.ts";
import {
  DATA_TYPES,
  IR_VERSION,
  ML_DOMAIN,
  ML_OPSET,
  OPSET,
  type OnnxAttribute,
  type OnnxConstant,
  type OnnxModel,
  type OnnxNode,
  type OnnxValue,
} from "./model.ts";

/**
 * A network as the bytes of an .onnx file: the same network, the same bytes. Weights are most of a file; pbf would copy them
 * byte by byte, twice, so that only what stands around them goes through it.
 */
export function writeOnnx(model: OnnxModel): Uint8Array {
  const graph = [
    encode((pbf) => {
      for (const node of model.nodes) pbf.writeMessage(GRAPH.node, writeNode, node);
      pbf.writeStringField(GRAPH.name, model.name);
    }),
    ...model.constants.flatMap(constantChunks),
    encode((pbf) => {
      for (const input of model.inputs) pbf.writeMessage(GRAPH.input, writeValue, input);
      for (const output of model.outputs) pbf.writeMessage(GRAPH.output, writeValue, output);
    }),
  ];
  const head = encode((pbf) => {
    pbf.writeVarintField(MODEL.irVersion, IR_VERSION);
    pbf.writeStringField(MODEL.producerName, model.producer);
    pbf.writeMessage(MODEL.opsetImport, writeOperatorSet, { domain: "", version: OPSET });
    if (model.nodes.some(({ domain }) => domain === ML_DOMAIN))
      pbf.writeMessage(MODEL.opsetImport, writeOperatorSet, {
        domain: ML_DOMAIN,
        version: ML_OPSET,
      });
    for (const entry of Object.entries(model.metadata))
      pbf.writeMessage(MODEL.metadataProps, writeEntry, entry);
    writeLength(MODEL.graph, lengthOf(graph), pbf);
  });
  return Buffer.concat([head, ...graph]);
}

function encode(write: (pbf: PbfWriter) => void): Uint8Array {
  const pbf = new PbfWriter();
  write(pbf);
  return pbf.finish();
}

/** What stands before bytes or a message of a field. */
function writeLength(field: number, length: number, pbf: PbfWriter): void {
  pbf.writeTag(field, LENGTH_DELIMITED);
  pbf.writeVarint(length);
}

/** Protobuf's wire type of texts, bytes and messages. */
const LENGTH_DELIMITED = 2;

function lengthOf(chunks: readonly Uint8Array[]): number {
  return chunks.reduce((sum, { length }) => sum + length, 0);
}

/** A constant as a field of the graph; its values are little-endian, as Node is everywhere. */
function constantChunks({ name, dims, data }: OnnxConstant): Uint8Array[] {
  const values = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  const type = data instanceof Float32Array ? "float32" : "int64";
  const head = encode((pbf) => {
    pbf.writePackedVarint(TENSOR.dims, [...dims]);
    pbf.writeVarintField(TENSOR.dataType, DATA_TYPES[type]);
    pbf.writeStringField(TENSOR.name, name);
    writeLength(TENSOR.rawData, values.length, pbf);
  });
  return [
    encode((pbf) => writeLength(GRAPH.initializer, lengthOf([head, values]), pbf)),
    head,
    values,
  ];
}

/** @param set domain "": ONNX's own operators */
function writeOperatorSet(
  set: { readonly domain: string; readonly version: number },
  pbf: PbfWriter,
): void {
  pbf.writeStringField(OPERATOR_SET.domain, set.domain);
  pbf.writeVarintField(OPERATOR_SET.version, set.version);
}

function writeEntry([key, value]: readonly [string, string], pbf: PbfWriter): void {
  pbf.writeStringField(STRING_ENTRY.key, key);
  pbf.writeStringField(STRING_ENTRY.value, value);
}

function writeNode({ op, domain, inputs, output, attributes }: OnnxNode, pbf: PbfWriter): void {
  for (const input of inputs) pbf.writeStringField(NODE.input, input);
  pbf.writeStringField(NODE.output, output);
  pbf.writeStringField(NODE.name, output);
  pbf.writeStringField(NODE.opType, op);
  for (const attribute of Object.entries(attributes))
    pbf.writeMessage(NODE.attribute, writeAttribute, attribute);
  if (domain !== undefined) pbf.writeStringField(NODE.domain, domain);
}

function writeAttribute([name, value]: readonly [string, OnnxAttribute], pbf: PbfWriter): void {
  pbf.writeStringField(ATTRIBUTE.name, name);
  pbf.writeVarintField(ATTRIBUTE.type, writeAttributeValue(value, pbf));
}

/** Returns the type of the value. */
function writeAttributeValue(value: OnnxAttribute, pbf: PbfWriter): number {
  if ("float" in value) {
    pbf.writeFloatField(ATTRIBUTE.f, value.float);
    return ATTRIBUTE_TYPES.float;
  }
  if ("int" in value) {
    pbf.writeVarintField(ATTRIBUTE.i, value.int);
    return ATTRIBUTE_TYPES.int;
  }
  if ("string" in value) {
    pbf.writeStringField(ATTRIBUTE.s, value.string);
    return ATTRIBUTE_TYPES.string;
  }
  if ("floats" in value) {
    pbf.writePackedFloat(ATTRIBUTE.floats, [...value.floats]);
    return ATTRIBUTE_TYPES.floats;
  }
  if ("strings" in value) {
    for (const text of value.strings) pbf.writeStringField(ATTRIBUTE.strings, text);
    return ATTRIBUTE_TYPES.strings;
  }
  pbf.writePackedVarint(ATTRIBUTE.ints, [...value.ints]);
  return ATTRIBUTE_TYPES.ints;
}

function writeValue({ name, type, dims }: OnnxValue, pbf: PbfWriter): void {
  pbf.writeStringField(VALUE_INFO.name, name);
  pbf.writeMessage(VALUE_INFO.type, writeType, { type, dims });
}

function writeType(value: Pick<OnnxValue, "type" | "dims">, pbf: PbfWriter): void {
  pbf.writeMessage(TYPE.tensorType, writeTensorType, value);
}

function writeTensorType({ type, dims }: Pick<OnnxValue, "type" | "dims">, pbf: PbfWriter): void {
  pbf.writeVarintField(TENSOR_TYPE.elemType, DATA_TYPES[type]);
  pbf.writeMessage(TENSOR_TYPE.shape, writeShape, dims);
}

function writeShape(dims: OnnxValue["dims"], pbf: PbfWriter): void {
  for (const size of dims) pbf.writeMessage(TENSOR_SHAPE.dim, writeSize, size);
}

function writeSize(size: number | string, pbf: PbfWriter): void {
  if (typeof size === "number") pbf.writeVarintField(DIMENSION.value, size);
  else pbf.writeStringField(DIMENSION.param, size);
}
