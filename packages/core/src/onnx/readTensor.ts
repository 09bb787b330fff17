import type { PbfReader } from "pbf";
import { SPARSE_TENSOR, TENSOR } from "./fields.ts";
import { LENGTH_DELIMITED, endOfValue, readEntry, readMessage, readText } from "./readInfo.ts";
import { type TensorType, tensorType } from "./tensorTypes.ts";

interface ExternalData {
  readonly file: string;
  /** Of the first byte. */
  readonly offset: number;
}

/** A constant without its values. */
export interface OnnxTensor {
  readonly name: string;
  readonly dims: readonly number[];
  readonly type: TensorType;
  /** Where the values lie, if not in this file: a file beside it, by its own name, and bytes. */
  readonly external: ExternalData | undefined;
  /** Bytes of the values where they lie in one piece in this file. */
  readonly rawBytes: number | undefined;
  /** The values of a short list of int64 in this file, such as a shape. */
  readonly ints: readonly number[] | undefined;
}

/** Longest list whose values are read: a shape, axes, not weights. */
const MOST_INTS = 64;
const INT64 = "int64";

export function readTensor(tensor: PbfReader): OnnxTensor {
  let name = "";
  let type = tensorType(0);
  const external = new Map<string, string>();
  let raw: Uint8Array | undefined;
  const dims: number[] = [];
  const ints: number[] = [];
  readMessage(tensor, {
    [TENSOR.name]: (pbf) => (name = readText(pbf)),
    [TENSOR.dims]: (pbf) => pushAll(dims, readNumbers(pbf, "int")),
    [TENSOR.dataType]: (pbf) => (type = tensorType(readNumber(pbf))),
    [TENSOR.rawData]: (pbf) => (raw = readBytes(pbf)),
    [TENSOR.int64Data]: (pbf) => pushFew(ints, pbf),
    [TENSOR.externalData]: (pbf) => external.set(...readEntry(pbf)),
  });
  if (!dims.every((size) => Number.isSafeInteger(size) && size >= 0))
    throw new Error(`the tensor '${name}' has the sizes [${dims.join(", ")}]`);
  const found = raw === undefined ? ints : intsOf(raw);
  const isWhole = found?.length === dims.reduce((total, size) => total * size, 1);
  const file = external.get("location");
  return {
    name,
    dims,
    type,
    external:
      file === undefined ? undefined : { file, offset: Number(external.get("offset") ?? 0) },
    rawBytes: raw?.length,
    ints: type.name === INT64 && isWhole ? found : undefined,
  };
}

/** Of a sparse tensor the values that it states, under the sizes of the whole. */
export function readSparse(sparse: PbfReader): OnnxTensor {
  const values: OnnxTensor[] = [];
  const dims: number[] = [];
  readMessage(sparse, {
    [SPARSE_TENSOR.values]: (pbf) => values.push(readTensor(pbf)),
    [SPARSE_TENSOR.dims]: (pbf) => pushAll(dims, readNumbers(pbf, "int")),
  });
  const [stated] = values;
  if (stated === undefined) throw new Error("a sparse tensor has no values");
  return { ...stated, dims, rawBytes: undefined, ints: undefined };
}

/** A damaged file may claim more sizes than a call takes arguments. */
function pushAll(list: number[], values: readonly number[]): void {
  for (const value of values) list.push(value);
}

function readBytes(pbf: PbfReader): Uint8Array {
  const end = endOfValue(pbf);
  const bytes = pbf.buf.subarray(pbf.pos, end);
  pbf.pos = end;
  return bytes;
}

function intsOf(raw: Uint8Array): number[] | undefined {
  if (raw.length > 8 * MOST_INTS || raw.length % 8 !== 0) return undefined;
  const view = new DataView(raw.buffer, raw.byteOffset, raw.length);
  return Array.from({ length: raw.length / 8 }, (_, i) => Number(view.getBigInt64(8 * i, true)));
}

function pushFew(ints: number[], pbf: PbfReader): void {
  for (const value of readNumbers(pbf, "int")) if (ints.length < MOST_INTS) ints.push(value);
}

/** The number that comes now. */
export function readNumber(pbf: PbfReader): number {
  if (pbf.type === LENGTH_DELIMITED) throw new Error(`byte ${pbf.pos} has a text out of place`);
  return pbf.readVarint(true);
}

/** The numbers of a field that comes now: one, or many in one piece. */
export function readNumbers(pbf: PbfReader, kind: "int" | "float"): number[] {
  const one = (): number => (kind === "int" ? pbf.readVarint(true) : pbf.readFloat());
  if (pbf.type !== LENGTH_DELIMITED) return [one()];
  const end = endOfValue(pbf);
  const numbers: number[] = [];
  while (pbf.pos < end) numbers.push(one());
  if (pbf.pos !== end) throw new Error(`a list does not end at byte ${end}`);
  return numbers;
}
