import { basename } from "node:path";
import { readWholeFile } from "./wholeFile.ts";
import { SAVE_HINT, damaged, unsupported } from "./failures.ts";
import { readTorchLegacy } from "./torchLegacy.ts";
import { readTorchZip } from "./torchZip.ts";

/**
 * The value that torch.save wrote to a file, nothing of it run: dicts are Maps, lists and tuples arrays, tensors TorchTensor
 * (weightsOf gives their values). `flag` names where the path came from.
 * @throws UserError E_INPUT_MISSING without the file; E_INPUT_BROKEN for a damaged one; E_LAYOUT for what is not read
 */
export async function readTorchFile(path: string, flag: string): Promise<unknown> {
  const bytes = readWholeFile(path, flag);
  const name = basename(path);
  if (!isTorchFile(bytes, name)) throw unsupported(name, "is no file of torch.save");
  return await readTorchBytes(bytes, name);
}

/** The same for the bytes of a file that isTorchFile says is one. */
export async function readTorchBytes(bytes: Buffer, name: string): Promise<unknown> {
  return isZip(bytes) ? await readTorchZip(bytes, name) : readTorchLegacy(bytes, name);
}

/**
 * Whether the bytes begin as those of torch.save do.
 * @throws UserError E_INPUT_BROKEN for none; E_LAYOUT for the tar of the first versions
 */
export function isTorchFile(bytes: Buffer, name: string): boolean {
  if (bytes.length === 0) throw damaged(name, "the file is empty");
  if (isTar(bytes))
    throw unsupported(
      name,
      "is a tar file, as PyTorch wrote them before 0.1.10",
      `load it with the PyTorch that wrote it and save it with a newer one: ${SAVE_HINT}`,
    );
  return isZip(bytes) || isPickle(bytes);
}

function isZip(bytes: Buffer): boolean {
  return bytes.subarray(0, 4).equals(Buffer.from("PK\u0003\u0004", "latin1"));
}

/** A pickle begins with PROTO; the magic number's in protocol 1, which has none, with LONG. */
function isPickle(bytes: Buffer): boolean {
  return bytes[0] === 0x80 || bytes.subarray(0, 10).equals(Buffer.from("L119547037"));
}

const TAR_MAGIC = 257;

function isTar(bytes: Buffer): boolean {
  return bytes.subarray(TAR_MAGIC, TAR_MAGIC + 5).equals(Buffer.from("ustar"));
}
