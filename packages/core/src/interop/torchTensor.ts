import { type Weight, type Weights, sizeOf } from "../model/graph.ts";
import { ELEMENT_TYPES, type ElementType, type TensorView, elementsOf } from "./elementTypes.ts";
import { damaged, unsupported } from "./failures.ts";
import { numpyGlobals } from "./numpy.ts";
import { pythonClass } from "./pickledObject.ts";

/** The memory behind tensors; several may share one. */
export interface TorchStorage {
  readonly kind: "storage";
  readonly type: ElementType;
  readonly byteLength: number;
  /** Empty until the file's data has been reached: the old format has it behind the pickle. */
  bytes: Uint8Array;
  readonly littleEndian: boolean;
}

/** A tensor of a file; its values are made only when `weightsOf` asks for them. */
export interface TorchTensor extends TensorView {
  readonly kind: "tensor";
  readonly storage: TorchStorage;
}

export function isTensor(value: unknown): value is TorchTensor {
  return hasKind(value, "tensor");
}

function hasKind(value: unknown, kind: "tensor" | "storage"): boolean {
  return typeof value === "object" && value !== null && "kind" in value && value.kind === kind;
}

/** Values that tensors may have beyond four a byte of their storages: those repeated by strides of 0. */
const SPARE_VALUES = 2 ** 20;

/**
 * The values of tensors, row-major, as float32. `name` is the file's.
 * @throws UserError E_LAYOUT when they repeat a few stored values without end: a small file must not fill the memory
 */
export function weightsOf(tensors: ReadonlyMap<string, TorchTensor>, name: string): Weights {
  let values = 0;
  for (const { shape } of tensors.values()) values += sizeOf(shape);
  const storages = new Set([...tensors.values()].map(({ storage }) => storage.bytes));
  let stored = 0;
  for (const { length } of storages) stored += length;
  if (values > 4 * stored + SPARE_VALUES)
    throw unsupported(
      name,
      `its tensors have ${values} values, of which ${stored} bytes are stored`,
      "in Python, save expanded tensors as their own: tensor.contiguous()",
    );
  return new Map([...tensors].map(([key, tensor]) => [key, weightOf(tensor)]));
}

function weightOf({ storage, ...view }: TorchTensor): Weight {
  return { shape: view.shape, data: elementsOf(storage.bytes, view, storage.littleEndian) };
}

/** A class of storages that a persistent id names. */
interface StorageClass {
  readonly storageOf: ElementType;
}

/** The dtype of a storage class, as it stands in a persistent id. */
export function storageTypeOf(value: unknown): ElementType | undefined {
  return typeof value === "object" && value !== null && "storageOf" in value
    ? (value as StorageClass).storageOf
    : undefined;
}

const STORAGE_CLASSES: readonly (readonly [name: string, dtype: string])[] = [
  ["torch FloatStorage", "float32"],
  ["torch DoubleStorage", "float64"],
  ["torch HalfStorage", "float16"],
  ["torch BFloat16Storage", "bfloat16"],
  ["torch LongStorage", "int64"],
  ["torch IntStorage", "int32"],
  ["torch ShortStorage", "int16"],
  ["torch CharStorage", "int8"],
  ["torch ByteStorage", "uint8"],
  ["torch BoolStorage", "bool"],
  ["torch.storage UntypedStorage", "uint8"],
];

/** The settings of a run, as argparse has them, may stand beside the weights. */
const NAMESPACE = "argparse Namespace";

/**
 * The globals of a checkpoint of tensors and plain values: what PyTorch itself reads with weights_only, less the rare; arrays
 * and scalars of numpy, such as class labels.
 */
export function torchGlobals(name: string): ReadonlyMap<string, unknown> {
  const globals = new Map(numpyGlobals(name));
  globals.set(NAMESPACE, pythonClass(NAMESPACE));
  for (const type of ELEMENT_TYPES) globals.set(`torch ${type.name}`, type);
  for (const [storage, dtype] of STORAGE_CLASSES)
    globals.set(storage, { storageOf: ELEMENT_TYPES.find((type) => type.name === dtype) });
  const tensor = (values: readonly unknown[]): TorchTensor => rebuildTensor(values, name);
  globals.set("torch._utils _rebuild_tensor", tensor);
  globals.set("torch._utils _rebuild_tensor_v2", (values: readonly unknown[]) => {
    refuseNegated(values[6], name);
    return tensor(values);
  });
  globals.set("torch._utils _rebuild_tensor_v3", (values: readonly unknown[]) => {
    refuseNegated(values[7], name);
    return rebuildTensor(values, name, values[6]);
  });
  globals.set("torch._utils _rebuild_parameter", ([data]: readonly unknown[]) => {
    if (!isTensor(data)) throw damaged(name, "a parameter without a tensor");
    return data;
  });
  globals.set("torch Size", ([sizes]: readonly unknown[]) => sizesOf(sizes, name));
  globals.set("torch device", (parts: readonly unknown[]) => deviceOf(parts, name));
  const used = new WeakSet<object>();
  globals.set("collections OrderedDict", ([pairs = []]: readonly unknown[]) =>
    orderedDict(pairs, used, name),
  );
  return globals;
}

/** A device as PyTorch prints it: "cuda:0". */
function deviceOf(parts: readonly unknown[], name: string): string {
  const isPart = (part: unknown): boolean =>
    typeof part === "number" || (typeof part === "string" && part.length < LONGEST_DEVICE);
  if (parts.length > 2 || !parts.every(isPart)) throw damaged(name, "a device without a name");
  return parts.join(":");
}

/** Protocol 1 hands an ordered dict its pairs, a list of its own; later ones fill it afterwards. */
function orderedDict(pairs: unknown, used: WeakSet<object>, name: string): Map<unknown, unknown> {
  if (
    !Array.isArray(pairs) ||
    used.has(pairs) ||
    !pairs.every((pair) => Array.isArray(pair) && pair.length === 2)
  )
    throw damaged(name, "an ordered dict that is not made of pairs of its own");
  used.add(pairs);
  return new Map(pairs as [unknown, unknown][]);
}

/** @throws UserError E_INPUT_BROKEN unless the tensor lies within its storage */
function rebuildTensor(
  [storage, offset, shape, strides]: readonly unknown[],
  name: string,
  dtype?: unknown,
): TorchTensor {
  if (!isStorage(storage)) throw damaged(name, "a tensor without a storage");
  const type = dtype === undefined ? storage.type : ELEMENT_TYPES.find((known) => known === dtype);
  if (type === undefined) throw damaged(name, "a tensor without a dtype");
  const view: TensorView = {
    type,
    shape: sizesOf(shape, name),
    strides: sizesOf(strides, name),
    offset: sizesOf([offset], name)[0] ?? 0,
  };
  if (view.shape.length !== view.strides.length)
    throw damaged(name, "a tensor with more or fewer strides than axes");
  if (!(byteEnd(view) <= storage.byteLength))
    throw damaged(name, `a tensor [${view.shape.join(", ")}] that reaches beyond its storage`);
  return { kind: "tensor", storage, ...view };
}

function isStorage(value: unknown): value is TorchStorage {
  return hasKind(value, "storage");
}

/** Characters of a device's name. */
const LONGEST_DEVICE = 32;
/** Axes that PyTorch allows a tensor. */
const MOST_AXES = 64;

function sizesOf(values: unknown, name: string): number[] {
  if (
    !Array.isArray(values) ||
    values.length > MOST_AXES ||
    !values.every((size) => Number.isSafeInteger(size) && (size as number) >= 0)
  )
    throw damaged(name, "a tensor whose sizes are no numbers from 0");
  return values.slice() as number[];
}

/** The byte behind the last one that the view touches. */
function byteEnd({ type, shape, strides, offset }: TensorView): number {
  if (sizeOf(shape) === 0) return 0;
  const last = shape.reduce((at, size, axis) => at + (size - 1) * (strides[axis] ?? 0), offset);
  return (last + 1) * type.bytes;
}

/** A tensor may be kept with a note that its values are to be negated or conjugated. */
function refuseNegated(metadata: unknown, name: string): void {
  if (metadata instanceof Map && [...metadata.values()].includes(true))
    throw unsupported(
      name,
      "holds a tensor that is negated or conjugated only when it is read",
      "in Python, save it resolved: tensor.resolve_neg().resolve_conj()",
    );
}
