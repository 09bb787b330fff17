import type { FLACDecoder } from "@wasm-audio-decoders/flac";
import type { Sound } from "./wav.ts";

let loading: Promise<FLACDecoder> | undefined;

/** One decoder a thread, reused: it takes longer to start than to decode a clip. */
async function loadDecoder(): Promise<FLACDecoder> {
  const { FLACDecoder: Decoder } = await import("@wasm-audio-decoders/flac");
  const decoder = new Decoder();
  await decoder.ready;
  return decoder;
}

/** True when the bytes start as a FLAC file does. */
export function isFlac(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, 4)) === "fLaC";
}

/**
 * Decodes a FLAC file to mono, exact within its bit depth.
 * @returns undefined when the file is damaged or shorter than its header states: a case for ffmpeg, which reads as far as
 * the file goes
 */
export async function decodeFlac(bytes: Uint8Array): Promise<Sound | undefined> {
  const decoder = await (loading ??= loadDecoder());
  const { channelData, samplesDecoded, sampleRate, bitDepth, errors } = await decoder.decodeFile(
    withFrameAfterLast(bytes),
  );
  await decoder.reset();
  const total = statedSamples(bytes) || samplesDecoded;
  if (errors.length > 0 || total === 0 || samplesDecoded < total) return undefined;
  // The decoder divides by 2^(bits-1) - 1; full scale is 2^(bits-1), as libsndfile and our WAV reader have it.
  const fullScale = 2 ** (bitDepth - 1);
  const samples = new Float32Array(total);
  for (let i = 0; i < total; i += 1) {
    let sum = 0;
    for (const channel of channelData)
      sum += Math.round((channel[i] ?? 0) * (fullScale - 1)) / fullScale;
    samples[i] = sum / channelData.length;
  }
  return { samples, sampleRateHz: sampleRate, channels: channelData.length };
}

/** Samples a channel by the STREAMINFO block, a 36-bit number at byte 21.5; 0: not stated (RFC 9639, section 8.2). */
function statedSamples(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return bytes.length < 26 ? 0 : (view.getUint8(21) & 0x0f) * 2 ** 32 + view.getUint32(22);
}

/** Enough for a frame's header, 16 bytes at most, and some of what follows. */
const BYTES_AFTER_LAST = 64;

/**
 * The decoder knows a frame by the header of the next one, and drops some last frames for want of it: the start of the
 * first frame stands in. What it may decode of that lies beyond the stated length. A file that states none stays as it is.
 */
function withFrameAfterLast(bytes: Uint8Array): Uint8Array {
  const start = firstFrame(bytes);
  if (statedSamples(bytes) === 0 || start >= bytes.length) return bytes;
  return Buffer.concat([bytes, bytes.subarray(start, start + BYTES_AFTER_LAST)]);
}

/** Bytes before the first frame: "fLaC" and the metadata blocks (RFC 9639, section 8.1). */
function firstFrame(bytes: Uint8Array): number {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 4;
  for (let isLast = false; !isLast && at + 4 <= bytes.length;) {
    const header = view.getUint32(at); // 1 bit: last block, 7 bits: type, 24 bits: length
    isLast = header >>> 31 === 1;
    at += 4 + (header & 0xffffff);
  }
  return at;
}
