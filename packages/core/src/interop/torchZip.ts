import { crc32 } from "node:zlib";
import { UserError, causeOf } from "../errors.ts";
import { TORCH_ALLOWED, damaged, printable, unsupported } from "./failures.ts";
import { readPickle } from "./pickle.ts";
import { type TorchStorage, storageTypeOf, torchGlobals } from "./torchTensor.ts";

/** Where a record lies in the archive. */
interface ZipRecord {
  readonly start: number;
  readonly length: number;
  /** 0: torch.save was told not to compute it. */
  readonly crc: number;
  /** Neither compressed nor encrypted, as torch.save writes every record. */
  readonly isPlain: boolean;
}

/**
 * The value in an archive of torch.save (PyTorch 1.6 and newer): the pickle ARCHIVE/data.pkl, the storages ARCHIVE/data/KEY.
 * @throws UserError as readPickle, and for archives that are damaged, compressed or TorchScript's
 */
export async function readTorchZip(bytes: Buffer, name: string): Promise<unknown> {
  const records = await listRecords(bytes, name);
  const pickleName = [...records.keys()].find((path) => /^[^/]+\/data\.pkl$/.test(path));
  if (pickleName === undefined) throw unsupported(name, "is a zip archive, but none of torch.save");
  const archive = pickleName.slice(0, -"data.pkl".length);
  if (records.has(`${archive}constants.pkl`))
    throw unsupported(
      name,
      "is a TorchScript program, not a state dict",
      'in Python: torch.save(torch.jit.load("FILE").state_dict(), "weights.pth")',
    );
  let used = 0;
  const read = (path: string): Uint8Array | undefined => {
    const record = records.get(archive + path);
    used += record?.length ?? 0;
    if (used > bytes.length) throw damaged(name, "records of the archive overlap");
    return record && contentOf(bytes, record, archive + path, name);
  };
  const littleEndian = !isBigEndian(read("byteorder"), name);
  const contents = new Map<string, Uint8Array>(); // each is checked once
  const storages = new Map<string, TorchStorage>();
  const { value } = readPickle(read("data.pkl") ?? new Uint8Array(), 0, {
    name,
    allowed: TORCH_ALLOWED,
    globals: torchGlobals(name),
    persistentLoad: (id) => {
      const { type, key, length } = parseStorageId(id, name);
      const byteLength = length * type.bytes;
      const known = storages.get(key);
      if (known?.type === type && known.byteLength === byteLength) return known;
      const content = contents.get(key) ?? read(`data/${key}`) ?? new Uint8Array();
      contents.set(key, content);
      if (content.length < byteLength)
        throw damaged(name, `storage ${printable(key)} lacks ${byteLength - content.length} bytes`);
      const storage = { kind: "storage", type, byteLength, bytes: content, littleEndian } as const;
      storages.set(key, storage);
      return storage;
    },
  });
  return value;
}

/** What a persistent id says of a storage. */
export interface StorageId {
  readonly type: NonNullable<ReturnType<typeof storageTypeOf>>;
  readonly key: string;
  /** Elements. */
  readonly length: number;
  /** The old format's part of a storage: its own key, first element, elements. */
  readonly view: unknown;
}

/** A persistent id is ("storage", class, key, device, elements[, view]); the device does not matter here. */
export function parseStorageId(id: unknown, name: string): StorageId {
  const [kind, storageClass, key, , length, view]: unknown[] = Array.isArray(id) ? id : [];
  const type = storageTypeOf(storageClass);
  if (
    kind !== "storage" ||
    type === undefined ||
    typeof key !== "string" ||
    typeof length !== "number" ||
    !(Number.isSafeInteger(length) && length >= 0)
  )
    throw damaged(name, "a persistent id that is no storage");
  return { type, key, length, view };
}

function isBigEndian(record: Uint8Array | undefined, name: string): boolean {
  const order = record === undefined ? "little" : Buffer.from(record).toString("latin1");
  if (order !== "little" && order !== "big")
    throw damaged(name, `the byte order "${printable(order)}"`);
  return order === "big";
}

function contentOf(bytes: Buffer, record: ZipRecord, path: string, name: string): Uint8Array {
  if (!record.isPlain)
    throw unsupported(
      name,
      `${printable(path)} is compressed or encrypted, which torch.save never does`,
    );
  const content = bytes.subarray(record.start, record.start + record.length);
  if (record.crc !== 0 && crc32(content) !== record.crc)
    throw damaged(name, `the check sum of ${printable(path)} does not fit`);
  return content;
}

/** The archive's records by name. */
async function listRecords(bytes: Buffer, name: string): Promise<Map<string, ZipRecord>> {
  const { fromBufferPromise } = await import("yauzl");
  const records = new Map<string, ZipRecord>();
  try {
    const archive = await fromBufferPromise(bytes);
    for await (const entry of archive.eachEntry()) {
      const { fileName, compressionMethod, uncompressedSize: length, crc32: crc } = entry;
      if (records.has(fileName)) throw damaged(name, `${printable(fileName)} is there twice`);
      const { fileDataStart } = await archive.readLocalFileHeaderPromise(entry, { minimal: true });
      const isPlain = compressionMethod === 0 && !entry.isEncrypted();
      records.set(fileName, { start: fileDataStart, length, crc, isPlain });
    }
  } catch (error) {
    if (error instanceof UserError) throw error;
    throw damaged(name, `the zip archive: ${printable(causeOf(error))}`, error);
  }
  return records;
}
