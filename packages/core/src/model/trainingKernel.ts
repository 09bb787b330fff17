import { readFileSync } from "node:fs";

/** An address in the kernel's memory, bytes. Values there are little-endian 32-bit floats unless said otherwise. */
export type Address = number;

/** No such array. */
export const NONE: Address = 0;

/** The inner loops of `trainingKernel/*.ts` (AssemblyScript), compiled to WebAssembly with 128-bit SIMD. */
export interface TrainingKernel {
  multiply(
    m: number,
    n: number,
    k: number,
    a: Address,
    aRow: number,
    aColumn: number,
    b: Address,
    bRow: number,
    bColumn: number,
    c: Address,
    add: 0 | 1,
    bias: Address,
    room: Address,
  ): void;
  /** Bytes of `room`. */
  multiplyRoom(m: number, k: number): number;
  batchNorm(
    x: Address,
    present: Address,
    gamma: Address,
    beta: Address,
    m: number,
    n: number,
    count: number,
    epsilon: number,
    y: Address,
    mean: Address,
    variance: Address,
    scale: Address,
    sums: Address,
    room: Address,
  ): void;
  batchNormGradient(
    dy: Address,
    x: Address,
    present: Address,
    gamma: Address,
    mean: Address,
    scale: Address,
    m: number,
    n: number,
    count: number,
    dx: Address,
    dgamma: Address,
    dbeta: Address,
    sums: Address,
    room: Address,
  ): void;
  layerNorm(
    x: Address,
    gamma: Address,
    beta: Address,
    m: number,
    n: number,
    epsilon: number,
    y: Address,
  ): void;
  layerNormGradient(
    dy: Address,
    x: Address,
    gamma: Address,
    m: number,
    n: number,
    epsilon: number,
    dx: Address,
    dgamma: Address,
    dbeta: Address,
    sums: Address,
    room: Address,
  ): void;
  dropout(x: Address, n: number, seed: number, threshold: number, scale: number, y: Address): void;
  reluGradient(dy: Address, y: Address, n: number, dx: Address): void;
  standardise(
    x: Address,
    mean: Address,
    deviation: Address,
    present: Address,
    m: number,
    n: number,
    y: Address,
  ): void;
  fillMissing(
    x: Address,
    present: Address,
    missing: Address,
    m: number,
    n: number,
    y: Address,
  ): void;
  fillMissingGradient(
    dy: Address,
    present: Address,
    m: number,
    n: number,
    dx: Address,
    dmissing: Address,
    sums: Address,
    room: Address,
  ): void;
  /** @param geometry 32-bit whole numbers, see trainingKernel/conv.ts */
  convolve(
    x: Address,
    pictures: number,
    geometry: Address,
    kernel: Address,
    filters: number,
    y: Address,
    room: Address,
  ): void;
  /** Bytes of `room`. */
  convolveRoom(patch: number, filters: number): number;
  kernelGradient(
    x: Address,
    pictures: number,
    geometry: Address,
    dy: Address,
    filters: number,
    dkernel: Address,
    room: Address,
  ): void;
  turnKernel(
    kernel: Address,
    height: number,
    width: number,
    channels: number,
    filters: number,
    to: Address,
  ): void;
  maxPoolGradient(
    dy: Address,
    x: Address,
    y: Address,
    pictures: number,
    geometry: Address,
    dx: Address,
  ): void;
  columnSums(x: Address, m: number, n: number, y: Address, sums: Address, room: Address): void;
  sumOfSquares(x: Address, n: number): number;
  adamW(
    values: Address,
    gradients: Address,
    first: Address,
    second: Address,
    n: number,
    clip: number,
    decay: number,
    size: number,
    correction: number,
  ): void;
}

/** What is used of the WebAssembly interface, which Node's types leave out. */
interface WebAssemblyApi {
  readonly Memory: new (size: { readonly initial: number; readonly maximum: number }) => WasmMemory;
  readonly Module: new (bytes: Uint8Array) => object;
  readonly Instance: new (module: object, imports: object) => { readonly exports: unknown };
}
export interface WasmMemory {
  readonly buffer: ArrayBuffer;
  grow(pages: number): number;
}
const api = (globalThis as unknown as { WebAssembly: WebAssemblyApi }).WebAssembly;

/** The kernel on a memory of somebody else's, who hands it out: the kernel has no data of its own there. */
export function loadTrainingKernel(memory: WasmMemory): TrainingKernel {
  const bytes = readFileSync(new URL("../../trainingKernel/trainingKernel.wasm", import.meta.url));
  const abort = (): never => {
    throw new Error("the training kernel stopped");
  };
  const instance = new api.Instance(new api.Module(bytes), { env: { memory, abort } });
  return instance.exports as TrainingKernel;
}

/** Pages of 64 KiB: what is asked for at once (untouched, it takes nothing), and all that 32 bits can address. */
const INITIAL_PAGES = 4096;
export const MAXIMUM_PAGES = 65_536;

/** A memory for the kernel alone. It grows in its place, as room for the maximum is kept beside it. */
export function createMemory(): WasmMemory {
  return new api.Memory({ initial: INITIAL_PAGES, maximum: MAXIMUM_PAGES });
}
