/** What {@link TENSOR_TYPES} says of a data type. */
export interface TensorType {
  readonly name: string;
  /** Bits of a value; undefined: not of one size. */
  readonly bits?: number;
}

/** TensorProto.DataType of ONNX 1.19 by number; the names are numpy's or ml_dtypes'. */
const TENSOR_TYPES: readonly (TensorType | undefined)[] = [
  undefined,
  { name: "float32", bits: 32 },
  { name: "uint8", bits: 8 },
  { name: "int8", bits: 8 },
  { name: "uint16", bits: 16 },
  { name: "int16", bits: 16 },
  { name: "int32", bits: 32 },
  { name: "int64", bits: 64 },
  { name: "string" },
  { name: "bool", bits: 8 },
  { name: "float16", bits: 16 },
  { name: "float64", bits: 64 },
  { name: "uint32", bits: 32 },
  { name: "uint64", bits: 64 },
  { name: "complex64", bits: 64 },
  { name: "complex128", bits: 128 },
  { name: "bfloat16", bits: 16 },
  { name: "float8_e4m3fn", bits: 8 },
  { name: "float8_e4m3fnuz", bits: 8 },
  { name: "float8_e5m2", bits: 8 },
  { name: "float8_e5m2fnuz", bits: 8 },
  { name: "uint4", bits: 4 },
  { name: "int4", bits: 4 },
  { name: "float4_e2m1", bits: 4 },
  { name: "float8_e8m0", bits: 8 },
];

/** A data type by its number in an ONNX file. */
export function tensorType(number: number): TensorType {
  return TENSOR_TYPES[number] ?? { name: number === 0 ? "undefined" : `type ${number}` };
}
