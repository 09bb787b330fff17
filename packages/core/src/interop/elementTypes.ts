import { sizeOf } from "../model/graph.ts";

/** How a tensor's elements are stored. */
export interface ElementType {
  /** PyTorch's name of the dtype. */
  readonly name: string;
  /** Bytes of one element. */
  readonly bytes: number;
  /** The element at a byte of the view, as number: exact but for 64-bit integers beyond 2^53. */
  readonly read: (view: DataView, at: number, littleEndian: boolean) => number;
}

export const FLOAT32: ElementType = {
  name: "float32",
  bytes: 4,
  read: (view, at, little) => view.getFloat32(at, little),
};

/** The dtypes that are read, by PyTorch's names. */
export const ELEMENT_TYPES: readonly ElementType[] = [
  FLOAT32,
  { name: "float64", bytes: 8, read: (view, at, little) => view.getFloat64(at, little) },
  { name: "float16", bytes: 2, read: (view, at, little) => fromHalf(view.getUint16(at, little)) },
  { name: "bfloat16", bytes: 2, read: (view, at, little) => fromBrain(view.getUint16(at, little)) },
  { name: "int64", bytes: 8, read: (view, at, little) => Number(view.getBigInt64(at, little)) },
  { name: "int32", bytes: 4, read: (view, at, little) => view.getInt32(at, little) },
  { name: "int16", bytes: 2, read: (view, at, little) => view.getInt16(at, little) },
  { name: "int8", bytes: 1, read: (view, at) => view.getInt8(at) },
  { name: "uint64", bytes: 8, read: (view, at, little) => Number(view.getBigUint64(at, little)) },
  { name: "uint32", bytes: 4, read: (view, at, little) => view.getUint32(at, little) },
  { name: "uint16", bytes: 2, read: (view, at, little) => view.getUint16(at, little) },
  { name: "uint8", bytes: 1, read: (view, at) => view.getUint8(at) },
  { name: "bool", bytes: 1, read: (view, at) => (view.getUint8(at) === 0 ? 0 : 1) },
];

/** What a half's exponent scales by; the power operator takes most of the time otherwise. */
const HALF_SCALES = Float64Array.from({ length: 31 }, (_, exponent) => 2 ** (exponent - 15));

/** IEEE 754 binary16: sign, 5 bits of exponent (bias 15), 10 bits of fraction. */
function fromHalf(bits: number): number {
  const sign = (bits & 0x8000) === 0 ? 1 : -1;
  const exponent = (bits >> 10) & 0x1f;
  const fraction = bits & 0x3ff;
  if (exponent === 0) return sign * fraction * 2 ** -24;
  if (exponent === 0x1f) return fraction === 0 ? sign * Infinity : NaN;
  return sign * (1 + fraction / 1024) * (HALF_SCALES[exponent] ?? 0);
}

const scratch = new DataView(new ArrayBuffer(4));

/** bfloat16: the upper half of a float32. */
function fromBrain(bits: number): number {
  scratch.setUint32(0, bits * 0x10000);
  return scratch.getFloat32(0);
}

/** Where the elements of a tensor lie in its storage; strides and offset count elements. */
export interface TensorView {
  readonly type: ElementType;
  readonly shape: readonly number[];
  readonly strides: readonly number[];
  readonly offset: number;
}

/** Strides of a tensor whose elements lie row by row without gaps. */
export function rowMajorStrides(shape: readonly number[]): number[] {
  const strides: number[] = [];
  let stride = 1;
  for (const size of shape.toReversed()) {
    strides.unshift(stride);
    stride *= size;
  }
  return strides;
}

const HOST_IS_LITTLE = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;

/**
 * A tensor's elements, row-major, rounded to float32 as PyTorch's `.float()` rounds them. The bytes must hold every element
 * of the view.
 */
export function elementsOf(
  bytes: Uint8Array,
  view: TensorView,
  littleEndian: boolean,
): Float32Array {
  const { type, shape, offset } = view;
  const elements = new Float32Array(sizeOf(shape));
  if (elements.length === 0) return elements;
  const rowMajor = isRowMajor(view);
  if (rowMajor && type === FLOAT32 && littleEndian === HOST_IS_LITTLE) {
    const start = offset * type.bytes;
    new Uint8Array(elements.buffer).set(bytes.subarray(start, start + elements.byteLength));
    return elements;
  }
  const data = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const read = (at: number): number => type.read(data, at * type.bytes, littleEndian);
  if (rowMajor) for (let i = 0; i < elements.length; i += 1) elements[i] = read(offset + i);
  else gather(elements, view, read);
  return elements;
}

/** A stride of an axis of one element says nothing. */
function isRowMajor({ shape, strides }: TensorView): boolean {
  const plain = rowMajorStrides(shape);
  return shape.every((size, axis) => size === 1 || strides[axis] === plain[axis]);
}

/** Walks the view's indices in row-major order, the last axis fastest. */
function gather(
  elements: Float32Array,
  { shape, strides, offset }: TensorView,
  read: (at: number) => number,
): void {
  const index = shape.map(() => 0);
  let at = offset;
  for (let i = 0; i < elements.length; i += 1) {
    elements[i] = read(at);
    for (let axis = shape.length - 1; axis >= 0; axis -= 1) {
      const stride = strides[axis] ?? 0;
      const next = (index[axis] ?? 0) + 1;
      at += stride;
      index[axis] = next;
      if (next < (shape[axis] ?? 0)) break;
      at -= stride * next;
      index[axis] = 0;
    }
  }
}
