import {
  closeSync,
  fstatSync,
  ftruncateSync,
  openSync,
  readSync,
  rmSync,
  writeSync,
  writevSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { UserError } from "../errors.ts";
import { statOf } from "./listFiles.ts";
import { outputError } from "./outputs.ts";
import { MACHINE, isRunning, startOf } from "./processes.ts";

/**
 * The work that a run has finished, on the disk: a file beside the output, to which each piece is appended. A run that was
 * stopped, even by kill -9, leaves it, and the next one can go on from it.
 */
export interface Journal<Facts> {
  has(key: string): boolean;
  /**
   * Appends a finished piece: facts (JSON) and numbers. A key has one piece.
   * @throws UserError E_OUTPUT when it cannot be written: the disk is full
   */
  append(key: string, facts: Facts, numbers: Float32Array): void;
  /**
   * The piece of a key. The numbers are lent until the next call.
   * @throws UserError E_OUTPUT when it is not as it was written: another process writes the same file
   */
  read(key: string): { readonly facts: Facts; readonly numbers: Float32Array };
  /** Closes the file. It stays if a piece is in it, unless the whole work is done. Again it does nothing. */
  close(isDone: boolean): void;
}

/** What a journal was begun with; another run must have the same. */
export type JournalSettings = Readonly<Record<string, string | number>>;

/** The journal of an output. */
export function journalPath(target: string): string {
  return join(dirname(resolve(target)), `.${basename(target)}.unfinished`);
}

/**
 * Opens the journal of the output `target`: with `resume` to go on with what is there, else to begin anew.
 * @throws UserError E_OUTPUT when another process is writing it or it cannot be written, E_SETTINGS when it was begun with
 * other settings
 */
export function openJournal<Facts>(
  target: string,
  settings: JournalSettings,
  resume: boolean,
): Journal<Facts> {
  const path = journalPath(target);
  const isThere = statOf(path) !== undefined;
  if (isThere) refuseOwned(path, target);
  if (isThere && !resume) rmSync(path);
  const goesOn = isThere && resume;
  const descriptor = openFile(path, goesOn ? "r+" : "wx+", target);
  const places = new Map<string, Place>();
  let isOpen = true;
  const close = (isEmpty: boolean): void => {
    if (!isOpen) return;
    isOpen = false;
    release(descriptor);
    closeSync(descriptor);
    if (isEmpty) rmSync(path, { force: true });
  };
  let file: RecordFile;
  try {
    file = openRecords(descriptor, target, (text, place, n) => {
      if (n === 0) requireSettings(JSON.parse(text) as JournalSettings, settings, target);
      else places.set((JSON.parse(text) as { key: string }).key, place);
    });
    if (file.isNew) file.append(JSON.stringify(settings), new Float32Array(0));
  } catch (error) {
    close(!goesOn);
    throw error;
  }
  return {
    has: (key) => places.has(key),
    append: (key, facts, numbers) => {
      places.set(key, file.append(JSON.stringify({ key, facts }), numbers));
    },
    read: (key) => {
      const place = places.get(key);
      if (place === undefined) throw new Error(`the journal has no '${key}'`);
      const { text, numbers } = file.read(place);
      const piece = JSON.parse(text) as { key: string; facts: Facts };
      if (piece.key !== key) throw changedError(target);
      return { facts: piece.facts, numbers };
    },
    close: (isDone) => close(isDone || places.size === 0),
  };
}

function openFile(path: string, flags: "r+" | "wx+", target: string): number {
  try {
    return openSync(path, flags);
  } catch (error) {
    throw outputError(target, error);
  }
}

/** The file starts with a line of this length, which names the process that has it. */
const OWNER_BYTES = 128;
const FORMAT = "emotion-service unfinished run 1";
const OWNER = / by process (\d+) started at (\d*) of machine (\w+) *\n$/;

/** The first line, of a journal that this process has, or of one that nobody has. */
function firstLine(isOurs: boolean): Buffer {
  const { pid } = process;
  const owner = ` by process ${pid} started at ${startOf(pid)} of machine ${MACHINE}`;
  return Buffer.from(`${(isOurs ? FORMAT + owner : FORMAT).padEnd(OWNER_BYTES - 1)}\n`);
}

/** Lets others have the journal while this process runs on. */
function release(descriptor: number): void {
  try {
    writeSync(descriptor, firstLine(false), 0, OWNER_BYTES, 0);
  } catch {
    // Then they may have it once this process has ended.
  }
}

/** Throws when the process that writes the journal is running on this machine. */
function refuseOwned(path: string, target: string): void {
  const descriptor = openFile(path, "r+", target);
  const line = readOwnerLine(descriptor);
  closeSync(descriptor);
  const [, owner, start, machine] = OWNER.exec(line) ?? [];
  const id = Number(owner);
  if (machine !== MACHINE || id === process.pid || !isRunning(id)) return;
  // Another process may have got the number since.
  const starts = [start ?? "", startOf(id)];
  if (!starts.includes("") && starts[0] !== starts[1]) return;
  throw new UserError("E_OUTPUT", `${target}: is being written by process ${owner}`, {
    hint: "wait for it to end, or name another output",
  });
}

/** "" of a file that is shorter. */
function readOwnerLine(descriptor: number): string {
  const line = Buffer.alloc(OWNER_BYTES);
  const length = readSync(descriptor, line, 0, OWNER_BYTES, 0);
  return length === OWNER_BYTES ? line.toString("latin1") : "";
}

/** Where the parts of a record lie in the file, bytes. */
interface Place {
  readonly start: number;
  readonly text: number;
  readonly numbers: number;
  readonly end: number;
}

/** A record: bytes of its text, bytes of its numbers, CRC-32 of both; then the text (JSON), then the numbers. */
const HEAD_BYTES = 12;

function placeOf(start: number, head: DataView): Place {
  const text = start + HEAD_BYTES;
  const numbers = text + head.getUint32(0, true);
  return { start, text, numbers, end: numbers + head.getUint32(4, true) };
}

/** The records of an open journal. */
interface RecordFile {
  /** It held none. */
  readonly isNew: boolean;
  append(text: string, numbers: Float32Array): Place;
  /** The numbers are lent until the next call. */
  read(place: Place): { readonly text: string; readonly numbers: Float32Array };
}

/**
 * Takes possession of a journal that is there or new: shows its whole records in order, from 0, and cuts off what follows
 * them.
 */
function openRecords(
  descriptor: number,
  target: string,
  onRecord: (text: string, place: Place, n: number) => void,
): RecordFile {
  const size = readOwnerLine(descriptor).startsWith(FORMAT) ? fstatSync(descriptor).size : 0;
  const readRecord = createReader(descriptor);
  let end = OWNER_BYTES;
  for (let n = 0; ; n += 1) {
    const place = readHead(descriptor, end, size);
    const record = place && readRecord(place);
    if (place === undefined || record === undefined) break;
    onRecord(record.text, place, n);
    end = place.end;
  }
  const write = (buffers: readonly Uint8Array[], position: number): void => {
    try {
      writeAll(descriptor, buffers, position);
    } catch (error) {
      throw outputError(target, error);
    }
  };
  write([firstLine(true)], 0);
  ftruncateSync(descriptor, end);
  return {
    isNew: end === OWNER_BYTES,
    append: (text, numbers) => {
      const body = Buffer.from(text);
      const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      const head = new DataView(new ArrayBuffer(HEAD_BYTES));
      head.setUint32(0, body.length, true);
      head.setUint32(4, bytes.length, true);
      head.setUint32(8, checksumOf(body, bytes), true);
      const place = placeOf(end, head);
      write([new Uint8Array(head.buffer), body, bytes], end);
      end = place.end;
      return place;
    },
    read: (place) => {
      const record = readRecord(place);
      if (record === undefined) throw changedError(target);
      return record;
    },
  };
}

function checksumOf(text: Uint8Array, numbers: Uint8Array): number {
  return numbers.length === 0 ? crc32(text) : crc32(numbers, crc32(text)); // Node 20 makes it 0 of an empty array
}

/** Where a record that starts at `start` lies; undefined when it does not fit below `size`, or says nothing. */
function readHead(descriptor: number, start: number, size: number): Place | undefined {
  if (start + HEAD_BYTES > size) return undefined;
  const head = new DataView(new ArrayBuffer(HEAD_BYTES));
  readSync(descriptor, head, 0, HEAD_BYTES, start);
  const place = placeOf(start, head);
  return place.end > size || place.text === place.numbers ? undefined : place;
}

/** Reads records; gives undefined for one whose bytes are not those that were written there. */
function createReader(descriptor: number) {
  let room = new Uint8Array(1 << 16);
  return ({ start, text, numbers, end }: Place) => {
    const shift = (4 - ((numbers - start) % 4)) % 4; // so that the numbers lie as 32-bit floats must
    const length = end - start;
    if (room.length < shift + length)
      room = new Uint8Array(Math.max(2 * room.length, shift + length));
    if (readSync(descriptor, room, shift, length, start) < length) return undefined;
    const at = (place: number): number => shift + place - start;
    const head = new DataView(room.buffer, shift, HEAD_BYTES);
    const isAsWritten =
      placeOf(start, head).numbers === numbers &&
      placeOf(start, head).end === end &&
      crc32(room.subarray(at(text), at(end))) === head.getUint32(8, true);
    if (!isAsWritten) return undefined;
    return {
      text: Buffer.from(room.buffer, at(text), numbers - text).toString(),
      numbers: new Float32Array(room.buffer, at(numbers), (end - numbers) >> 2),
    };
  };
}

/** Writes all of the buffers, one after another. */
function writeAll(descriptor: number, buffers: readonly Uint8Array[], position: number): void {
  let written = writevSync(descriptor, buffers, position);
  const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
  if (written === wanted) return;
  const whole = Buffer.concat(buffers); // the disk took a part: writing the rest says why
  while (written < wanted)
    written += writeSync(descriptor, whole, written, wanted - written, position + written);
}

function changedError(target: string): UserError {
  return new UserError("E_OUTPUT", `${target}: another process writes it too`, {
    hint: "let one of them end; each run needs an output of its own",
  });
}

function requireSettings(begun: JournalSettings, wanted: JournalSettings, target: string): void {
  const names = [...new Set([...Object.keys(begun), ...Object.keys(wanted)])];
  const differing = names.filter((name) => begun[name] !== wanted[name]);
  if (differing.length === 0) return;
  const list = differing.map((name) => `${name} ${begun[name]}, now ${wanted[name]}`).join("; ");
  throw new UserError(
    "E_SETTINGS",
    `${target}: the unfinished run was begun with other settings (${list})`,
    { hint: "give --resume the same flags, or leave it out to begin anew" },
  );
}
