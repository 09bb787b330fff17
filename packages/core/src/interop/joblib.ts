import { gunzipSync, inflateSync } from "node:zlib";
import { causeOf } from "../errors.ts";
import { damaged, printable, unsupported } from "./failures.ts";
import { arrayLayout, createArray, numpyGlobals } from "./numpy.ts";
import { type PickleWork, readPickle } from "./pickle.ts";
import type { PickleInput } from "./pickleInput.ts";
import type { PickleOptions } from "./pickleOpcodes.ts";
import { type PickledObject, pythonClass } from "./pickledObject.ts";

/** How to write a file that can be read here. */
const SAVE_HINT =
  'in Python, save the forest, alone or in a dict: joblib.dump({"model": forest}, "isolation_forest.joblib")';
const PLAIN_HINT = 'in Python: joblib.dump(joblib.load("FILE"), "isolation_forest.joblib")';
const CONTENTS = "a scikit-learn isolation forest, a StandardScaler and plain values";

/** The classes that are known. Of generators of random numbers nothing is used; they may stand in `random_state`. */
const CLASSES: readonly string[] = [
  "sklearn.ensemble._iforest IsolationForest",
  "sklearn.tree._classes ExtraTreeRegressor",
  "sklearn.tree._tree Tree",
  "sklearn.preprocessing._data StandardScaler",
  "numpy.random._pickle __randomstate_ctor",
  "numpy.random._pickle __generator_ctor",
  "numpy.random._pickle __bit_generator_ctor",
  "numpy.random.bit_generator __pyx_unpickle_SeedSequence",
];
/** Names that such a generator hands to its constructor. */
const CONSTANTS: readonly string[] = [
  "numpy.random._mt19937 MT19937",
  "numpy.random._pcg64 PCG64",
  "numpy.random.bit_generator SeedSequence",
];
const DICTS: readonly string[] = [
  "collections OrderedDict",
  "sklearn.utils Bunch",
  "sklearn.utils._bunch Bunch",
];
/** joblib before 0.10 kept arrays in files beside. */
const OLD_WRAPPERS: readonly string[] = ["NDArrayWrapper", "ZNDArrayWrapper"];

/** How joblib compresses, by a file's first bytes, latin1. */
const COMPRESSIONS: readonly (readonly [magic: string, name: string])[] = [
  ["BZ", "bz2"],
  ["\u00fd7zXZ", "xz"],
  ["]\u0000", "lzma"],
  ["\u0004\u0022M\u0018", "lz4"],
];

/** What may come out of compressed bytes: deflate makes a thousandfold of zeros, a forest shrinks by 2 to 10. */
const MOST_EXPANSION = 64;
const SPARE_BYTES = 2 ** 24;
const MOST_BYTES = 2 ** 30;

/**
 * The value in a file of joblib.dump (0.10 and newer; plain, zlib or gzip) or pickle.dump (protocols 2 to 5), nothing of it
 * run: as readPickle has it, arrays as NumpyArray, instances of known classes as PythonObject. `name` is for messages.
 * @throws UserError E_INPUT_BROKEN for a damaged file; E_LAYOUT for a class, a compression or a size that is refused
 */
export function readJoblib(file: Uint8Array, name: string): JoblibFile {
  const bytes = decompressed(file, name);
  const work: PickleWork = { opcodes: 0, containers: 0 };
  const { value } = readPickle(bytes, 0, optionsOf(name, work), work);
  return { value, byteLength: bytes.length };
}

export interface JoblibFile {
  readonly value: unknown;
  /** Of the file, decompressed. */
  readonly byteLength: number;
}

function decompressed(file: Uint8Array, name: string): Uint8Array {
  const start = Buffer.from(file.subarray(0, 6)).toString("latin1");
  if (start === "") throw damaged(name, "the file is empty");
  if (start.startsWith("\u0080")) return file;
  if (isZlib(file)) return inflate(inflateSync, file, name);
  if (start.startsWith("\u001f\u008b")) return inflate(gunzipSync, file, name);
  if (start.startsWith("ZF"))
    throw unsupported(name, "is of joblib before 0.10, which is not read", PLAIN_HINT);
  const [, compression] = COMPRESSIONS.find(([magic]) => start.startsWith(magic)) ?? [];
  if (compression !== undefined)
    throw unsupported(name, `is compressed by ${compression}, which is not read`, PLAIN_HINT);
  throw unsupported(
    name,
    "must be a file of joblib.dump or pickle.dump (protocol 2 or newer), begins as neither does",
    SAVE_HINT,
  );
}

/** 0x78 and a byte that makes both, big-endian, a multiple of 31 (RFC 1950). */
function isZlib([first = 0, second = 0]: Uint8Array): boolean {
  return first === 0x78 && (256 * first + second) % 31 === 0;
}

function inflate(work: typeof inflateSync, file: Uint8Array, name: string): Uint8Array {
  const most = Math.min(MOST_BYTES, MOST_EXPANSION * file.length + SPARE_BYTES);
  try {
    return work(file, { maxOutputLength: most });
  } catch (error) {
    if (error instanceof RangeError)
      throw unsupported(
        name,
        `must hold at most ${most} bytes (${MOST_EXPANSION} times its compressed size), holds more`,
        PLAIN_HINT,
      );
    throw damaged(name, `cannot be decompressed (${printable(causeOf(error))})`, error);
  }
}

function optionsOf(name: string, work: PickleWork): PickleOptions {
  const globals = new Map(numpyGlobals(name));
  for (const key of CLASSES) globals.set(key, pythonClass(key));
  for (const key of CONSTANTS) globals.set(key, key);
  for (const key of DICTS) globals.set(key, (args: readonly unknown[]) => emptyDict(args, name));
  for (const wrapper of OLD_WRAPPERS)
    globals.set(`joblib.numpy_pickle ${wrapper}`, () => {
      throw unsupported(
        name,
        "is of joblib before 0.10, which kept arrays in files beside it",
        PLAIN_HINT,
      );
    });
  const options: PickleOptions = {
    name,
    allowed: { contents: CONTENTS, hint: SAVE_HINT },
    globals,
    persistentLoad: () => {
      throw damaged(name, "a persistent id, which joblib never writes");
    },
  };
  // An array of Python objects is a pickle of its own, in which there are no arrays that joblib writes.
  const plain = { ...options, globals: new Map(globals) };
  globals.set("joblib.numpy_pickle NumpyArrayWrapper", () =>
    arrayWrapper(name, (input) => {
      const { value, end } = readPickle(input.rest(), 0, plain, work);
      input.take(end);
      return value;
    }),
  );
  return options;
}

function emptyDict(args: readonly unknown[], name: string): Map<unknown, unknown> {
  if (args.length > 0) throw damaged(name, "a dict made of other things");
  return new Map();
}

/** What stands in place of an array: its layout; its elements follow in the file, and it becomes the array. */
function arrayWrapper(name: string, readObjects: (input: PickleInput) => unknown): PickledObject {
  return {
    setState: (state, input) => {
      const attributes = state instanceof Map ? state : new Map<unknown, unknown>();
      const dtype: unknown = attributes.get("dtype");
      const { shape, elements, ...layout } = arrayLayout(attributes.get("shape"), dtype, name);
      if (layout.dtype.letter === "O") return readObjects(input);
      skipPadding(attributes.get("numpy_array_alignment_bytes"), input);
      const content = input.take(elements * layout.dtype.itemsize);
      return createArray(name).setState([1, shape, dtype, false, content]);
    },
    parts: () => [],
  };
}

/** From joblib 1.2 on, a byte that counts those behind it, up to the next multiple of 16. */
function skipPadding(alignment: unknown, input: PickleInput): void {
  if (alignment === undefined || alignment === null) return;
  input.take(input.unsigned(1));
}
