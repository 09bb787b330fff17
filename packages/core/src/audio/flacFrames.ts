/** Cuts a stream of FLAC frames at its frames (RFC 9639, section 9), so that a decoder gets each one whole. */

/** The start of a frame. */
interface FrameHeader {
  /** Bytes. */
  readonly length: number;
  /** Samples a channel. */
  readonly samples: number;
  /** The frame's number, or, where frames vary in length, its first sample's. */
  readonly number: number;
  readonly isVariable: boolean;
}

export interface FlacFrames {
  /** Whole frames, each with the right checksum. */
  readonly frames: readonly Uint8Array[];
  /** Samples a channel that they hold. */
  readonly samples: number;
  /** The bytes after them: the start of a frame. */
  readonly rest: Uint8Array;
  /** What follows the frames is no frame, or a damaged one. */
  readonly isDamaged: boolean;
}

/**
 * @param bytes starts with a frame
 * @param isLast nothing follows `bytes`: its last frame ends there
 */
export function splitFlacFrames(bytes: Uint8Array, isLast: boolean): FlacFrames {
  const frames: Uint8Array[] = [];
  let samples = 0;
  let at = 0;
  const answer = (isDamaged: boolean): FlacFrames => ({
    frames,
    samples,
    rest: bytes.subarray(at),
    isDamaged,
  });
  while (at < bytes.length) {
    const header = readFrameHeader(bytes, at);
    if (header === undefined) return answer(isLast || bytes.length - at >= MOST_HEADER_BYTES);
    const next = findNextFrame(bytes, at, header);
    if (next === undefined && !isLast) return answer(false);
    const frame = bytes.subarray(at, next);
    if (crc16(frame) !== 0) return answer(true); // its last two bytes are the checksum of the others
    frames.push(frame);
    samples += header.samples;
    at += frame.length;
  }
  return answer(false);
}

/** A frame's header is no longer than this. */
const MOST_HEADER_BYTES = 16;

/** Where the frame after the one at `at` starts: at a header that goes on with its count. */
function findNextFrame(
  bytes: Uint8Array,
  at: number,
  { length, samples, number, isVariable }: FrameHeader,
): number | undefined {
  const expected = number + (isVariable ? samples : 1);
  for (let i = at + length; ; i += 1) {
    i = bytes.indexOf(0xff, i);
    if (i === -1) return undefined;
    if (bytes[i + 1] !== bytes[at + 1]) continue;
    if (readFrameHeader(bytes, i)?.number === expected) return i;
  }
}

/** The header at `at`, or undefined where there is none with the right checksum. */
function readFrameHeader(bytes: Uint8Array, at: number): FrameHeader | undefined {
  const [sync = 0, kind = 0, sizes = 0, format = 0] = bytes.subarray(at, at + 4);
  if (sync !== 0xff || (kind & 0xfe) !== 0xf8 || (format & 1) !== 0) return undefined;
  const coded = readCodedNumber(bytes, at + 4);
  if (coded === undefined) return undefined;
  let end = coded.end;
  const sizeCode = sizes >>> 4;
  const sizeBytes = sizeCode === 6 ? 1 : sizeCode === 7 ? 2 : 0;
  const samples = blockSize(sizeCode, bytes.subarray(end, end + sizeBytes));
  const rateCode = sizes & 15;
  end += sizeBytes + (rateCode === 12 ? 1 : rateCode === 13 || rateCode === 14 ? 2 : 0);
  if (samples === undefined || end >= bytes.length) return undefined;
  if (crc8(bytes.subarray(at, end + 1)) !== 0) return undefined;
  return { length: end + 1 - at, samples, number: coded.number, isVariable: kind === 0xf9 };
}

/** Samples by the code of section 9.1.1; `extra` are the bytes that codes 6 and 7 bring. */
function blockSize(code: number, extra: Uint8Array): number | undefined {
  if (code === 0) return undefined;
  if (code === 1) return 192;
  if (code <= 5) return 576 << (code - 2);
  if (code >= 8) return 256 << (code - 8);
  return extra.reduce((value, byte) => value * 256 + byte, 0) + 1;
}

/** A number of up to 36 bits, coded as UTF-8 codes characters. */
function readCodedNumber(
  bytes: Uint8Array,
  at: number,
): { readonly number: number; readonly end: number } | undefined {
  const first = bytes[at] ?? 0xff;
  if (first < 0x80) return { number: first, end: at + 1 };
  const following = Math.clz32(~(first << 24)) - 1; // leading ones, less one
  if (following < 1 || following > 6) return undefined;
  let number = first & (0x3f >> following);
  for (let i = 1; i <= following; i += 1) {
    const byte = bytes[at + i] ?? 0;
    if ((byte & 0xc0) !== 0x80) return undefined;
    number = number * 64 + (byte & 0x3f);
  }
  return { number, end: at + 1 + following };
}

/** Remainders of a byte by a polynomial of `bits` bits, highest first. */
function crcTable(polynomial: number, bits: 8 | 16): Uint16Array {
  const top = 1 << (bits - 1);
  const mask = (1 << bits) - 1;
  return Uint16Array.from({ length: 256 }, (_, byte) => {
    let rest = byte << (bits - 8);
    for (let i = 0; i < 8; i += 1)
      rest = ((rest << 1) ^ ((rest & top) === 0 ? 0 : polynomial)) & mask;
    return rest;
  });
}

const CRC8 = crcTable(0x07, 8);
const CRC16 = crcTable(0x8005, 16);

function crc8(bytes: Uint8Array): number {
  let rest = 0;
  for (const byte of bytes) rest = CRC8[rest ^ byte] ?? 0;
  return rest;
}

/** The same with a byte of zeros after each. */
function later(table: Uint16Array): Uint16Array {
  return table.map((rest) => ((rest << 8) & 0xffff) ^ (CRC16[rest >>> 8] ?? 0));
}

const CRC16_LATER = later(CRC16);
const CRC16_LATER_2 = later(CRC16_LATER);
const CRC16_LATER_3 = later(CRC16_LATER_2);

/** Four bytes at a time: what each leaves does not depend on the others. */
function crc16(bytes: Uint8Array): number {
  let rest = 0;
  let i = 0;
  for (; i + 4 <= bytes.length; i += 4)
    rest =
      (CRC16_LATER_3[(rest >>> 8) ^ (bytes[i] ?? 0)] ?? 0) ^
      (CRC16_LATER_2[(rest & 0xff) ^ (bytes[i + 1] ?? 0)] ?? 0) ^
      (CRC16_LATER[bytes[i + 2] ?? 0] ?? 0) ^
      (CRC16[bytes[i + 3] ?? 0] ?? 0);
  for (; i < bytes.length; i += 1)
    rest = ((rest << 8) & 0xffff) ^ (CRC16[(rest >>> 8) ^ (bytes[i] ?? 0)] ?? 0);
  return rest;
}
