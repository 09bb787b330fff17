import { UserError } from "../errors.ts";

/** Sound as decoded: mono, nominally in [-1, 1] (float files may exceed it). */
export interface Sound {
  /** [samples], the mean of the channels. */
  readonly samples: Float32Array;
  readonly sampleRateHz: number;
  /** Channels of the file, before they were averaged. */
  readonly channels: number;
}

const FORMAT_PCM = 1;
const FORMAT_FLOAT = 3;
const FORMAT_EXTENSIBLE = 0xfffe;

interface Layout {
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
 * Decodes a WAV file: PCM of 1 to 64 bits, 32- and 64-bit float, plain or extensible, RIFF, RIFX (big-endian) or RF64.
 * A data chunk that claims more than the file holds is read as far as it goes, in whole frames.
 * @returns undefined when the file is WAV but of another codec (A-law, ADPCM, …): a case for ffmpeg.
 * @throws UserError E_INPUT_BROKEN when the header is damaged or holds no sound.
 */
export function decodeWav(bytes: Uint8Array, name: string): Sound | undefined {
  const layout = readLayout(bytes, name);
  const { format, channels, bytesPerSample, sampleRateHz } = layout;
  const isPcm = format === FORMAT_PCM && bytesPerSample >= 1 && bytesPerSample <= 8;
  const isFloat = format === FORMAT_FLOAT && (bytesPerSample === 4 || bytesPerSample === 8);
  if (!isPcm && !isFloat) return undefined;
  const frames = Math.floor((layout.dataEnd - layout.dataStart) / (channels * bytesPerSample));
  if (frames === 0) throw broken(name, "holds no sound: its data chunk has no whole sample");
  const samples = new Float32Array(frames);
  const view = new DataView(bytes.buffer, bytes.byteOffset + layout.dataStart);
  const read = sampleReader(view, layout);
  for (let frame = 0, offset = 0; frame < frames; frame += 1) {
    let sum = 0;
    for (let channel = 0; channel < channels; channel += 1, offset += bytesPerSample)
      sum += read(offset);
    samples[frame] = sum / channels;
  }
  return { samples, sampleRateHz, channels };
}

function readLayout(bytes: Uint8Array, name: string): Layout {
  if (bytes.length < 12 || !isWav(bytes))
    throw broken(name, "is not a WAV file: it must start with RIFF, RIFX or RF64 and WAVE");
  const littleEndian = ascii(bytes, 0) !== "RIFX";
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let header: Pick<Layout, "format" | "channels" | "sampleRateHz" | "bytesPerSample"> | undefined;
  let longDataSize: number | undefined;
  for (let at = 12; at + 8 <= bytes.length;) {
    const id = ascii(bytes, at);
    const size = view.getUint32(at + 4, littleEndian);
    const start = at + 8;
    if (id === "ds64" && start + 16 <= bytes.length)
      longDataSize = Number(view.getBigUint64(start + 8, littleEndian));
    if (id === "fmt ") header = readHeader(view, start, size, littleEndian, name);
    if (id === "data") {
      if (header === undefined) throw broken(name, "lacks a 'fmt ' chunk before its 'data' chunk");
      const claimed = size === 0xffffffff ? (longDataSize ?? size) : size;
      return {
        ...header,
        littleEndian,
        dataStart: start,
        dataEnd: Math.min(start + claimed, bytes.length),
      };
    }
    at = start + size + (size & 1);
  }
  throw broken(name, "holds no sound: it has no 'data' chunk");
}

function readHeader(
  view: DataView,
  start: number,
  size: number,
  littleEndian: boolean,
  name: string,
) {
  if (size < 16 || start + Math.min(size, 28) > view.byteLength)
    throw broken(name, "has a damaged 'fmt ' chunk");
  const tag = view.getUint16(start, littleEndian);
  const channels = view.getUint16(start + 2, littleEndian);
  const sampleRateHz = view.getUint32(start + 4, littleEndian);
  const blockAlign = view.getUint16(start + 12, littleEndian);
  const bits = view.getUint16(start + 14, littleEndian);
  if (channels === 0 || sampleRateHz === 0 || bits === 0)
    throw broken(
      name,
      `has a damaged 'fmt ' chunk: ${channels} channels, ${sampleRateHz} Hz, ${bits} bits`,
    );
  const format =
    tag === FORMAT_EXTENSIBLE && size >= 28 ? view.getUint32(start + 24, littleEndian) : tag;
  const container = blockAlign / channels;
  const bytesPerSample =
    Number.isInteger(container) && container * 8 >= bits ? container : Math.ceil(bits / 8);
  return { format, channels, sampleRateHz, bytesPerSample };
}

/** The reader of one sample at a byte offset, scaled so that full scale is 1. */
function sampleReader(view: DataView, layout: Layout): (offset: number) => number {
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

function broken(name: string, rule: string): UserError {
  return new UserError("E_INPUT_BROKEN", `${name}: ${rule}`);
}
