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
import { hostname } from "node:os";
import { basename, dirname, join, resolve } from "node:path";
import { crc32 } from "node:zlib";
import { UserError } from "../errors.ts";
import { statOf } from "./listFiles.ts";
import { isRunning, outputError } from "./outputs.ts";

/**
 * The work that a run has finished, on the disk: a file beside the output, to which each piece is appended. A run that was
 * stopped, even by kill -9, leaves it, and the next one can go on from it.
 */
export interface Journal<Facts> {
  /** Pieces that an earlier run had finished. */
  readonly resumed: number;
  has(key: string): boolean;
  /** Appends a finished piece: facts (JSON) and numbers. A key has one piece. */
  append(key: string, facts: Facts, numbers: Float32Array): void;
  /** The piece of a key. The numbers are lent until the next call. */
  read(key: string): { readonly facts: Facts; readonly numbers: Float32Array };
  /** Closes the file. It stays if a piece is in it, unless the whole work is done. */
  close(isDone: boolean): void;
  /** Pieces in it. */
  count(): number;
}

/** What a journal was begun with; another run must have the same. */
export type JournalSettings = Readonly<Record<string, string | number>>;

/** The file starts with a line of this length, which names the process that writes it. */
const OWNER_BYTES = 128;
const FORMAT = "emotion-service unfinished run 1";
/** A record: bytes of its text, bytes of its numbers, CRC-32 of both; then the text (JSON), then the numbers. */
const HEAD_BYTES = 12;

/** Where the parts of a record lie, bytes. */
interface Place {
  readonly text: number;
  readonly numbers: number;
  readonly end: number;
}

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
  const goesOn = statOf(path) !== undefined;
  if (goesOn) refuseOwned(path, target);
  if (goesOn && !resume) rmSync(path);
  const descriptor = opened(path, goesOn && resume);
  const places = new Map<string, Place>();
  let end = OWNER_BYTES;
  let room = new Uint8Array(1 << 16);

  const write = (buffers: readonly Uint8Array[]): void => {
    try {
      const wanted = buffers.reduce((sum, { length }) => sum + length, 0);
      const written = writevSync(descriptor, [...buffers], end);
      // A short write is the disk's end: writing the rest says why.
      if (written < wanted)
        writeSync(descriptor, Buffer.concat(buffers), written, wanted - written, end + written);
      end += wanted;
    } catch (error) {
      throw outputError(path, error);
    }
  };
  const writeRecord = (text: string, numbers: Uint8Array): Place => {
    const body = Buffer.from(text);
    const head = Buffer.alloc(HEAD_BYTES);
    head.writeUInt32LE(body.length, 0);
    head.writeUInt32LE(numbers.length, 4);
    head.writeUInt32LE(crc32(numbers, crc32(body)), 8);
    const start = end;
    write([head, body, numbers]);
    return placeOf(start, body.length, numbers.length);
  };
  const readPart = (from: number, to: number): Uint8Array => {
    const length = to - from;
    if (room.length < length) room = new Uint8Array(2 * length);
    return room.subarray(0, readSync(descriptor, room, 0, length, from));
  };
  const textAt = ({ text, numbers }: Place): string =>
    Buffer.from(readPart(text, numbers)).toString();

  writeSync(descriptor, ownerLine(), 0);
  if (goesOn && resume) {
    const [first, ...pieces] = scan(descriptor, readPart);
    if (first === undefined) writeRecord(JSON.stringify(settings), new Uint8Array(0));
    else {
      requireSettings(JSON.parse(textAt(first)) as JournalSettings, settings, target, () =>
        closeSync(descriptor),
      );
      for (const place of pieces) {
        const { key } = JSON.parse(textAt(place)) as { key: string };
        places.set(key, place);
      }
      end = (pieces.at(-1) ?? first).end;
    }
    ftruncateSync(descriptor, end);
  } else writeRecord(JSON.stringify(settings), new Uint8Array(0));

  return {
    resumed: places.size,
    has: (key) => places.has(key),
    append: (key, facts, numbers) => {
      const bytes = new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
      places.set(key, writeRecord(JSON.stringify({ key, facts }), bytes));
    },
    read: (key) => {
      const place = places.get(key);
      if (place === undefined) throw new Error(`the journal has no '${key}'`);
      const { facts } = JSON.parse(textAt(place)) as { facts: Facts };
      const bytes = readPart(place.numbers, place.end);
      return { facts, numbers: new Float32Array(bytes.buffer, 0, bytes.length / 4) };
    },
    close: (isDone) => {
      closeSync(descriptor);
      if (isDone || places.size === 0) rmSync(path, { force: true });
    },
    count: () => places.size,
  };
}

function opened(path: string, isThere: boolean): number {
  try {
    return openSync(path, isThere ? "r+" : "wx+");
  } catch (error) {
    throw outputError(path, error);
  }
}

function placeOf(start: number, textBytes: number, numberBytes: number): Place {
  const text = start + HEAD_BYTES;
  return { text, numbers: text + textBytes, end: text + textBytes + numberBytes };
}

/** The records that are whole, in order: the last may have been cut when the run was killed. */
function scan(descriptor: number, readPart: (from: number, to: number) => Uint8Array): Place[] {
  const places: Place[] = [];
  const { size } = fstatSync(descriptor);
  for (let start = OWNER_BYTES; start + HEAD_BYTES <= size;) {
    const head = Buffer.from(readPart(start, start + HEAD_BYTES));
    const place = placeOf(start, head.readUInt32LE(0), head.readUInt32LE(4));
    if (place.end > size || place.text === place.numbers) break;
    if (crc32(readPart(place.text, place.end)) !== head.readUInt32LE(8)) break;
    places.push(place);
    start = place.end;
  }
  return places;
}

function ownerLine(): string {
  const line = `${FORMAT} by process ${process.pid} of ${hostname()}`;
  return `${line.slice(0, OWNER_BYTES - 1).padEnd(OWNER_BYTES - 1)}\n`;
}

/** Throws when the process that writes the journal is running on this machine. */
function refuseOwned(path: string, target: string): void {
  const descriptor = openSync(path, "r");
  const line = Buffer.alloc(OWNER_BYTES);
  try {
    readSync(descriptor, line, 0, OWNER_BYTES, 0);
  } finally {
    closeSync(descriptor);
  }
  const [, owner, host] = / by process (\d+) of (.*?) *\n$/.exec(line.toString()) ?? [];
  if (owner === undefined || host !== hostname().slice(0, host?.length ?? 0)) return;
  if (Number(owner) === process.pid || !isRunning(Number(owner))) return;
  throw new UserError("E_OUTPUT", `${target}: is being written by process ${owner}`, {
    hint: "wait for it to end, or name another output",
  });
}

function requireSettings(
  begun: JournalSettings,
  wanted: JournalSettings,
  target: string,
  close: () => void,
): void {
  const names = [...new Set([...Object.keys(begun), ...Object.keys(wanted)])];
  const differing = names.filter((name) => begun[name] !== wanted[name]);
  if (differing.length === 0) return;
  close();
  const list = differing.map((name) => `${name} ${begun[name]}, now ${wanted[name]}`).join("; ");
  throw new UserError(
    "E_SETTINGS",
    `${target}: the unfinished run was begun with other settings (${list})`,
    { hint: "give --resume the same flags, or leave it out to begin anew" },
  );
}
