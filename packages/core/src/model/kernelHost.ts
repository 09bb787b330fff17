import type { KernelBackend, TensorInfo, Variable } from "@tensorflow/tfjs";
import { UserError } from "../errors.ts";
import type { Tf } from "./backend.ts";
import {
  type Address,
  MAXIMUM_PAGES,
  NONE,
  type TrainingKernel,
  type WasmMemory,
  createMemory,
  loadTrainingKernel,
} from "./trainingKernel.ts";

/** Where the arrays of one call lie. */
export interface Places {
  readonly inputs: readonly Address[];
  readonly outputs: readonly Address[];
  /** As many bytes as were asked for. */
  readonly room: Address;
}

/** Writes 32-bit whole numbers into the kernel's memory. */
export type WriteIntegers = (address: Address, values: readonly number[]) => void;

/** The training kernel, at home in the memory of a TensorFlow.js backend or beside it. */
export interface KernelHost {
  readonly kernel: TrainingKernel;
  readonly writeIntegers: WriteIntegers;
  /**
   * Calls the kernel on tensors of 32-bit floats.
   * @param outputs shapes of the tensors to be made
   * @param roomBytes room for what is needed in between
   */
  call(
    inputs: readonly TensorInfo[],
    outputs: readonly (readonly number[])[],
    roomBytes: number,
    work: (kernel: TrainingKernel, places: Places) => void,
  ): TensorInfo[];
  /** Where the values of tensors are; good until the next call of anything. */
  addressesOf(tensors: readonly TensorInfo[]): Address[];
  /** Zeros that stay until they are released. */
  reserve(bytes: number): Address;
  release(address: Address): void;
  /** The 32-bit floats at an address, to read or to change; good until the next call of anything. */
  floatsAt(address: Address, count: number): Float32Array;
  /** The values of a variable, where the kernel may change them; {@link publish} then makes them the variable's, until {@link letGo}. */
  hold(variable: Variable): Address;
  publish(variable: Variable, address: Address): void;
  letGo(variable: Variable, address: Address): void;
}

/** What the wasm backend keeps, of what is used here. */
interface WasmBackend extends KernelBackend {
  readonly wasm: {
    readonly asm: {
      readonly memory: WasmMemory;
      malloc(bytes: number): Address;
      free(address: Address): void;
    };
  };
  readonly dataIdMap: { get(dataId: object): { readonly memoryOffset: Address } };
  makeOutput(shape: number[], dtype: "float32"): TensorInfo;
}

/** In the wasm backend's own memory: nothing is copied. */
export function hostInWasm(tf: Tf): KernelHost {
  const backend = tf.backend() as WasmBackend;
  const { wasm } = backend;
  const kernel = loadTrainingKernel(wasm.asm.memory);
  const addressOf = ({ dataId }: TensorInfo): Address => backend.dataIdMap.get(dataId).memoryOffset;
  const reserve = (bytes: number): Address => {
    const address = wasm.asm.malloc(bytes) >>> 0; // which answers in signed numbers, though addresses go to 2^32
    requireMemory(address !== NONE, bytes);
    new Uint8Array(wasm.asm.memory.buffer, address, bytes).fill(0);
    return address;
  };
  let room = { address: NONE, bytes: 0 };
  const roomOf = (bytes: number): Address => {
    if (bytes > room.bytes) {
      if (room.address !== NONE) wasm.asm.free(room.address);
      room = { address: NONE, bytes: 0 }; // should there be no memory
      room = { address: reserve(bytes), bytes };
    }
    return room.address;
  };
  /** The backend does not look whether it got memory, and would write at the address 0. */
  const makeOutput = (shape: readonly number[]): TensorInfo => {
    const output = backend.makeOutput([...shape], "float32");
    requireMemory(addressOf(output) !== NONE, bytesOf(shape));
    return output;
  };
  const nothing = (): void => {};
  return {
    kernel,
    writeIntegers: integerWriter(wasm.asm.memory),
    addressesOf: (tensors) => tensors.map(addressOf),
    reserve,
    release: (address) => wasm.asm.free(address),
    floatsAt: (address, count) => new Float32Array(wasm.asm.memory.buffer, address, count),
    hold: addressOf, // in place
    publish: nothing,
    letGo: nothing,
    call: (inputs, outputs, roomBytes, work) => {
      const made = outputs.map(makeOutput);
      const address = roomOf(roomBytes);
      work(kernel, { inputs: inputs.map(addressOf), outputs: made.map(addressOf), room: address });
      return made;
    },
  };
}

/** @throws UserError E_SETTINGS where the memory that was asked for is not there */
function requireMemory(isThere: boolean, bytes: number): void {
  if (!isThere)
    throw new UserError(
      "E_SETTINGS",
      `training: a step must fit in the 4 GiB of WebAssembly, which has no ${bytes} bytes left`,
      { hint: "lower --batch_size" },
    );
}

/** Arrays start at the bounds of cache lines, bytes. */
const LINE = 64;
const PAGE = 65_536;

/** A backend that takes values over when they are first used; of the native one, what makes it take them at once. */
interface LazyBackend extends KernelBackend {
  getInputTensorIds?(tensors: readonly TensorInfo[]): number[];
}

/**
 * In a memory of its own, for a backend whose tensors are in the processor's memory: values are copied in and out. The
 * native backend takes variables where they lie, as they lie at the bounds of cache lines, and reads them there.
 */
export function hostBeside(tf: Tf): KernelHost {
  const backend = tf.backend() as LazyBackend;
  const memory = createMemory();
  const kernel = loadTrainingKernel(memory);
  const regions = createRegions(memory);
  const copyIn = ({ dataId }: TensorInfo, address: Address): void =>
    new Float32Array(memory.buffer).set(backend.readSync(dataId) as Float32Array, address / 4);
  const copyOut = (address: Address, shape: readonly number[]): TensorInfo => {
    const values = new Float32Array(memory.buffer.slice(address, address + bytesOf(shape)));
    return {
      dataId: backend.write(values, [...shape], "float32"),
      shape: [...shape],
      dtype: "float32",
    };
  };
  const assign = (variable: Variable, { dataId }: TensorInfo): void => {
    const updated = tf.engine().makeTensorFromDataId(dataId, variable.shape, "float32");
    variable.assign(updated);
    updated.dispose();
  };
  /** Makes the kernel's memory that of a variable; false where the backend copies what it is given. */
  const share = (variable: Variable, address: Address): boolean => {
    if (backend.getInputTensorIds === undefined) return false;
    const view = new Float32Array(memory.buffer, address, variable.size);
    const dataId = backend.write(view, variable.shape, "float32");
    backend.getInputTensorIds([{ dataId, shape: variable.shape, dtype: "float32" }]);
    assign(variable, { dataId, shape: variable.shape, dtype: "float32" });
    const [value = 0] = view;
    view[0] = value + 1;
    const isShared = (variable.dataSync() as Float32Array)[0] === view[0];
    view[0] = value;
    return isShared;
  };
  const shared = new Set<Address>();
  const staged = (tensors: readonly TensorInfo[]): Address[] => {
    const addresses = regions.passing(...tensors.map(({ shape }) => bytesOf(shape)));
    for (const [i, tensor] of tensors.entries()) copyIn(tensor, addresses[i] ?? 0);
    return addresses;
  };
  return {
    kernel,
    writeIntegers: integerWriter(memory),
    addressesOf: staged,
    reserve: (bytes) => {
      const address = regions.reserve(bytes);
      new Uint8Array(memory.buffer, address, bytes).fill(0);
      return address;
    },
    release: regions.release,
    floatsAt: (address, count) => new Float32Array(memory.buffer, address, count),
    hold: (variable) => {
      const address = regions.reserve(bytesOf(variable.shape));
      copyIn(variable, address);
      if (share(variable, address)) shared.add(address);
      return address;
    },
    publish: (variable, address) => {
      if (!shared.has(address)) assign(variable, copyOut(address, variable.shape));
    },
    letGo: (variable, address) => {
      // The memory will be another's: the variable takes its values with it.
      if (shared.delete(address) && !variable.isDisposed)
        assign(variable, copyOut(address, variable.shape));
      regions.release(address);
    },
    call: (inputs, outputs, roomBytes, work) => {
      const sizes = [...inputs.map(({ shape }) => bytesOf(shape)), ...outputs.map(bytesOf)];
      const addresses = regions.passing(...sizes, roomBytes);
      const places: Places = {
        inputs: addresses.slice(0, inputs.length),
        outputs: addresses.slice(inputs.length, -1),
        room: addresses.at(-1) ?? 0,
      };
      for (const [i, input] of inputs.entries()) copyIn(input, places.inputs[i] ?? 0);
      work(kernel, places);
      return outputs.map((shape, i) => copyOut(places.outputs[i] ?? 0, shape));
    },
  };
}

/** Hands out a memory: what is reserved lies at its bottom, what is good for one call above. */
function createRegions(memory: WasmMemory) {
  let bottom = LINE;
  const free = new Map<number, Address[]>(); // by size
  const sizes = new Map<Address, number>();
  const round = (bytes: number): number => Math.ceil(bytes / LINE) * LINE;
  const growTo = (end: number): void => {
    const pages = memory.buffer.byteLength / PAGE;
    const needed = Math.ceil(end / PAGE);
    requireMemory(needed <= MAXIMUM_PAGES, end);
    // A reserve beside what is lacking: each growth costs a new view of the whole.
    if (needed > pages) memory.grow(Math.min(Math.ceil(needed * 1.5), MAXIMUM_PAGES) - pages);
  };
  return {
    reserve: (bytes: number): Address => {
      const size = round(bytes);
      const again = free.get(size)?.pop();
      if (again !== undefined) return again;
      const address = bottom;
      bottom += size;
      growTo(bottom);
      sizes.set(address, size);
      return address;
    },
    release: (address: Address): void => {
      const size = sizes.get(address) ?? 0;
      free.set(size, [...(free.get(size) ?? []), address]);
    },
    passing: (...bytes: readonly number[]): Address[] => {
      let end = bottom;
      const addresses = bytes.map((size) => {
        const address = end;
        end += round(size);
        return address;
      });
      growTo(end);
      return addresses;
    },
  };
}

function integerWriter(memory: WasmMemory): WriteIntegers {
  return (address, values) => new Int32Array(memory.buffer, address, values.length).set(values);
}

function bytesOf(shape: readonly number[]): number {
  return 4 * shape.reduce((a, b) => a * b, 1);
}
