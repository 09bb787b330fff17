import { UserError } from "../errors.ts";
import { type Bytes, sliceOf } from "./bytes.ts";

/** Format tags of the 'fmt ' chunk. */
export const PCM = 1;
export const FLOAT = 3;
export const A_LAW = 6;
export const MU_LAW = 7;
const EXTENSIBLE = 0xfffe;

/** What the 'fmt ' chunk says. */
interface WavFormat {
  /** A format tag; of an extensible header that of its sub-format. */
  readonly format: number;
  readonly channels: number;
  readonly sampleRateHz: number;
  /** The bits of a sample, rounded up. */
  readonly bytesPerSample: number;
}

/** How a WAV file holds its samples. */
export interface WavLayout extends WavFormat {
  readonly littleEndian: boolean;
  readonly dataStart: number;
  readonly dataEnd: number;
}

const MAGICS: readonly string[] = ["RIFF", "RIFX", "RF64", "BW64"];

/** True when the bytes start as a WAV file of any kind does. */
export function isWav(bytes: Uint8Array): boolean {
  return MAGICS.includes(ascii(bytes, 0)) && ascii(bytes, 8) === "WAVE";
}

/** A chunk's head. */
interface Chunk {
  readonly id: string;
  /** Bytes that it claims. */
  readonly size: number;
  /** Where its body starts. */
  readonly start: number;
}

/** Bytes of the start of a file that are looked at together. */
const HEAD_BYTES = 512;
/** Bytes of a 'fmt ' chunk that are looked at: as far as the sub-format's tag. */
const FORMAT_BYTES = 28;
/** In a chunk's size: not known, or in the 'ds64' chunk. */
const UNKNOWN_SIZE = 0xffffffff;
/** Chunks before the data that are passed over: a file of nothing else would take minutes. */
const MOST_CHUNKS = 10_000;

/** @throws UserError E_INPUT_BROKEN when the header is damaged or there is no data chunk */
export function readWavLayout(bytes: Bytes, name: string): WavLayout {
  const head = sliceOf(bytes, 0, HEAD_BYTES);
  if (!isWav(head))
    throw broken(name, "is not a WAV file: it must start with RIFF, RIFX or RF64 and WAVE");
  const littleEndian = ascii(head, 0) !== "RIFX";
  const viewAt = (at: number, length: number): DataView => {
    const part =
      at + length <= head.length ? head.subarray(at, at + length) : sliceOf(bytes, at, length);
    return new DataView(part.buffer, part.byteOffset, part.length);
  };
  const chunkAt = (at: number): Chunk | undefined => readChunk(viewAt(at, 8), at, littleEndian);
  let format: WavFormat | undefined;
  let longDataSize = 0;
  let chunks = 0;
  for (let chunk = chunkAt(12); chunk !== undefined; chunk = chunkAt(endOf(chunk))) {
    const { id, start } = chunk;
    if (id === "ds64") longDataSize = readLongDataSize(viewAt(start, 16), littleEndian);
    if (id === "fmt ")
      format = readFormat(viewAt(start, FORMAT_BYTES), chunk.size, littleEndian, name);
    if ((chunks += 1) > MOST_CHUNKS)
      throw broken(name, `must have at most ${MOST_CHUNKS} chunks before its 'data' chunk`);
    if (id !== "data") continue;
    if (format === undefined) throw broken(name, "lacks a 'fmt ' chunk before its 'data' chunk");
    const next = chunkAt(start);
    const isFollowed = next !== undefined && endOf(next) <= bytes.size + 1;
    const dataEnd = start + dataSize(chunk.size, longDataSize, isFollowed);
    return { ...format, littleEndian, dataStart: start, dataEnd: Math.min(dataEnd, bytes.size) };
  }
  throw broken(name, "holds no sound: it has no 'data' chunk");
}

/** Undefined where the view is cut or holds no name of a chunk. */
function readChunk(view: DataView, at: number, littleEndian: boolean): Chunk | undefined {
  const id = ascii(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), 0);
  if (view.byteLength < 8 || !/^[ -~]{4}$/.test(id)) return undefined;
  return { id, size: view.getUint32(4, littleEndian), start: at + 8 };
}

/** Where the next chunk starts: bodies are padded to an even length. */
function endOf({ start, size }: Chunk): number {
  return start + size + (size & 1);
}

/**
 * Bytes of the data chunk. A stream that was never closed states 0 or UNKNOWN_SIZE and goes on to the file's end; a chunk
 * that is truly empty is at the end, or followed by a chunk.
 */
function dataSize(claimed: number, longSize: number, isFollowed: boolean): number {
  if (claimed === UNKNOWN_SIZE) return longSize > 0 ? longSize : Infinity;
  return claimed === 0 && !isFollowed ? Infinity : claimed;
}

/** The data chunk's size in a 'ds64' chunk; 0 where it lacks. */
function readLongDataSize(view: DataView, littleEndian: boolean): number {
  return view.byteLength < 16 ? 0 : Number(view.getBigUint64(8, littleEndian));
}

/** The body of a 'fmt ' chunk of `size` bytes, of which the view has the first FORMAT_BYTES or what is there. */
function readFormat(view: DataView, size: number, littleEndian: boolean, name: string): WavFormat {
  if (size < 16 || Math.min(size, FORMAT_BYTES) > view.byteLength)
    throw broken(name, "has a damaged 'fmt ' chunk");
  const tag = view.getUint16(0, littleEndian);
  const channels = view.getUint16(2, littleEndian);
  const sampleRateHz = view.getUint32(4, littleEndian);
  const blockAlign = view.getUint16(12, littleEndian);
  const bits = view.getUint16(14, littleEndian);
  const format = tag === EXTENSIBLE && size >= 28 ? view.getUint32(24, littleEndian) : tag;
  if (channels === 0 || sampleRateHz === 0 || (bits === 0 && (format === PCM || format === FLOAT)))
    throw broken(
      name,
      `has a damaged 'fmt ' chunk: ${channels} channels, ${sampleRateHz} Hz, ${bits} bits`,
    );
  const bytesPerSample = Math.ceil(bits / 8);
  // Some programs take these for 3 bytes a sample, some for whole numbers of 4, some for floats.
  if (format === PCM && bytesPerSample === 3 && blockAlign === 4 * channels)
    throw broken(name, `holds samples of ${bits} bits in 4 bytes, which programs read differently`);
  return { format, channels, sampleRateHz, bytesPerSample };
}

/** Four characters; a shorter text at the end. */
function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function broken(name: string, rule: string): UserError {
  return new UserError("E_INPUT_BROKEN", `${name}: ${rule}`);
}
