import { type Bytes, sliceOf } from "./bytes.ts";
import {
  DECODED_BITS,
  type FlacFrameDecoder,
  type FlacKind,
  MOST_FRAME_BYTES,
  createFlacFrameDecoder,
} from "./flacDecoder.ts";
import { splitFlacFrames } from "./flacFrames.ts";
import type { OnSoundBlock, Sound } from "./sound.ts";

/** True when the bytes start as a FLAC file does. */
export function isFlac(bytes: Uint8Array): boolean {
  return String.fromCharCode(...bytes.subarray(0, 4)) === "fLaC";
}

/** What the STREAMINFO block says (RFC 9639, section 8.2). */
interface StreamInfo extends FlacKind {
  /** Samples a channel; 0: not stated. */
  readonly samples: number;
  /** Where the first frame starts, bytes. */
  readonly firstFrame: number;
}

/**
 * A FLAC file of 8, 16, 24 or 32 bits, exact within its bit depth (and that of 32-bit floats).
 * @param otherwise the same file by a decoder that reads damaged files as far as they go: it takes over where the first
 * frame is damaged or lacks
 * @returns undefined where the start is damaged or the width is another: a case for the other decoder
 */
export function openFlac(
  bytes: Bytes,
  name: string,
  otherwise: () => Promise<Sound>,
): Sound | undefined {
  const info = readStreamInfo(bytes);
  if (info === undefined || !DECODED_BITS.includes(info.bits)) return undefined;
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

/** Blocks of metadata that are passed over: a file of nothing else would take minutes. */
const MOST_BLOCKS = 10_000;

function readStreamInfo(bytes: Bytes): StreamInfo | undefined {
  const head = sliceOf(bytes, 0, 42);
  if (head.length < 42 || ((head[4] ?? 0) & 0x7f) !== 0) return undefined; // STREAMINFO comes first
  const view = new DataView(head.buffer, head.byteOffset, head.length);
  const packed = view.getUint32(18); // 20 bits: rate, 3: channels - 1, 5: bits - 1, 4: the top of the samples
  let firstFrame = 4;
  for (let isLast = false, blocks = 1; !isLast; blocks += 1) {
    if (blocks > MOST_BLOCKS) return undefined;
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
    blockSizes: view.getUint32(8),
    samples: (packed & 15) * 2 ** 32 + view.getUint32(22),
    firstFrame,
  };
}

/** What came out of a file. */
interface Outcome {
  /** Samples a channel. */
  readonly samples: number;
  /** These were all, undamaged. */
  readonly isWhole: boolean;
  /** What the decoder saw were frames, and nothing else. */
  readonly isClean: boolean;
}

async function readFrames(bytes: Bytes, info: StreamInfo, onBlock: OnSoundBlock): Promise<Outcome> {
  const decoder = await createFlacFrameDecoder(info);
  const outcome = await decodeFrames(decoder, bytes, info, onBlock);
  if (outcome.isClean) decoder.release();
  return outcome;
}

/** Bytes that are read in one piece. */
const PIECE_BYTES = 1 << 17;

async function decodeFrames(
  decoder: FlacFrameDecoder,
  bytes: Bytes,
  info: StreamInfo,
  onBlock: OnSoundBlock,
): Promise<Outcome> {
  const room = new Uint8Array(Math.min(MOST_FRAME_BYTES, bytes.size));
  let held = 0; // bytes of a frame that is not whole yet
  let samples = 0;
  for (let position = info.firstFrame; ;) {
    const got = bytes.readInto(room.subarray(held, held + PIECE_BYTES), position);
    position += got;
    const isLast = got === 0 || position >= bytes.size;
    const split = splitFlacFrames(room.subarray(0, held + got), isLast);
    let isClean = true;
    if (split.frames.length > 0) {
      const block = await decoder.decode(split.frames, split.samples);
      if (block === undefined) return { samples, isWhole: false, isClean: false };
      samples += split.samples;
      isClean = !isLast || !isPadded(split.frames.at(-1));
      if (!(await onBlock(block))) return { samples, isWhole: true, isClean };
    }
    held = split.rest.length;
    const hasAll = samples > 0 && samples >= info.samples;
    if (split.isDamaged || held > MOST_FRAME_BYTES - PIECE_BYTES)
      return { samples, isWhole: hasAll && info.samples > 0, isClean };
    if (isLast) return { samples, isWhole: hasAll, isClean };
    room.copyWithin(0, split.rest.byteOffset, split.rest.byteOffset + held);
  }
}

/** Zeros after a frame leave its checksum right, and the decoder waiting for another frame. */
function isPadded(frame: Uint8Array | undefined): boolean {
  return frame !== undefined && frame.subarray(-3).every((byte) => byte === 0);
}
