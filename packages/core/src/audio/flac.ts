import type { FLACDecoder } from "@wasm-audio-decoders/flac";
import { type Bytes, sliceOf } from "./bytes.ts";
import { splitFlacFrames } from "./flacFrames.ts";
import type { OnSoundBlock, Sound } from "./sound.ts";

let loading: Promise<FLACDecoder> | undefined;
/** What kind of stream the decoder has seen. */
let decoderKind = "";

/** One decoder a thread, reused: it takes longer to start than to decode a clip. It counts frames, by their length. */
async function decoderFor(kind: string): Promise<FLACDecoder> {
  const isFresh = loading === undefined;
  const decoder = await (loading ??= loadDecoder());
  if (!isFresh && kind !== decoderKind) await decoder.reset();
  decoderKind = kind;
  return decoder;
}

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

/** What the STREAMINFO block says (RFC 9639, section 8.2). */
interface StreamInfo {
  readonly sampleRateHz: number;
  readonly channels: number;
  readonly bits: number;
  /** Samples a channel; 0: not stated. */
  readonly samples: number;
  /** Where the first frame starts, bytes. */
  readonly firstFrame: number;
  /** Block sizes, rate, channels and bits: what the frames of two streams have in common, or not. */
  readonly kind: string;
}

/**
 * A FLAC file, exact within its bit depth.
 * @param otherwise the same file by a decoder that reads damaged files as far as they go: it takes over where the first
 * frame is damaged or lacks
 * @returns undefined where the start is damaged: a case for the other decoder
 */
export function openFlac(
  bytes: Bytes,
  name: string,
  otherwise: () => Promise<Sound>,
): Sound | undefined {
  const info = readStreamInfo(bytes);
  if (info === undefined) return undefined;
  return {
    name,
    sampleRateHz: info.sampleRateHz,
    channels: info.channels,
    read: async (onBlock) => {
      const { samples, isWhole } = await readFrames(bytes, info, onBlock);
      if (isWhole) return;
      let past = samples;
      const rest = await otherwise();
      await rest.read((block) => {
        const skip = Math.min(past, block.length);
        past -= skip;
        return skip === block.length || onBlock(block.subarray(skip));
      });
    },
  };
}

function readStreamInfo(bytes: Bytes): StreamInfo | undefined {
  const head = sliceOf(bytes, 0, 42);
  if (head.length < 42 || ((head[4] ?? 0) & 0x7f) !== 0) return undefined; // STREAMINFO comes first
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const packed = view.getUint32(18); // 20 bits: rate, 3: channels - 1, 5: bits - 1, 4: the top of the samples
  let firstFrame = 4;
  for (let isLast = false; !isLast;) {
    const header = sliceOf(bytes, firstFrame, 4); // 1 bit: last block, 7 bits: type, 24 bits: length
    if (header.length < 4) return undefined;
    const [flags = 0, a = 0, b = 0, c = 0] = header;
    isLast = flags >>> 7 === 1;
    firstFrame += 4 + (a << 16) + (b << 8) + c;
  }
  return {
    sampleRateHz: packed >>> 12,
    channels: ((packed >>> 9) & 7) + 1,
    bits: ((packed >>> 4) & 31) + 1,
    samples: (packed & 15) * 2 ** 32 + view.getUint32(22),
    firstFrame,
    kind: `${view.getUint32(8)} ${packed >>> 4}`,
  };
}

/** Bytes that are read in one piece. */
const PIECE_BYTES = 1 << 17;
/** A frame is no longer than this: 65,536 samples of 8 channels of 32 bits, and some. */
const MOST_FRAME_BYTES = 1 << 22;
/** A file's bytes while they are decoded: the start of a frame that is not whole yet, and a piece. */
const room = new Uint8Array(MOST_FRAME_BYTES + PIECE_BYTES);

/** Decodes frame after frame; tells how many samples came out, and whether these were all, undamaged. */
async function readFrames(
  bytes: Bytes,
  info: StreamInfo,
  onBlock: OnSoundBlock,
): Promise<{ readonly samples: number; readonly isWhole: boolean }> {
  let samples = 0;
  let held = new Uint8Array(0);
  for (let position = info.firstFrame; ;) {
    room.set(held);
    const got = bytes.readInto(room.subarray(held.length, held.length + PIECE_BYTES), position);
    position += got;
    const isLast = got === 0 || position >= bytes.size;
    const split = splitFlacFrames(room.subarray(0, held.length + got), isLast);
    held = split.rest.slice();
    if (split.frames.length > 0) {
      const decoder = await decoderFor(info.kind);
      const { channelData, samplesDecoded, errors } = await decoder.decodeFrames([...split.frames]);
      if (errors.length > 0 || samplesDecoded !== split.samples) {
        decoderKind = "";
        return { samples, isWhole: false };
      }
      samples += samplesDecoded;
      if (!onBlock(monoOf(channelData, samplesDecoded, info.bits)))
        return { samples, isWhole: true };
    }
    if (split.isDamaged || held.length > MOST_FRAME_BYTES) return { samples, isWhole: false };
    if (isLast) return { samples, isWhole: samples > 0 && samples >= info.samples };
  }
}

/** The mean of the channels. The decoder divides by 2^(bits-1) - 1; full scale is 2^(bits-1), as libsndfile has it. */
function monoOf(channels: readonly Float32Array[], n: number, bits: number): Float32Array {
  const fullScale = 2 ** (bits - 1);
  const mono = new Float32Array(n);
  for (let i = 0; i < n; i += 1) {
    let sum = 0;
    for (const channel of channels) sum += Math.round((channel[i] ?? 0) * (fullScale - 1));
    mono[i] = sum / (fullScale * channels.length);
  }
  return mono;
}
