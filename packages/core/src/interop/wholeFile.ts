import { constants } from "node:buffer";
import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError, causeOf } from "../errors.ts";
import { requireFile } from "../files/listFiles.ts";

/**
 * A file's bytes; `flag` names where the path came from.
 * @throws UserError E_INPUT_MISSING when there is no such file, E_INPUT_BROKEN when it cannot be read
 */
export function readWholeFile(path: string, flag: string): Buffer {
  requireFile(path, flag);
  try {
    const descriptor = openSync(path, "r");
    try {
      return readAll(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${path}: cannot be read (${causeOf(error)})`, {
      cause: error,
    });
  }
}

/** readFileSync ends at 2 GiB; this ends where a Buffer does. */
function readAll(descriptor: number): Buffer {
  const { size } = fstatSync(descriptor);
  if (size > constants.MAX_LENGTH)
    throw new Error(`${size} bytes, at most ${constants.MAX_LENGTH} fit in memory at once`);
  const bytes = Buffer.allocUnsafeSlow(size);
  let filled = 0;
  while (filled < size) {
    const count = readSync(descriptor, bytes, filled, Math.min(size - filled, 2 ** 30), filled);
    if (count === 0) throw new Error("it became shorter while it was read");
    filled += count;
  }
  return bytes;
}
