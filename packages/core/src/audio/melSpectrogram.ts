import { type Address, allocateFloats, floatsAt, kernel, store } from "./kernel.ts";
import { melFilterBank } from "./mel.ts";
import { LANES, createSpectra } from "./spectra.ts";

export interface MelSettings {
  /** Hz */
  readonly sr: number;
  /** samples */
  readonly n_fft: number;
  /** samples */
  readonly hop_length: number;
  readonly n_mels: number;
}

/** Sees a frame as it is measured: its samples [n_fft], not windowed, and its power spectrum [n_fft / 2 + 1], lent until it returns. */
export type OnFrame = (frame: number, samples: Float32Array, power: Float32Array) => void;

/** A mel spectrogram in the making. */
export interface MelRun {
  /** Takes the next samples, each divided by `divisor`. */
  push(samples: Float32Array, divisor: number): void;
  /** The mel power [n_mels, frames]; samples that no push brought count as zeros. */
  finish(): Float32Array;
}

/** Samples that are taken in one piece. */
const PIECE = 1 << 16;
/** Frames whose mel power stays in the kernel before it is copied out. */
const FRAMES_KEPT = 64 * LANES;
const FLOAT_BYTES = Float32Array.BYTES_PER_ELEMENT;

/**
 * The mel power spectrogram of librosa.feature.melspectrogram (0.11, power 2, Hann) from samples that come piece by piece.
 * Frame t holds the samples t · hop_length … + n_fft of what was pushed: for centred frames push the padding too.
 */
export function createMelSpectrogram(
  settings: MelSettings,
): (frames: number, onFrame?: OnFrame) => MelRun {
  const { n_fft: nFft, hop_length: hop, n_mels: nMels } = settings;
  const spectra = createSpectra(nFft);
  const bank = melFilterBank(settings.sr, nFft, nMels);
  const bands = storeBands(bank);
  const weights = store(bank.flatMap((band) => [...band.weights]));
  const mel = allocateFloats(nMels * FRAMES_KEPT);
  const span = nFft + (LANES - 1) * hop; // samples of four frames
  const buffer = allocateFloats(span + PIECE);

  const seenPower = new Float32Array(spectra.bins);

  return (frames, onFrame) => {
    const power = new Float32Array(nMels * frames);
    let held = 0; // samples in the buffer, the first of them being the next frame's
    let skipped = 0; // samples to come that lie between frames, where the hop exceeds the frame
    let measured = 0; // frames
    let copied = 0; // frames

    const measureFour = (samples: Address): void => {
      spectra.measure(samples, hop);
      const row = FRAMES_KEPT * FLOAT_BYTES;
      const target = mel + (measured - copied) * FLOAT_BYTES;
      kernel.melBands(spectra.power, bands, nMels, weights, target, row);
      const end = Math.min(frames, measured + LANES);
      if (onFrame !== undefined) show(onFrame, samples, end);
      measured = end;
      if (measured === frames || measured - copied === FRAMES_KEPT) copyOut();
    };
    const copyOut = (): void => {
      const count = measured - copied;
      const kept = floatsAt(mel, nMels * FRAMES_KEPT);
      for (let band = 0; band < nMels; band += 1)
        power.set(
          kept.subarray(band * FRAMES_KEPT, band * FRAMES_KEPT + count),
          band * frames + copied,
        );
      copied = measured;
    };
    const show = (see: OnFrame, samples: Address, end: number): void => {
      const lanes = floatsAt(spectra.power, spectra.bins * LANES);
      for (let lane = 0; measured + lane < end; lane += 1) {
        for (let k = 0; k < spectra.bins; k += 1) seenPower[k] = lanes[k * LANES + lane] ?? 0;
        see(measured + lane, floatsAt(samples + lane * hop * FLOAT_BYTES, nFft), seenPower);
      }
    };
    /** Measures what the buffer has whole, and moves the rest to its start. */
    const measureHeld = (): void => {
      let at = 0;
      for (; measured < frames && at + span <= held; at += LANES * hop)
        measureFour(buffer + at * FLOAT_BYTES);
      skipped = Math.max(0, at - held);
      floatsAt(buffer, held).copyWithin(0, at);
      held = Math.max(0, held - at);
    };
    return {
      push: (samples, divisor) => {
        let from = Math.min(skipped, samples.length);
        skipped -= from;
        while (from < samples.length) {
          const piece = samples.subarray(from, from + PIECE);
          const target = buffer + held * FLOAT_BYTES;
          floatsAt(target, piece.length).set(piece);
          if (divisor !== 1) kernel.divide(target, piece.length, divisor);
          held += piece.length;
          from += piece.length;
          measureHeld();
          const skip = Math.min(skipped, samples.length - from);
          from += skip;
          skipped -= skip;
        }
      },
      finish: () => {
        while (measured < frames) {
          floatsAt(buffer, span).fill(0, held);
          held = span;
          measureHeld();
        }
        return power;
      },
    };
  };
}

/** [first bin, bins] of each band, as 32-bit integers. */
function storeBands(bank: ReturnType<typeof melFilterBank>): Address {
  const address = kernel.allocate(8 * bank.length);
  new Int32Array(kernel.memory.buffer, address, 2 * bank.length).set(
    bank.flatMap(({ start, weights }) => [start, weights.length]),
  );
  return address;
}
