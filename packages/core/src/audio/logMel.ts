import { UserError } from "../errors.ts";
import { powerToDb } from "./decibels.ts";
import { type Clip, type Samples, collect, oneAtATime, openClip, padded } from "./clip.ts";
import { peakOf } from "./kernel.ts";
import { type LogMelConfig, fixedSamples, frameCount } from "./logMelConfig.ts";
import { type OnFrame, createMelSpectrogram } from "./melSpectrogram.ts";
import type { Sound } from "./sound.ts";
import { trimBounds } from "./trim.ts";

export interface LogMel {
  /** dB in [-80, 0] below the loudest cell, [n_mels, frames] row-major. */
  readonly features: Float32Array;
  readonly frames: number;
  /** The clip holds only zeros: every cell is 0 dB, as librosa has it, and says nothing. */
  readonly silent: boolean;
  /** Of the sound, before trimming and cropping. */
  readonly durationSeconds: number;
}

/** Makes the log-mel spectrogram of a sound; `onClip` may ask to see its frames. */
export type LogMelExtractor = (sound: Sound, onClip?: OnClip) => Promise<LogMel>;

/** Hears of a clip before it is measured; `length` is its samples once fitted. */
export type OnClip = (frames: number, length: number) => OnFrame;

/**
 * The log-mel spectrogram of a sound, as librosa 0.11 makes it: resample, effects.trim, centre-crop or pad to the
 * fixed duration, divide by the peak, feature.melspectrogram, power_to_db(ref=max).
 * Memory holds the features and a few minutes of sound; a longer one is read again for each step.
 * The extractor throws a UserError E_INPUT_BROKEN for samples that are not finite, and what reading the sound throws.
 */
export function createLogMelExtractor(config: LogMelConfig): LogMelExtractor {
  const startMel = createMelSpectrogram(config);
  return (sound, onClip) =>
    oneAtATime(async () => {
      const clip = await openClip(sound, config.sr);
      const fitted = fit(clip, config);
      const frames = frameCount(fitted.length, config);
      requireRoom(frames * config.n_mels, sound.name);
      const peak = await findPeak(fitted);
      const divisor = peak > 0 ? Math.max(peak, LEAST_PEAK) : 1;
      const run = startMel(frames, onClip?.(frames, fitted.length));
      const push = (block: Float32Array): boolean => {
        run.push(block, divisor);
        return true;
      };
      const { before, after } = await readPadding(fitted, config);
      push(before);
      await fitted.read(0, fitted.length, push);
      push(after);
      const features = run.finish();
      const loudest = powerToDb(features);
      return { features, frames, silent: loudest === 0, durationSeconds: clip.durationSeconds };
    });
}

/** Quieter clips are divided by this, not by their peak. */
const LEAST_PEAK = 1e-8;
/** Cells of a spectrogram: 1 GiB. */
const MOST_CELLS = 1 << 28;

/** @throws UserError E_INPUT_BROKEN when the features of the sound `name` have too many cells */
export function requireRoom(cells: number, name: string): void {
  if (cells <= MOST_CELLS) return;
  throw new UserError(
    "E_INPUT_BROKEN",
    `${name}: its features must take at most 1 GiB, would take ${(cells / 2 ** 28).toFixed(1)}`,
    { hint: "raise --hop_length, or set a --fixed_duration" },
  );
}

/** The part of a clip that counts: trimmed, and cropped in its middle or padded equally on both sides. */
function fit(clip: Clip, config: LogMelConfig): Samples {
  const { start, end } =
    config.top_db > 0
      ? trimBounds(clip.energies, clip.length, config.top_db)
      : { start: 0, end: clip.length };
  const trimmed = end - start;
  const length = config.fixed_duration > 0 ? fixedSamples(config) : trimmed;
  const cropped = Math.max(0, Math.floor((trimmed - length) / 2));
  const first = start + cropped;
  const last = Math.min(end, first + length);
  return padded(clip, { first, last, before: Math.floor((length - (last - first)) / 2), length });
}

async function findPeak(samples: Samples): Promise<number> {
  let peak = 0;
  await samples.read(0, samples.length, (block) => {
    peak = Math.max(peak, peakOf(block));
    return true;
  });
  return peak;
}

/** What stands before and after the samples so that frames are centred, floor(n_fft / 2) each, as numpy.pad's mode has it. */
async function readPadding(
  samples: Samples,
  { n_fft: nFft, pad_mode: mode }: LogMelConfig,
): Promise<{ readonly before: Float32Array; readonly after: Float32Array }> {
  const width = Math.floor(nFft / 2);
  const n = samples.length;
  if (mode === "constant" || n === 0)
    return { before: new Float32Array(width), after: new Float32Array(width) };
  const edge = Math.min(n, width + 1);
  const head = await collect(samples, 0, edge);
  const tail = await collect(samples, n - edge, n);
  const sampleAt = (index: number): number => {
    const place = mode === "wrap" ? modulo(index, n) : reflected(index, n);
    return (place < edge ? head[place] : tail[place - (n - edge)]) ?? 0;
  };
  return {
    before: Float32Array.from({ length: width }, (_, i) => sampleAt(i - width)),
    after: Float32Array.from({ length: width }, (_, i) => sampleAt(n + i)),
  };
}

function modulo(index: number, n: number): number {
  return ((index % n) + n) % n;
}

/** The place that an index before or after n samples mirrors, the ends not doubled. */
function reflected(index: number, n: number): number {
  const period = Math.max(1, 2 * (n - 1));
  const place = modulo(index, period);
  return Math.min(place, period - place);
}
