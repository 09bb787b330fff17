/** The data types of ONNX that we write or read, by the names of onnxruntime: TensorProto.DataType. */
export const DATA_TYPES = {
  float32: 1,
  uint8: 2,
  int8: 3,
  uint16: 4,
  int16: 5,
  int32: 6,
  int64: 7,
  string: 8,
  bool: 9,
  float16: 10,
  float64: 11,
} as const;
export type DataType = keyof typeof DATA_TYPES;

/** Layer normalisation came with operator set 17, whose files have version 8. */
export const OPSET = 17;
export const IR_VERSION = 8;

/** A size is a number, or a name where it is known only when the network runs. */
export type Dims = readonly (number | string)[];

/** An input or an output of a network. */
export interface OnnxValue {
  readonly name: string;
  readonly type: DataType;
  readonly dims: Dims;
}

export type OnnxAttribute =
  | { readonly int: number }
  | { readonly ints: readonly number[] }
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly string: string }
  | { readonly strings: readonly string[] };

/** The operators of classical machine learning, tree ensembles among them, and the version of their set that came with {@link OPSET}. */
export const ML_DOMAIN = "ai.onnx.ml";
export const ML_OPSET = 3;

export interface OnnxNode {
  readonly op: string;
  /** Whose operator it is, where not ONNX's own. */
  readonly domain?: typeof ML_DOMAIN;
  readonly inputs: readonly string[];
  /** Its one output; the node goes by that name too. */
  readonly output: string;
  readonly attributes: Readonly<Record<string, OnnxAttribute>>;
}

/** A constant, row-major. */
export interface OnnxConstant {
  readonly name: string;
  readonly dims: readonly number[];
  readonly data: Float32Array | BigInt64Array;
}

/** A network as an ONNX file has it. */
export interface OnnxModel {
  /** Of the graph. */
  readonly name: string;
  readonly producer: string;
  readonly inputs: readonly OnnxValue[];
  readonly outputs: readonly OnnxValue[];
  /** In an order in which each comes after its inputs. */
  readonly nodes: readonly OnnxNode[];
  readonly constants: readonly OnnxConstant[];
  readonly metadata: Readonly<Record<string, string>>;
}
