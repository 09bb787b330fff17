import { createRandom } from "../../packages/core/src/random.ts";

type Random = () => number;

/** What is fuzzed: files that are whole. */
export type Corpus = readonly Buffer[];

/** Globals that the readers know, and some that they must not. */
const GLOBALS = [
  "sklearn.ensemble._iforest IsolationForest",
  "sklearn.tree._tree Tree",
  "sklearn.preprocessing._data StandardScaler",
  "joblib.numpy_pickle NumpyArrayWrapper",
  "joblib.numpy_pickle NDArrayWrapper",
  "numpy dtype",
  "numpy ndarray",
  "numpy._core.multiarray _reconstruct",
  "numpy.core.multiarray scalar",
  "numpy.core.numeric _frombuffer",
  "_codecs encode",
  "builtins bytes",
  "collections OrderedDict",
  "sklearn.utils Bunch",
  "numpy.random._pickle __randomstate_ctor",
  "torch._utils _rebuild_tensor_v2",
  "torch._utils _rebuild_parameter",
  "torch FloatStorage",
  "torch Size",
  "torch device",
  "argparse Namespace",
  "os system",
  "builtins eval",
];
const TEXTS =
  "f8 i8 V64 U4 O8 < > latin1 nodes shape dtype order estimators_ tree_ n_features_in_ " +
  "_max_samples offset_ class_labels model_state_dict numpy_array_alignment_bytes left_child é storage";
/** Numbers that stand at the edge of something. */
const EDGES = [0, 1, 2, 3, 15, 16, 127, 128, 255, 256, 0x7fff, 0xffff, 0x7fffffff, 0xffffffff];

/** The `index`-th input made of the corpus: the same for the same corpus and seed. */
export function mutated(corpus: Corpus, seed: number, index: number): Buffer {
  const random = createRandom((seed ^ Math.imul(index, 0x9e3779b1)) >>> 0);
  const roll = random();
  const file = pick(corpus, random);
  if (roll < 0.15) return Buffer.concat([Buffer.from([0x80, 2]), program(random), STOP]);
  if (roll < 0.3) return insert(file, place(file, random), program(random));
  let bytes: Buffer = Buffer.from(file);
  const changes = 1 + Math.floor(random() ** 2 * 8);
  for (let i = 0; i < changes; i += 1) bytes = pick(CHANGES, random)(bytes, random, corpus);
  return bytes;
}

const STOP = Buffer.from(".");

type Change = (bytes: Buffer, random: Random, corpus: Corpus) => Buffer;

const CHANGES: readonly Change[] = [
  flipBit,
  flipBit,
  setByte,
  setByte,
  setNumber,
  cutOut,
  repeat,
  splice,
  truncate,
  (bytes, random) => insert(bytes, place(bytes, random), opcode(random)),
  (bytes, random) => overwrite(bytes, place(bytes, random), opcode(random)),
];

/** Half of the time near the start, where a file says what it is. */
function place(bytes: Buffer, random: Random): number {
  const end = random() < 0.5 ? Math.min(bytes.length, 1500) : bytes.length;
  return Math.floor(random() * end);
}

function flipBit(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random);
  if (at < bytes.length) bytes[at]! ^= 1 << Math.floor(random() * 8);
  return bytes;
}

function setByte(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random);
  if (at < bytes.length) bytes[at] = random() < 0.5 ? pick(EDGES, random) & 0xff : random() * 256;
  return bytes;
}

/** A length, an offset or a size becomes one at the edge of something. */
function setNumber(bytes: Buffer, random: Random): Buffer {
  const size = pick([2, 4, 8], random);
  const number = Buffer.alloc(8);
  number.writeUInt32LE(pick(EDGES, random));
  if (random() < 0.2) number.fill(255, 4);
  return overwrite(bytes, place(bytes, random), number.subarray(0, size));
}

function cutOut(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random);
  return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + spanOf(random))]);
}

function repeat(bytes: Buffer, random: Random): Buffer {
  const at = place(bytes, random);
  const part = bytes.subarray(at, at + spanOf(random));
  const times = random() < 0.1 ? 200 : 1;
  return insert(bytes, at, Buffer.concat(Array.from({ length: times }, () => part)));
}

function splice(bytes: Buffer, random: Random, corpus: Corpus): Buffer {
  const other = pick(corpus, random);
  const from = place(other, random);
  return insert(bytes, place(bytes, random), other.subarray(from, from + spanOf(random)));
}

function truncate(bytes: Buffer, random: Random): Buffer {
  return bytes.subarray(0, place(bytes, random));
}

function spanOf(random: Random): number {
  return Math.floor(2 ** (random() * 10));
}

function insert(bytes: Buffer, at: number, part: Buffer): Buffer {
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at)]);
}

function overwrite(bytes: Buffer, at: number, part: Buffer): Buffer {
  part.copy(bytes, at);
  return bytes;
}

/** A program for the pickle machine: opcodes that are whole, in an order that means nothing. */
function program(random: Random): Buffer {
  const length = 1 + Math.floor(random() ** 2 * 60);
  return Buffer.concat(Array.from({ length }, () => opcode(random)));
}

function opcode(random: Random): Buffer {
  const roll = random();
  if (roll < 0.2) return Buffer.from(`c${pick(GLOBALS, random).replace(" ", "\n")}\n`);
  if (roll < 0.3) return text(pick(TEXTS.split(" "), random));
  if (roll < 0.36) return numbered("K", 1, random);
  if (roll < 0.4) return numbered("J", 4, random);
  if (roll < 0.45) return numbered("q", 1, random);
  if (roll < 0.55) return numbered("h", 1, random);
  if (roll < 0.58) return Buffer.concat([Buffer.from("C\u0008"), Buffer.alloc(8, random() * 256)]);
  // Without arguments: MARK, TUPLE, tuples, lists, dicts, sets, calls, states, constants.
  return Buffer.from([PLAIN[Math.floor(random() * PLAIN.length)]!]);
}

const PLAIN = Buffer.from(
  "((tt)]}}ealdsuRRRbbbNQ\u0081\u0081\u0085\u0086\u0087\u0088\u0089\u008f\u0090\u0091\u0093\u0094\u0094",
  "latin1",
);

function text(content: string): Buffer {
  const bytes = Buffer.from(content);
  return Buffer.concat([Buffer.from([0x8c, bytes.length]), bytes]);
}

function numbered(code: string, size: number, random: Random): Buffer {
  const number = Buffer.alloc(4);
  number.writeUInt32LE(random() < 0.5 ? Math.floor(random() * 8) : pick(EDGES, random));
  return Buffer.concat([Buffer.from(code), number.subarray(0, size)]);
}

function pick<T>(values: readonly T[], random: Random): T {
  return values[Math.floor(random() * values.length)]!;
}
