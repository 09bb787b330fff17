import { UserError } from "../errors.ts";
import { type Bytes, sliceOf } from "./bytes.ts";
import { bytesAt, floatsAt, kernel } from "./kernel.ts";
import type { OnSoundBlock, Sound } from "./sound.ts";

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_EXTENSIBLE = 0xfffe;

/** How a WAV file holds its samples. */
export interface WavLayout {
  readonly littleEndian: boolean;
  readonly format: number;
  readonly channels: number;
  readonly sampleRateHz: number;
  readonly bytesPerSample: number;
  readonly dataStart: number;
  readonly dataEnd: number;
}

/** True when the bytes start as a WAV file of any kind does. */
export function isWav(bytes: Uint8Array): boolean {
  const magic = ascii(bytes, 0);
  return ["RIFF", "RIFX", "RF64"].includes(magic) && ascii(bytes, 8) === "WAVE";
}

/**
 * A WAV file: PCM of 1 to 64 bits, 32- and 64-bit float, plain or extensible, RIFF, RIFX (big-endian) or RF64.
 * A data chunk that claims more than the file holds is read as far as it goes, in whole frames.
 * @returns undefined when the file is WAV but of another codec (A-law, ADPCM, …): a case for ffmpeg.
 * @throws UserError E_INPUT_BROKEN when the header is damaged or holds no sound.
 */
export function openWav(bytes: Bytes, name: string): Sound | undefined {
  const layout = readWavLayout(bytes, name);
  const { format, channels, bytesPerSample, sampleRateHz } = layout;
  const isPcm = format === FORMAT_PCM && bytesPerSample >= 1 && bytesPerSample <= 8;
  const isFloat = format === FORMAT_FLOAT && (bytesPerSample === 4 || bytesPerSample === 8);
  if (!isPcm && !isFloat) return undefined;
  const frames = Math.floor((layout.dataEnd - layout.dataStart) / (channels * bytesPerSample));
  if (frames === 0) throw broken(name, "holds no sound: its data chunk has no whole sample");
  return {
    name,
    sampleRateHz,
    channels,
    read: async (onBlock) => readBlocks(bytes, layout, frames, onBlock),
  };
}

/** Bytes that are read in one piece. */
const PIECE_BYTES = 1 << 20;
const raw = kernel.allocate(PIECE_BYTES);
/** One sample of 16 bits becomes one of 32. */
const mono = kernel.allocate(2 * PIECE_BYTES);

function readBlocks(bytes: Bytes, layout: WavLayout, frames: number, onBlock: OnSoundBlock): void {
  const { channels, bytesPerSample, dataStart } = layout;
  const frameBytes = channels * bytesPerSample;
  const most = Math.max(1, Math.floor(PIECE_BYTES / frameBytes));
  for (let done = 0; done < frames;) {
    const wanted = Math.min(most, frames - done);
    const piece =
      frameBytes > PIECE_BYTES ? new Uint8Array(frameBytes) : bytesAt(raw, wanted * frameBytes);
    const got = Math.floor(bytes.readInto(piece, dataStart + done * frameBytes) / frameBytes);
    if (got === 0 || !onBlock(monoOf(piece, got, layout))) return; // the file was cut while it was read
    done += got;
  }
}

/** The mean of the channels of n frames. */
export function monoOf(piece: Uint8Array, n: number, layout: WavLayout): Float32Array {
  const { format, channels, bytesPerSample, littleEndian } = layout;
  if (format === FORMAT_PCM && bytesPerSample === 2 && littleEndian && piece.byteOffset === raw) {
    kernel.pcm16ToMono(raw, n, channels, mono);
    return floatsAt(mono, n);
  }
  const read = sampleReader(new DataView(piece.buffer, piece.byteOffset, piece.length), layout);
  const samples = new Float32Array(n);
  for (let frame = 0, offset = 0; frame < n; frame += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1, offset += bytesPerSample)
      sum += read(offset);
    samples[frame] = sum / channels;
  }
  return samples;
}

/** Bytes of the start of a file that are looked at together. */
const HEAD_BYTES = 512;

/** @throws UserError E_INPUT_BROKEN when the header is damaged or there is no data chunk */
export function readWavLayout(bytes: Bytes, name: string): WavLayout {
  const { size: fileSize } = bytes;
  const head = sliceOf(bytes, 0, HEAD_BYTES);
  if (head.length < 12 || !isWav(head))
    throw broken(name, "is not a WAV file: it must start with RIFF, RIFX or RF64 and WAVE");
  const littleEndian = ascii(head, 0) !== "RIFX";
  const viewAt = (at: number, length: number): DataView => {
    const part =
      at + length <= head.length ? head.subarray(at, at + length) : sliceOf(bytes, at, length);
    return new DataView(part.buffer, part.byteOffset, part.length);
  };
  let header:
    | Pick<WavLayout, "format" | "channels" | "sampleRateHz" | "bytesPerSample">
    | undefined;
  let longDataSize: number | undefined;
  for (let at = 12; at + 8 <= fileSize;) {
    const chunk = viewAt(at, 8);
    const id = asciiOf(chunk);
    const size = chunk.getUint32(4, littleEndian);
    const start = at + 8;
    if (id === "ds64" && start + 16 <= fileSize)
      longDataSize = Number(viewAt(start, 16).getBigUint64(8, littleEndian));
    if (id === "fmt ") header = readHeader(viewAt(start, 28), size, littleEndian, name);
    if (id === "data") {
      if (header === undefined) throw broken(name, "lacks a 'fmt ' chunk before its 'data' chunk");
      const claimed = size === 0xffffffff ? (longDataSize ?? size) : size;
      return {
        ...header,
        littleEndian,
        dataStart: start,
        dataEnd: Math.min(start + claimed, fileSize),
      };
    }
    at = start + size + (size & 1);
  }
  throw broken(name, "holds no sound: it has no 'data' chunk");
}

/** The body of a 'fmt ' chunk of `size` bytes, of which the view has the first 28 or what is there. */
function readHeader(view: DataView, size: number, littleEndian: boolean, name: string) {
  if (size < 16 || Math.min(size, 28) > view.byteLength)
    throw broken(name, "has a damaged 'fmt ' chunk");
  const tag = view.getUint16(0, littleEndian);
  const channels = view.getUint16(2, littleEndian);
  const sampleRateHz = view.getUint32(4, littleEndian);
  const blockAlign = view.getUint16(12, littleEndian);
  const bits = view.getUint16(14, littleEndian);
  if (channels === 0 || sampleRateHz === 0 || bits === 0)
    throw broken(
      name,
      `has a damaged 'fmt ' chunk: ${channels} channels, ${sampleRateHz} Hz, ${bits} bits`,
    );
  const format = tag === FORMAT_EXTENSIBLE && size >= 28 ? view.getUint32(24, littleEndian) : tag;
  const container = blockAlign / channels;
  const bytesPerSample =
    Number.isInteger(container) && container * 8 >= bits ? container : Math.ceil(bits / 8);
  return { format, channels, sampleRateHz, bytesPerSample };
}

/** The reader of one sample at a byte offset, scaled so that full scale is 1. */
function sampleReader(view: DataView, layout: WavLayout): (offset: number) => number {
  const { littleEndian, bytesPerSample, format } = layout;
  if (format === FORMAT_FLOAT)
    return bytesPerSample === 4
      ? (offset) => view.getFloat32(offset, littleEndian)
      : (offset) => view.getFloat64(offset, littleEndian);
  if (bytesPerSample === 1) return (offset) => (view.getUint8(offset) - 128) / 128;
  if (bytesPerSample === 2) return (offset) => view.getInt16(offset, littleEndian) / 32768;
  if (bytesPerSample === 4) return (offset) => view.getInt32(offset, littleEndian) / 2147483648;
  const scale = 2 ** (1 - 8 * bytesPerSample);
  return (offset) => {
    let value = view.getInt8(littleEndian ? offset + bytesPerSample - 1 : offset);
    for (let i = 1; i < bytesPerSample; i += 1)
      value =
        value * 256 + view.getUint8(littleEndian ? offset + bytesPerSample - 1 - i : offset + i);
    return value * scale;
  };
}

function ascii(bytes: Uint8Array, at: number): string {
  return String.fromCharCode(...bytes.subarray(at, at + 4));
}

function asciiOf(view: DataView): string {
  return ascii(new Uint8Array(view.buffer, view.byteOffset, view.byteLength), 0);
}

function broken(name: string, rule: string): UserError {
  return new UserError("E_INPUT_BROKEN", `${name}: ${rule}`);
}
