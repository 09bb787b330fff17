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
 * @returns undefined when the decoder stops before the length that the file's header states (it drops some short last
 * frames, and stops at damage): a case for ffmpeg, which reads as far as the file goes
 */
export async function decodeFlac(bytes: Uint8Array): Promise<Sound | undefined> {
  const decoder = await (loading ??= loadDecoder());
  const { channelData, samplesDecoded, sampleRate, bitDepth, errors } =
    await decoder.decodeFile(bytes);
  await decoder.reset();
  const total = statedSamples(bytes);
  if (errors.length > 0 || samplesDecoded === 0 || (total > 0 && samplesDecoded !== total))
    return undefined;
  // The decoder divides by 2^(bits-1) - 1; full scale is 2^(bits-1), as libsndfile and our WAV reader have it.
  const fullScale = 2 ** (bitDepth - 1);
  const samples = new Float32Array(samplesDecoded);
  for (let i = 0; i < samplesDecoded; i += 1) {
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
