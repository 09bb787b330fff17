import { readFileSync } from "node:fs";

/** An address in the kernel's memory, bytes; the arrays are little-endian 32-bit floats unless said otherwise. */
export type Address = number;

/** The inner loops of `kernel/*.ts` (AssemblyScript), compiled to WebAssembly with 128-bit SIMD. */
interface Kernel {
  readonly memory: { readonly buffer: ArrayBuffer };
  allocate(bytes: number): Address;
  release(address: Address): void;
  loadFrames(
    samples: Address,
    hop: number,
    window: Address,
    n: number,
    target: Address,
    step: number,
  ): void;
  radix2: RadixStep;
  radix3: RadixStep;
  radix4: RadixStep;
  radix5: RadixStep;
  multiply(source: Address, target: Address, factors: Address, n: number, exchange: 0 | 1): void;
  powerOfPacked(z: Address, half: number, twiddles: Address, power: Address): void;
  powerOfComplex(z: Address, bins: number, power: Address): void;
  melBands(
    power: Address,
    bands: Address,
    count: number,
    weights: Address,
    target: Address,
    stride: number,
  ): void;
  maximum(values: Address, n: number): number;
  decibels(x: number): number;
  toDecibels(
    power: Address,
    target: Address,
    n: number,
    amin: number,
    reference: number,
    floor: number,
  ): void;
  pcm16ToMono(source: Address, n: number, channels: number, target: Address): void;
  energies(samples: Address, count: number, n: number, target: Address): void;
  peak(samples: Address, n: number): number;
  divide(samples: Address, n: number, divisor: number): void;
  polyphase(...args: PolyphaseArguments): void;
  polyphaseBetween(...args: [...PolyphaseArguments, rows: number]): void;
  resizeRows(
    source: Address,
    target: Address,
    rows: number,
    from: number,
    to: number,
    taps: Address,
    stride: number,
  ): void;
  resizeColumns(
    source: Address,
    target: Address,
    length: number,
    to: number,
    taps: Address,
    stride: number,
  ): void;
  select(values: Address, n: number, k: number): void;
  countUp(target: Address, count: number): void;
  drawToFront(items: Address, n: number, count: number, state: Address): void;
  growTree(
    rows: Address,
    n: number,
    rowValues: Address,
    numbers: Address,
    numberOfColumns: number,
    maxDepth: number,
    state: Address,
    arrays: Address,
  ): number;
  depthOf(arrays: Address, most: number, count: number, depths: Address): number;
  placeTree(
    arrays: Address,
    most: number,
    count: number,
    depth: number,
    nodes: Address,
    lengths: Address,
    places: Address,
  ): 0 | 1;
  averagePathLength(n: number): number;
  floatAtMost(value: number): number;
  addForestLengths(
    trees: Address,
    count: number,
    rows: Address,
    stride: number,
    rowCount: number,
    sums: Address,
  ): void;
}

type PolyphaseArguments = [
  samples: Address,
  target: Address,
  n: number,
  coefficients: Address,
  taps: number,
  phases: number,
  step: number,
  phase: number,
];

/** One step of a transform over m butterflies at stride s. */
export type RadixStep = (
  source: Address,
  target: Address,
  m: number,
  s: number,
  twiddles: Address,
) => void;

/** What is used of the WebAssembly interface, which Node's types leave out. */
interface WebAssemblyApi {
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}

function load(): Kernel {
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi })
    .WebAssembly;
  const bytes = readFileSync(new URL("../../kernel/kernel.wasm", import.meta.url));
  const abort = (): never => {
    throw new RangeError("the memory of the kernel is used up");
  };
  const gather: Gather = (column, start, end) => currentGather(column, start, end);
  return new Instance(new Module(bytes), { env: { abort, gather } }).exports as Kernel;
}

/** Writes values of a column to where `growTree` was told, those of its `rows` from `start` to before `end`. */
type Gather = (column: number, start: number, end: number) => void;

const noGather: Gather = () => {
  throw new Error("no tree is being grown");
};
let currentGather = noGather;

/** Calls the kernel's `growTree`, which gets its values by `gather`. */
export function growTreeBy(gather: Gather, ...args: Parameters<Kernel["growTree"]>): number {
  currentGather = gather;
  try {
    return kernel.growTree(...args);
  } finally {
    currentGather = noGather; // it holds on to the rows
  }
}

/** The thread's own kernel. */
export const kernel: Kernel = load();

/** A view of n floats in the kernel's memory. It is dead after the next `allocate`. */
export function floatsAt(address: Address, n: number): Float32Array {
  return new Float32Array(kernel.memory.buffer, address, n);
}

/** A view of n 32-bit integers in the kernel's memory. It is dead after the next `allocate`. */
export function integersAt(address: Address, n: number): Int32Array {
  return new Int32Array(kernel.memory.buffer, address, n);
}

/** A view of bytes in the kernel's memory. It is dead after the next `allocate`. */
export function bytesAt(address: Address, n: number): Uint8Array {
  return new Uint8Array(kernel.memory.buffer, address, n);
}

/** Room for n floats. */
export function allocateFloats(n: number): Address {
  return kernel.allocate(Math.max(1, n) * Float32Array.BYTES_PER_ELEMENT);
}

/** Copies numbers into memory of their own, as floats. */
export function store(values: ArrayLike<number>): Address {
  const address = allocateFloats(values.length);
  floatsAt(address, values.length).set(values);
  return address;
}

/** The largest magnitude in a block, wherever it lies. */
export function peakOf(block: Float32Array): number {
  if (block.buffer === kernel.memory.buffer) return kernel.peak(block.byteOffset, block.length);
  return block.reduce((peak, sample) => Math.max(peak, Math.abs(sample)), 0);
}
