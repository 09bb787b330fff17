import { TORCH_ALLOWED, damaged, printable, unsupported } from "./failures.ts";
import { readPickle } from "./pickle.ts";
import { type TorchStorage, torchGlobals } from "./torchTensor.ts";
import { parseStorageId } from "./torchZip.ts";

/** What the first pickle of such a file says. */
const MAGIC_NUMBER = 0x1950a86a20f9469cfc6cn;
const PROTOCOL_VERSION = 1001;
/** Bytes of the element count before a storage's data. */
const COUNT_BYTES = 8;

/**
 * The value in a file of the old torch.save (before PyTorch 1.6, or `_use_new_zipfile_serialization=False`): pickles of the
 * magic number, the version, the machine's type sizes, the value, the storages' keys; then each storage's length and data,
 * little-endian on every machine.
 * @throws UserError as readPickle, and E_LAYOUT for a pickle that torch.save did not write
 */
export function readTorchLegacy(bytes: Uint8Array, name: string): unknown {
  const storages = new Map<string, TorchStorage>();
  const options = {
    name,
    allowed: TORCH_ALLOWED,
    globals: torchGlobals(name),
    persistentLoad: (id: unknown) => storageOf(id, storages, name),
  };
  let position = 0;
  const next = (): unknown => {
    const { value, end } = readPickle(bytes, position, options);
    position = end;
    return value;
  };
  if (next() !== MAGIC_NUMBER) throw unsupported(name, "is a pickle, but none of torch.save");
  if (next() !== PROTOCOL_VERSION) throw unsupported(name, "is of a torch.save that is not known");
  next(); // the type sizes of the machine
  const value = next();
  const keys = next();
  if (!Array.isArray(keys) || keys.length !== storages.size)
    throw damaged(name, "the list of storages does not fit the tensors");
  for (const key of keys as unknown[]) {
    const storage = typeof key === "string" ? storages.get(key) : undefined;
    if (storage === undefined) throw damaged(name, "data of a storage that no tensor has");
    storage.bytes = dataAt(bytes, position, storage, name);
    position += COUNT_BYTES + storage.byteLength;
  }
  return value;
}

/** The storage of a persistent id, without its data yet. */
function storageOf(id: unknown, storages: Map<string, TorchStorage>, name: string): TorchStorage {
  const { type, key, length, view } = parseStorageId(id, name);
  if (view !== undefined && view !== null)
    throw unsupported(name, "holds a view of a storage, as PyTorch wrote them before 0.4");
  const byteLength = length * type.bytes;
  const known = storages.get(key);
  if (known !== undefined && (known.type !== type || known.byteLength !== byteLength))
    throw damaged(name, `two descriptions of storage ${printable(key)}`);
  const storage = known ?? {
    kind: "storage",
    type,
    byteLength,
    bytes: new Uint8Array(),
    littleEndian: true,
  };
  storages.set(key, storage);
  return storage;
}

/** A storage's data behind its count of elements. */
function dataAt(bytes: Uint8Array, start: number, storage: TorchStorage, name: string): Uint8Array {
  const { type, byteLength } = storage;
  const from = start + COUNT_BYTES;
  if (from + byteLength > bytes.length)
    throw damaged(name, "the data of a storage is not all there");
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (view.getBigUint64(start, true) !== BigInt(byteLength / type.bytes))
    throw damaged(name, "a storage with another length than its tensors say");
  return bytes.subarray(from, from + byteLength);
}
