import { ELEMENT_TYPES, type ElementType } from "./elementTypes.ts";
import { damaged, printable, unsupported } from "./failures.ts";
import { type PickledObject, isPickledObject } from "./pickledObject.ts";

/** How an element of an array is stored. */
export interface NumpyDtype extends PickledObject {
  readonly kind: "dtype";
  /** numpy's kind: f, i, u, b numbers, U text (UTF-32), S bytes, V fields or nothing, O Python objects. */
  readonly letter: string;
  /** Bytes of an element. */
  itemsize: number;
  littleEndian: boolean;
  /** Of a structured one: by name [dtype, offset in bytes], as it was pickled. */
  fields: ReadonlyMap<unknown, unknown>;
}

/** A text whose characters are bytes: protocols before 3 have no other bytes. They are made when they are wanted. */
interface Latin1 {
  readonly latin1: string;
}

/** The elements of an array as they are stored: bytes, or a list where they are Python objects. */
export type NumpyContent = Uint8Array | Latin1 | readonly unknown[];

export interface NumpyArray extends PickledObject {
  readonly kind: "array";
  dtype: NumpyDtype | undefined;
  shape: readonly number[];
  content: NumpyContent;
}

/** Axes of an array and bytes of a scalar that are read. */
const MOST_AXES = 16;
const LONGEST_SCALAR = 4096;

export function isArray(value: unknown): value is NumpyArray {
  return isPickledObject(value) && "kind" in value && value.kind === "array";
}

export function isDtype(value: unknown): value is NumpyDtype {
  return isPickledObject(value) && "kind" in value && value.kind === "dtype";
}

/** The globals by which numpy pickles arrays, scalars and dtypes, of numpy 1 and 2, in protocols 2 to 5. */
export function numpyGlobals(name: string): ReadonlyMap<string, unknown> {
  const encode = (args: readonly unknown[]): Latin1 => latin1Of(args, name);
  const noBytes = (args: readonly unknown[]): Uint8Array => {
    if (args.length > 0) throw damaged(name, "bytes made of other things");
    return new Uint8Array();
  };
  const globals = new Map<string, unknown>([
    ["numpy ndarray", "numpy.ndarray"],
    ["numpy dtype", (args: readonly unknown[]) => createDtype(args[0], name)],
    ["_codecs encode", encode],
    ["builtins bytes", noBytes],
    ["__builtin__ bytes", noBytes],
  ]);
  for (const module of ["numpy.core", "numpy._core"]) {
    globals.set(`${module}.multiarray _reconstruct`, () => createArray(name));
    globals.set(`${module}.multiarray scalar`, ([dtype, content]: readonly unknown[]) =>
      scalarOf(dtype, content, name),
    );
    globals.set(`${module}.numeric _frombuffer`, (args: readonly unknown[]) => {
      const [content, dtype, shape] = args;
      return createArray(name).setState([1, shape, dtype, false, content]);
    });
  }
  return globals;
}

function latin1Of([text, encoding]: readonly unknown[], name: string): Latin1 {
  if (typeof text !== "string" || encoding !== "latin1")
    throw damaged(name, "bytes that are no text in latin1");
  return { latin1: text };
}

/** A dtype of its short name, such as "f8", "U5", "V64"; the byte order and the fields come with its state. */
function createDtype(descr: unknown, name: string): NumpyDtype {
  const text = typeof descr === "string" ? descr : "";
  const [, order = "", letter = "", count = ""] =
    /^([<>|=]?)([fiubUSVO])(\d{0,9})$/.exec(text) ?? [];
  if (letter === "")
    throw unsupported(name, `the numpy dtype "${printable(text)}" is not read`, DTYPE_HINT);
  const dtype: NumpyDtype = {
    kind: "dtype",
    letter,
    itemsize: letter === "O" ? 8 : Number(count) * (letter === "U" ? 4 : 1),
    littleEndian: order !== ">",
    fields: new Map(),
    setState: (state) => {
      setDtypeState(dtype, state, name);
      return dtype;
    },
    parts: () => [dtype.fields],
  };
  return dtype;
}

const DTYPE_HINT = "in Python, save numbers and texts: array.astype(numpy.float64)";

/**
 * [version, byte order, subarray, names, fields, itemsize, alignment, flags]; an itemsize of -1 leaves that of the name.
 * Nothing is copied: a file may give one state to any number of dtypes.
 */
function setDtypeState(dtype: NumpyDtype, state: unknown, name: string): void {
  const [, order, subarray, , fields, itemsize]: unknown[] = Array.isArray(state) ? state : [];
  if (subarray !== null && subarray !== undefined)
    throw unsupported(name, "a numpy dtype of arrays is not read", DTYPE_HINT);
  dtype.littleEndian = order !== ">";
  if (isSize(itemsize)) dtype.itemsize = itemsize;
  if (fields instanceof Map) dtype.fields = fields;
}

function isSize(value: unknown): value is number {
  return Number.isSafeInteger(value) && (value as number) >= 0;
}

/** An array without elements. Its state is what numpy pickles: [version, shape, dtype, whether in Fortran's order, elements]. */
export function createArray(
  name: string,
): NumpyArray & { setState: (state: unknown) => NumpyArray } {
  const array = {
    kind: "array" as const,
    dtype: undefined as NumpyDtype | undefined,
    shape: [] as readonly number[],
    content: [] as NumpyContent,
    setState: (state: unknown): NumpyArray => {
      const [, shape, dtype, , content]: unknown[] = Array.isArray(state) ? state : [];
      const { elements, ...layout } = arrayLayout(shape, dtype, name);
      array.content = requireContent(content, elements, layout.dtype, name);
      return Object.assign(array, layout);
    },
    parts: () => [array.dtype, ...(Array.isArray(array.content) ? [array.content] : [])],
  };
  return array;
}

/**
 * Checks what an array says of itself.
 * @throws UserError E_INPUT_BROKEN unless the shape is sizes whose elements, bytes of a known size, can be counted
 */
export function arrayLayout(
  shape: unknown,
  dtype: unknown,
  name: string,
): { readonly shape: readonly number[]; readonly dtype: NumpyDtype; readonly elements: number } {
  if (!isDtype(dtype)) throw damaged(name, "an array without a dtype");
  if (!Array.isArray(shape) || shape.length > MOST_AXES || !shape.every(isSize))
    throw damaged(name, "an array whose shape is no list of sizes");
  const elements = shape.reduce<number>((product, size) => product * size, 1);
  if (!Number.isSafeInteger(elements * dtype.itemsize) || (dtype.itemsize === 0 && elements > 1))
    throw damaged(name, "an array of more elements than can be");
  return { shape: shape.slice(), dtype, elements };
}

function requireContent(
  content: unknown,
  elements: number,
  { letter, itemsize }: NumpyDtype,
  name: string,
): NumpyContent {
  const [known, length, wanted] = Array.isArray(content)
    ? [letter === "O", content.length, elements]
    : [letter !== "O" && isBytes(content), lengthOf(content), elements * itemsize];
  if (!known || length !== wanted)
    throw damaged(name, `an array with ${length} elements or bytes in place of ${wanted}`);
  return content as NumpyContent;
}

function isBytes(content: unknown): content is Uint8Array | Latin1 {
  return content instanceof Uint8Array || isLatin1(content);
}

function isLatin1(content: unknown): content is Latin1 {
  return typeof content === "object" && content !== null && "latin1" in content;
}

function lengthOf(content: unknown): number {
  if (content instanceof Uint8Array) return content.length;
  return isLatin1(content) ? content.latin1.length : 0;
}

function bytesOf(content: Uint8Array | Latin1, name: string): Uint8Array {
  if (content instanceof Uint8Array) return content;
  const bytes = Buffer.from(content.latin1, "latin1");
  if (bytes.toString("latin1") !== content.latin1)
    throw damaged(name, "bytes that are no text in latin1");
  return bytes;
}

/** A number, bool or text of numpy as a plain one. */
function scalarOf(dtype: unknown, content: unknown, name: string): unknown {
  if (!isDtype(dtype) || !isBytes(content) || lengthOf(content) !== dtype.itemsize)
    throw damaged(name, "a numpy scalar without its bytes");
  if (dtype.itemsize > LONGEST_SCALAR)
    throw unsupported(name, `a numpy scalar of ${dtype.itemsize} bytes is not read`, DTYPE_HINT);
  const bytes = bytesOf(content, name);
  if (dtype.letter === "U") return utf32(bytes, dtype.littleEndian, name);
  const value = numberReader(dtype, name)(viewOf(bytes), 0);
  return dtype.letter === "b" ? value === 1 : value;
}

/** The values of an array of numbers, [elements], in the order in which they are stored. */
export function numbersOf(array: NumpyArray, name: string): Float64Array {
  return columnOf(array, requireDtype(array, name), 0, name);
}

/** The values of one field of a structured array. */
export function fieldNumbers(array: NumpyArray, field: string, name: string): Float64Array {
  const found: unknown = requireDtype(array, name).fields.get(field);
  const [dtype, offset]: unknown[] = Array.isArray(found) ? found : [];
  if (!isDtype(dtype) || !isSize(offset))
    throw damaged(name, `an array without the field "${field}"`);
  return columnOf(array, dtype, offset, name);
}

/** The texts of an array of texts, or of Python objects that are. */
export function textsOf(array: NumpyArray, name: string): string[] {
  const { content } = array;
  const { letter, itemsize, littleEndian } = requireDtype(array, name);
  if (!isBytes(content)) {
    if (content.every((text) => typeof text === "string")) return content.slice();
    throw damaged(name, "an array of objects in place of texts");
  }
  if (letter !== "U" || itemsize === 0) throw damaged(name, "an array that holds no texts");
  const bytes = bytesOf(content, name);
  return Array.from({ length: bytes.length / itemsize }, (_, i) =>
    utf32(bytes.subarray(i * itemsize, (i + 1) * itemsize), littleEndian, name),
  );
}

/** Bytes that the elements of an array take. */
export function storedBytes({ content }: NumpyArray): number {
  return lengthOf(content);
}

function requireDtype({ dtype }: NumpyArray, name: string): NumpyDtype {
  if (dtype === undefined) throw damaged(name, "an array without elements");
  return dtype;
}

function columnOf(
  array: NumpyArray,
  dtype: NumpyDtype,
  offset: number,
  name: string,
): Float64Array {
  const { itemsize } = requireDtype(array, name);
  const read = numberReader(dtype, name);
  if (!isBytes(array.content)) throw damaged(name, "an array of objects in place of numbers");
  const bytes = bytesOf(array.content, name);
  if (!(offset + dtype.itemsize <= itemsize) || bytes.length % itemsize !== 0)
    throw damaged(name, "an array that does not fit its dtype");
  const view = viewOf(bytes);
  const values = new Float64Array(bytes.length / itemsize);
  for (let i = 0; i < values.length; i += 1) values[i] = read(view, i * itemsize + offset);
  return values;
}

function numberReader(
  { letter, itemsize, littleEndian }: NumpyDtype,
  name: string,
): (view: DataView, at: number) => number {
  const type = elementType(letter, itemsize);
  if (type === undefined) throw damaged(name, "an array that holds no numbers");
  return (view, at) => type.read(view, at, littleEndian);
}

const NUMBERS: Readonly<Record<string, string>> = { f: "float", i: "int", u: "uint" };

function elementType(letter: string, itemsize: number): ElementType | undefined {
  const wanted = letter === "b" ? "bool" : `${NUMBERS[letter]}${8 * itemsize}`;
  return ELEMENT_TYPES.find((type) => type.name === wanted && type.bytes === itemsize);
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** Four bytes a character, zeros behind the last. */
function utf32(bytes: Uint8Array, littleEndian: boolean, name: string): string {
  if (bytes.length % 4 !== 0) throw damaged(name, "a text that is not UTF-32");
  const view = viewOf(bytes);
  const points = Array.from({ length: bytes.length / 4 }, (_, i) =>
    view.getUint32(4 * i, littleEndian),
  );
  const end = points.findLastIndex((point) => point !== 0) + 1;
  if (points.some((point) => point > 0x10ffff)) throw damaged(name, "a text that is not UTF-32");
  return points
    .slice(0, end)
    .map((point) => String.fromCodePoint(point))
    .join("");
}
