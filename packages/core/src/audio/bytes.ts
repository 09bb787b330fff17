import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError, causeOf } from "../errors.ts";

/** Bytes that can be read at any place: a file's, or an array's. */
export interface Bytes {
  readonly size: number;
  /** Fills `target` from `position` on, as far as the bytes go; returns how many there were. */
  readInto(target: Uint8Array, position: number): number;
}

/**
 * The bytes of a file, which is open only while a call reads it.
 * @throws UserError E_INPUT_BROKEN when it cannot be read
 */
export function bytesOfFile(path: string): Bytes {
  const size = withFile(path, (descriptor) => fstatSync(descriptor).size);
  return {
    size,
    readInto: (target, position) =>
      withFile(path, (descriptor) => {
        let filled = 0;
        while (filled < target.length) {
          const count = readSync(
            descriptor,
            target,
            filled,
            target.length - filled,
            position + filled,
          );
          if (count === 0) break;
          filled += count;
        }
        return filled;
      }),
  };
}

/** Bytes that are there. */
export function bytesOfArray(array: Uint8Array): Bytes {
  return {
    size: array.length,
    readInto: (target, position) => {
      const part = array.subarray(position, position + target.length);
      target.set(part);
      return part.length;
    },
  };
}

/** The bytes from `position` on, `length` of them or as many as there are. */
export function sliceOf(bytes: Bytes, position: number, length: number): Uint8Array {
  const target = new Uint8Array(Math.max(0, Math.min(length, bytes.size - position)));
  return target.subarray(0, bytes.readInto(target, position));
}

function withFile<T>(path: string, work: (descriptor: number) => T): T {
  try {
    const descriptor = openSync(path, "r");
    try {
      return work(descriptor);
    } finally {
      closeSync(descriptor);
    }
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${path}: cannot be read (${causeOf(error)})`, {
      cause: error,
    });
  }
}
