import type { FLACDecoder } from "@wasm-audio-decoders/flac";

/** Longer frames the decoder takes in parts, and fails: some 16,384 samples of 8 channels of 32 bits. */
export const MOST_FRAME_BYTES = 8 * 65_535;
/** Of other widths it makes infinities, or breaks down. */
export const DECODED_BITS: readonly number[] = [8, 16, 24, 32];

/** What the frames of two streams have in common, or not. */
export interface FlacKind {
  readonly channels: number;
  readonly bits: number;
  readonly sampleRateHz: number;
  /** Samples of the shortest and the longest frame, 16 bits each. */
  readonly blockSizes: number;
}

export interface FlacFrameDecoder {
  /**
   * The mean of the channels of whole frames, full scale being 1; undefined when they do not decode to `samples` a
   * channel: they are damaged, and the decoder is no longer of use.
   */
  decode(frames: readonly Uint8Array[], samples: number): Promise<Float32Array | undefined>;
  /** Lets the next stream have the decoder. Not after frames that failed, or had something behind them. */
  release(): void;
}

/** Decoders of this thread that no stream uses, and what they saw last: one takes longer to start than to decode a clip. */
const idle: { readonly decoder: FLACDecoder; readonly kind: string }[] = [];

/** A decoder for the frames of one stream, in order. */
export async function createFlacFrameDecoder(stream: FlacKind): Promise<FlacFrameDecoder> {
  const { channels, bits, sampleRateHz, blockSizes } = stream;
  const kind = [channels, bits, sampleRateHz, blockSizes].join();
  const decoder = await takeDecoder(kind);
  return {
    decode: async (frames, samples) => {
      try {
        const { channelData, samplesDecoded, errors } = await decoder.decodeFrames([...frames]);
        const isWhole = errors.length === 0 && samplesDecoded === samples;
        return isWhole ? meanOf(channelData, samples, bits) : undefined;
      } catch {
        return undefined; // WebAssembly's own errors
      }
    },
    release: () => void idle.push({ decoder, kind }),
  };
}

async function takeDecoder(kind: string): Promise<FLACDecoder> {
  const last = idle.pop();
  if (last === undefined) return startDecoder();
  if (last.kind !== kind) await last.decoder.reset(); // it goes by the length of the frames that it saw
  return last.decoder;
}

async function startDecoder(): Promise<FLACDecoder> {
  const { FLACDecoder: Decoder } = await import("@wasm-audio-decoders/flac");
  const decoder = new Decoder();
  await decoder.ready;
  return decoder;
}

/** The decoder divides by 2^(bits-1) - 1; full scale is 2^(bits-1), as libsndfile has it. */
function meanOf(channels: readonly Float32Array[], n: number, bits: number): Float32Array {
  const fullScale = 2 ** (bits - 1);
  const means = new Float32Array(n);
  const [first = means] = channels;
  if (channels.length === 1) {
    for (let i = 0; i < n; i += 1) means[i] = stepOf(first[i] ?? 0, fullScale - 1) / fullScale;
    return means;
  }
  const sums = new Float64Array(n);
  for (const channel of channels)
    for (let i = 0; i < n; i += 1)
      sums[i] = (sums[i] ?? 0) + stepOf(channel[i] ?? 0, fullScale - 1);
  const divisor = fullScale * channels.length;
  for (let i = 0; i < n; i += 1) means[i] = (sums[i] ?? 0) / divisor;
  return means;
}

/** A number of 53 bits whose last stands for 1: what is added to it is rounded, faster than Math.round does it. */
const ROUNDING = 1.5 * 2 ** 52;

function stepOf(value: number, scale: number): number {
  return value * scale + ROUNDING - ROUNDING;
}
