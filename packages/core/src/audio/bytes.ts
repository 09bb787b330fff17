import { closeSync, fstatSync, openSync, readSync } from "node:fs";
import { UserError, causeOf } from "../errors.ts";

/** Bytes that can be read at any place: a file's, or an array's. */
export interface Bytes {
  readonly size: number;
  /** Fills `target` from `position` on, as far as the bytes go; returns how many there were. */
  readInto(target: Uint8Array, position: number): number;
}

/** Bytes of a file's start that are kept: headers are read bit by bit. */
const HEAD_BYTES = 4096;

/**
 * The bytes of a file, which is open only while a call reads it.
 * @throws UserError E_INPUT_BROKEN when it cannot be read
 */
export function bytesOfFile(path: string): Bytes {
  const head = new Uint8Array(HEAD_BYTES);
  const { size, headLength } = withFile(path, (descriptor) => ({
    size: fstatSync(descriptor).size,
    headLength: fill(head, descriptor, 0),
  }));
  const start = bytesOfArray(head.subarray(0, headLength));
  return {
    size,
    readInto: (target, position) =>
      position + target.length <= headLength
        ? start.readInto(target, position)
        : withFile(path, (descriptor) => fill(target, descriptor, position)),
  };
}

function fill(target: Uint8Array, descriptor: number, position: number): number {
  let filled = 0;
  while (filled < target.length) {
    const left = target.length - filled;
    const count = readSync(descriptor, target, filled, left, position + filled);
    if (count === 0) break;
    filled += count;
  }
  return filled;
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

const LEADING_TAG_HEAD = 10;
const TRAILING_TAG = 128;

/** The bytes without the ID3 tags that music programs put before (version 2) and after (version 1) files of any kind. */
export function withoutTags(bytes: Bytes): Bytes {
  const start = leadingTagLength(sliceOf(bytes, 0, LEADING_TAG_HEAD));
  const tail = Math.max(start, bytes.size - TRAILING_TAG);
  const end = startsWith(sliceOf(bytes, tail, 3), "TAG") ? tail : bytes.size;
  const size = Math.max(0, end - start);
  if (size === bytes.size) return bytes;
  return {
    size,
    readInto: (target, position) =>
      bytes.readInto(target.subarray(0, Math.max(0, size - position)), start + position),
  };
}

/** Length of the ID3v2 tag (section 3.1) that the bytes start with: four times 7 bits state what follows its head. */
function leadingTagLength(head: Uint8Array): number {
  if (head.length < LEADING_TAG_HEAD || !startsWith(head, "ID3")) return 0;
  const hasFooter = ((head[5] ?? 0) & 0x10) !== 0;
  const body = head.subarray(6).reduce((length, byte) => length * 128 + (byte & 0x7f), 0);
  return LEADING_TAG_HEAD + body + (hasFooter ? LEADING_TAG_HEAD : 0);
}

function startsWith(bytes: Uint8Array, text: string): boolean {
  return String.fromCharCode(...bytes.subarray(0, text.length)) === text;
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
