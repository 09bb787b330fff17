import { UserError } from "../errors.ts";
import type { Bytes } from "./bytes.ts";
import { bytesAt, floatsAt, kernel } from "./kernel.ts";
import type { OnSoundBlock, Sound } from "./sound.ts";
import { A_LAW, FLOAT, MU_LAW, PCM, type WavLayout, readWavLayout } from "./wavLayout.ts";

/**
 * A WAV file: PCM of 1 to 64 bits, 32- and 64-bit float, A-law and µ-law, plain or extensible, RIFF, RIFX (big-endian),
 * RF64 or BW64. A data chunk that claims more than the file holds is read as far as it goes, in whole frames; so is one
 * whose size was never filled in.
 * @returns undefined when the file is WAV but of another codec (ADPCM, MP3, …): a case for ffmpeg.
 * @throws UserError E_INPUT_BROKEN when the header is damaged or holds no sound.
 */
export function openWav(bytes: Bytes, name: string): Sound | undefined {
  const layout = readWavLayout(bytes, name);
  if (decoderOf(layout) === undefined) return undefined;
  const { channels, bytesPerSample, sampleRateHz } = layout;
  const frames = Math.floor((layout.dataEnd - layout.dataStart) / (channels * bytesPerSample));
  if (frames === 0)
    throw new UserError(
      "E_INPUT_BROKEN",
      `${name}: holds no sound: its data chunk has no whole sample`,
    );
  return {
    name,
    sampleRateHz,
    channels,
    read: (onBlock) => readBlocks(bytes, layout, frames, onBlock),
  };
}

/** Bytes that are read in one piece. */
const PIECE_BYTES = 1 << 20;
const raw = kernel.allocate(PIECE_BYTES);
/** One sample of 16 bits becomes one of 32. */
const mono = kernel.allocate(2 * PIECE_BYTES);

async function readBlocks(
  bytes: Bytes,
  layout: WavLayout,
  frames: number,
  onBlock: OnSoundBlock,
): Promise<void> {
  const { channels, bytesPerSample, dataStart } = layout;
  const frameBytes = channels * bytesPerSample;
  const most = Math.max(1, Math.floor(PIECE_BYTES / frameBytes));
  for (let done = 0; done < frames;) {
    const wanted = Math.min(most, frames - done);
    const piece =
      frameBytes > PIECE_BYTES ? new Uint8Array(frameBytes) : bytesAt(raw, wanted * frameBytes);
    const got = Math.floor(bytes.readInto(piece, dataStart + done * frameBytes) / frameBytes);
    if (got === 0 || !(await onBlock(monoOf(piece, got, layout)))) return; // the file was cut while it was read
    done += got;
  }
}

/** The mean of the channels of n frames. */
export function monoOf(piece: Uint8Array, n: number, layout: WavLayout): Float32Array {
  const { format, channels, bytesPerSample, littleEndian } = layout;
  if (format === PCM && bytesPerSample === 2 && littleEndian && piece.byteOffset === raw) {
    kernel.pcm16ToMono(raw, n, channels, mono);
    return floatsAt(mono, n);
  }
  const samples = new Float64Array(n * channels);
  const view = new DataView(piece.buffer, piece.byteOffset, samples.length * bytesPerSample);
  decoderOf(layout)?.(view, layout, samples);
  return meanOf(samples, n, channels);
}

function meanOf(samples: Float64Array, n: number, channels: number): Float32Array {
  if (channels === 1) return Float32Array.from(samples);
  const means = new Float32Array(n);
  for (let frame = 0, i = 0; frame < n; frame += 1) {
    let sum = 0;
    for (const end = i + channels; i < end; i += 1) sum += samples[i] ?? 0;
    means[frame] = sum / channels;
  }
  return means;
}

/** Fills `samples` from as many in the view, full scale being 1. */
type Decoder = (view: DataView, layout: WavLayout, samples: Float64Array) => void;

function decoderOf({ format, bytesPerSample }: WavLayout): Decoder | undefined {
  if (format === PCM && bytesPerSample === 1) return (...to) => decodeByTable(OFFSET_BINARY, ...to);
  if (format === PCM && bytesPerSample <= 8) return decodePcm;
  if (format === FLOAT && bytesPerSample === 4) return decodeFloat32;
  if (format === FLOAT && bytesPerSample === 8) return decodeFloat64;
  if (format === A_LAW && bytesPerSample === 1) return (...to) => decodeByTable(A_LAW_TABLE, ...to);
  if (format === MU_LAW && bytesPerSample === 1)
    return (...to) => decodeByTable(MU_LAW_TABLE, ...to);
  return undefined;
}

/** Whole numbers, two's complement. */
function decodePcm(view: DataView, layout: WavLayout, samples: Float64Array): void {
  const { bytesPerSample, littleEndian } = layout;
  const scale = 2 ** (1 - 8 * bytesPerSample);
  const down = littleEndian ? -1 : 1; // from a byte to the next lower one
  const highest = littleEndian ? bytesPerSample - 1 : 0;
  for (let i = 0; i < samples.length; i += 1) {
    let at = i * bytesPerSample + highest;
    let value = view.getInt8(at);
    for (let lower = 1; lower < bytesPerSample; lower += 1)
      value = value * 256 + view.getUint8((at += down));
    samples[i] = value * scale;
  }
}

function decodeFloat32(view: DataView, { littleEndian }: WavLayout, samples: Float64Array): void {
  for (let i = 0; i < samples.length; i += 1) samples[i] = view.getFloat32(4 * i, littleEndian);
}

function decodeFloat64(view: DataView, { littleEndian }: WavLayout, samples: Float64Array): void {
  for (let i = 0; i < samples.length; i += 1) samples[i] = view.getFloat64(8 * i, littleEndian);
}

function decodeByTable(
  table: Float64Array,
  view: DataView,
  _: WavLayout,
  samples: Float64Array,
): void {
  for (let i = 0; i < samples.length; i += 1) samples[i] = table[view.getUint8(i)] ?? 0;
}

const tableOf = (valueOf: (byte: number) => number): Float64Array =>
  Float64Array.from({ length: 256 }, (_, byte) => valueOf(byte));

const OFFSET_BINARY = tableOf((byte) => (byte - 128) / 128);

/** ITU-T G.711: sign, 3 bits of exponent, 4 of mantissa, every other bit inverted. */
const A_LAW_TABLE = tableOf((byte) => {
  const bits = byte ^ 0x55;
  const exponent = (bits >> 4) & 7;
  const mantissa = ((bits & 15) << 4) + 8 + (exponent > 0 ? 256 : 0);
  return ((bits & 0x80 ? 1 : -1) * (mantissa << Math.max(0, exponent - 1))) / 32768;
});

/** ITU-T G.711: sign, 3 bits of exponent, 4 of mantissa, all inverted. */
const MU_LAW_TABLE = tableOf((byte) => {
  const bits = ~byte;
  const magnitude = ((((bits & 15) << 3) + 132) << ((bits >> 4) & 7)) - 132;
  return ((bits & 0x80 ? -1 : 1) * magnitude) / 32768;
});
