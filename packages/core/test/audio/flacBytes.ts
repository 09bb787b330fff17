import { ascii, concatenate } from "./wavBytes.ts";

/** How a FLAC file is to be written; the defaults are 16 bits, 16 kHz, blocks of 16 samples. */
export interface FlacShape {
  readonly bits?: number;
  readonly sampleRateHz?: number;
  /** Samples of each frame, in turn. */
  readonly blocks?: readonly number[];
  /** Frames are numbered by their first sample. */
  readonly isVariable?: boolean;
  /** Number of the first frame, or of its first sample. */
  readonly firstNumber?: number;
  /** Samples that the header states; by default as many as there are, 0: it does not say. */
  readonly statedSamples?: number;
}

/** Writes a FLAC file (RFC 9639) without compression, `samples[i]` being one whole number a channel. */
export function flacBytes(
  samples: readonly (readonly number[])[],
  shape: FlacShape = {},
): Uint8Array {
  return concatenate([flacHead(samples, shape), ...flacFrames(samples, shape)]);
}

/** The mark and the STREAMINFO block. */
function flacHead(samples: readonly (readonly number[])[], shape: FlacShape = {}): Uint8Array {
  const { bits = 16, sampleRateHz = 16_000, blocks = [16], statedSamples = samples.length } = shape;
  const info = [
    field(Math.max(16, Math.min(...blocks)), 16),
    field(Math.max(16, ...blocks), 16),
    field(0, 48), // sizes of the frames: not stated
    field(sampleRateHz, 20),
    field((samples[0]?.length ?? 1) - 1, 3),
    field(bits - 1, 5),
    field(statedSamples, 36),
    field(0, 128), // MD5 of the samples: not stated
  ];
  return concatenate([ascii("fLaC"), Uint8Array.of(0x80, 0, 0, 34), bytesOf(info.join(""))]);
}

/** The frames, each with its checksums. */
export function flacFrames(
  samples: readonly (readonly number[])[],
  shape: FlacShape = {},
): Uint8Array[] {
  const { blocks = [16], isVariable = false, firstNumber = 0 } = shape;
  const frames: Uint8Array[] = [];
  for (let at = 0; at < samples.length;) {
    const block = samples.slice(at, at + (blocks[frames.length % blocks.length] ?? 1));
    frames.push(frameBytes(block, firstNumber + (isVariable ? at : frames.length), shape));
    at += block.length;
  }
  return frames;
}

function frameBytes(
  block: readonly (readonly number[])[],
  number: number,
  { bits = 16, sampleRateHz = 16_000, isVariable = false }: FlacShape,
): Uint8Array {
  const channels = block[0]?.length ?? 1;
  const size = sizeCode(block.length);
  const rate = rateCode(sampleRateHz);
  const header = bytesOf(
    [
      "11111111111110" + (isVariable ? "01" : "00"),
      field(size.code, 4) + field(rate.code, 4),
      field(channels - 1, 4) + field(BITS_CODES[bits] ?? 0, 3) + "0",
      codedNumber(number) + size.extra + rate.extra,
    ].join(""),
  );
  const subframes = Array.from(
    { length: channels },
    (_, channel) => "00000010" + block.map((frame) => field(frame[channel] ?? 0, bits)).join(""), // "verbatim"
  );
  const body = concatenate([
    header,
    Uint8Array.of(remainder(header, 0x07, 8)),
    bytesOf(subframes.join("")),
  ]);
  return concatenate([body, bytesOf(field(remainder(body, 0x8005, 16), 16))]);
}

const BITS_CODES: Readonly<Record<number, number>> = { 8: 1, 12: 2, 16: 4, 20: 5, 24: 6, 32: 7 };

function sizeCode(size: number): { readonly code: number; readonly extra: string } {
  const sizes = [192, 576, 1152, 2304, 4608, 0, 0, 256, 512, 1024, 2048, 4096, 8192, 16384, 32768];
  if (size > 0 && sizes.includes(size)) return { code: sizes.indexOf(size) + 1, extra: "" };
  return size <= 256
    ? { code: 6, extra: field(size - 1, 8) }
    : { code: 7, extra: field(size - 1, 16) };
}

/** 0: as the STREAMINFO block says; 12: in kHz; 13: in Hz; 14: in tens of Hz. */
function rateCode(hz: number): { readonly code: number; readonly extra: string } {
  if (hz % 1000 === 0 && hz < 256_000) return { code: 12, extra: field(hz / 1000, 8) };
  if (hz < 65_536) return { code: 13, extra: field(hz, 16) };
  return hz % 10 === 0 ? { code: 14, extra: field(hz / 10, 16) } : { code: 0, extra: "" };
}

/** As UTF-8 codes characters, to 36 bits. */
function codedNumber(number: number): string {
  if (number < 0x80) return field(number, 8);
  const bits = number.toString(2);
  let following = 1;
  while (bits.length > 6 * following + (6 - following)) following += 1;
  const padded = bits.padStart(6 * following + Math.max(0, 6 - following), "0");
  const first = padded.slice(0, padded.length - 6 * following);
  const groups = padded.slice(first.length).match(/.{6}/g) ?? [];
  return "1".repeat(following + 1) + "0" + first + groups.map((group) => `10${group}`).join("");
}

/** The remainder of the bytes by a polynomial, bit by bit. */
function remainder(bytes: Uint8Array, polynomial: number, width: 8 | 16): number {
  let rest = 0;
  for (const byte of bytes)
    for (let bit = 7; bit >= 0; bit -= 1) {
      const isSet = ((rest >> (width - 1)) & 1) !== ((byte >> bit) & 1);
      rest = ((rest << 1) & (2 ** width - 1)) ^ (isSet ? polynomial : 0);
    }
  return rest;
}

/** A whole number, two's complement, highest bit first. */
function field(value: number, bits: number): string {
  return BigInt.asUintN(bits, BigInt(value)).toString(2).padStart(bits, "0");
}

/** Bits as bytes, zeros after the last. */
function bytesOf(bits: string): Uint8Array {
  return Uint8Array.from({ length: Math.ceil(bits.length / 8) }, (_, i) =>
    parseInt(bits.slice(8 * i, 8 * i + 8).padEnd(8, "0"), 2),
  );
}
