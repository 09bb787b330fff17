import { type Weights, sizeOf } from "../model/graph.ts";
import { ELEMENT_TYPES, type ElementType, elementsOf, rowMajorStrides } from "./elementTypes.ts";
import { damaged, printable, unsupported } from "./failures.ts";

export interface Safetensors {
  /** Row-major, as float32. */
  readonly weights: Weights;
  /** What the header says under `__metadata__`. */
  readonly metadata: ReadonlyMap<string, string>;
}

/** The format's names of the dtypes that are read. */
const DTYPES: ReadonlyMap<string, string> = new Map([
  ["F64", "float64"],
  ["F32", "float32"],
  ["F16", "float16"],
  ["BF16", "bfloat16"],
  ["I64", "int64"],
  ["I32", "int32"],
  ["I16", "int16"],
  ["I8", "int8"],
  ["U64", "uint64"],
  ["U32", "uint32"],
  ["U16", "uint16"],
  ["U8", "uint8"],
  ["BOOL", "bool"],
]);

const LENGTH_BYTES = 8;
const OPENING_BRACE = 0x7b;
/** The longest header that the format allows. */
const LONGEST_HEADER = 100_000_000n;

/** Whether the bytes begin as a safetensors file: the header's length (u64, little-endian), then its JSON object. */
export function isSafetensors(bytes: Buffer): boolean {
  return (
    bytes.length > LENGTH_BYTES &&
    bytes[LENGTH_BYTES] === OPENING_BRACE &&
    bytes.readBigUInt64LE() <= LONGEST_HEADER
  );
}

/**
 * The tensors of a safetensors file (huggingface/safetensors, "Format"): every byte of its data must belong to one tensor.
 * @throws UserError E_INPUT_BROKEN for a damaged file, E_LAYOUT for a dtype that is not read
 */
export function readSafetensors(bytes: Buffer, name: string): Safetensors {
  const headerLength = isSafetensors(bytes) ? Number(bytes.readBigUInt64LE()) : Infinity;
  const dataStart = LENGTH_BYTES + headerLength;
  if (dataStart > bytes.length) throw damaged(name, "the header is not all there");
  const header = parseHeader(bytes.subarray(LENGTH_BYTES, dataStart), name);
  const data = bytes.subarray(dataStart);
  const metadata = metadataOf(header.get("__metadata__"), name);
  header.delete("__metadata__");
  const tensors = [...header].map(([key, entry]) => tensorOf(key, entry, name));
  requireTiling(tensors, data.length, name);
  const weights: Weights = new Map();
  for (const { key, type, shape, begin, end } of tensors) {
    const view = { type, shape, strides: rowMajorStrides(shape), offset: 0 };
    weights.set(key, { shape, data: elementsOf(data.subarray(begin, end), view, true) });
  }
  return { weights, metadata };
}

function parseHeader(json: Uint8Array, name: string): Map<string, unknown> {
  try {
    const header: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(json));
    return new Map(Object.entries(header as object));
  } catch (error) {
    throw damaged(name, "the header is no JSON", error);
  }
}

function metadataOf(value: unknown, name: string): Map<string, string> {
  const entries = Object.entries(typeof value === "object" && value !== null ? value : {});
  if (!entries.every((entry): entry is [string, string] => typeof entry[1] === "string"))
    throw damaged(name, "__metadata__ holds other things than texts");
  return new Map(entries);
}

interface StoredTensor {
  readonly key: string;
  readonly type: ElementType;
  readonly shape: readonly number[];
  /** Bytes of the data, from the first to behind the last. */
  readonly begin: number;
  readonly end: number;
}

function tensorOf(key: string, entry: unknown, name: string): StoredTensor {
  const { dtype, shape, data_offsets } = (entry ?? {}) as Partial<Record<string, unknown>>;
  const tensor = `the tensor ${printable(key)}`;
  if (!areSizes(shape) || !areSizes(data_offsets) || typeof dtype !== "string")
    throw damaged(name, `${tensor} lacks its dtype, shape or data_offsets`);
  const type = ELEMENT_TYPES.find((known) => known.name === DTYPES.get(dtype));
  if (type === undefined)
    throw unsupported(
      name,
      `${tensor} has the dtype ${printable(dtype)}; known are ${[...DTYPES.keys()].join(" ")}`,
      "in Python, convert it before saving: tensor.float()",
    );
  const [begin = 0, end = 0] = data_offsets;
  if (data_offsets.length !== 2 || end - begin !== sizeOf(shape) * type.bytes)
    throw damaged(name, `${tensor} has not as many bytes as its shape wants`);
  return { key, type, shape, begin, end };
}

function areSizes(value: unknown): value is number[] {
  return (
    Array.isArray(value) &&
    value.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)
  );
}

/** Refuses tensors that overlap, leave holes or reach beyond the data. */
function requireTiling(tensors: readonly StoredTensor[], length: number, name: string): void {
  let covered = 0;
  for (const { key, begin, end } of tensors.toSorted(
    (a, b) => a.begin - b.begin || a.end - b.end,
  )) {
    if (begin !== covered)
      throw damaged(name, `a hole or an overlap before the tensor ${printable(key)}`);
    covered = end;
  }
  if (covered !== length)
    throw damaged(name, `tensors of ${covered} bytes, data of ${length} bytes`);
}
