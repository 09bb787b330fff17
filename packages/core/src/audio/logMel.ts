import { createPowerSpectrum } from "./fft.ts";
import { melFilterBank } from "./mel.ts";
import { resample } from "./resample.ts";
import { trimSilence } from "./trim.ts";
import type { Sound } from "./wav.ts";

export const PAD_MODES = ["constant", "reflect", "wrap"] as const;

/** The settings of the features, named as the flags, the attributes and librosa name them. */
export interface LogMelConfig {
  /** Hz */
  readonly sr: number;
  /** samples */
  readonly n_fft: number;
  /** samples */
  readonly hop_length: number;
  readonly n_mels: number;
  /** seconds; 0: as long as the clip is */
  readonly fixed_duration: number;
  /** decibels below the loudest frame; 0: no trimming */
  readonly top_db: number;
  /** how the ends are padded so that frames are centred */
  readonly pad_mode: (typeof PAD_MODES)[number];
}

export const DEFAULT_LOG_MEL: LogMelConfig = {
  sr: 16_000,
  n_fft: 1024,
  hop_length: 512,
  n_mels: 64,
  fixed_duration: 3,
  top_db: 20,
  pad_mode: "constant",
};

export interface LogMel {
  /** dB in [-80, 0] below the loudest cell, [n_mels, frames] row-major. */
  readonly features: Float32Array;
  readonly frames: number;
  /** The clip holds only zeros: every cell is 0 dB, as librosa has it, and says nothing. */
  readonly silent: boolean;
}

const AMIN = 1e-10;
const TOP_DB = 80;

/** Frames of n samples padded by floor(n_fft / 2) at either end: an odd frame finds one place less. */
function frameCount(samples: number, { n_fft: nFft, hop_length: hop }: LogMelConfig): number {
  return 1 + Math.max(0, Math.floor((samples - (nFft % 2)) / hop));
}

function fixedSamples(config: LogMelConfig): number {
  return Math.round(config.fixed_duration * config.sr);
}

/**
 * The log-mel spectrogram of a sound, as librosa 0.11 makes it: resample, effects.trim, centre-crop or pad to the
 * fixed duration, divide by the peak, feature.melspectrogram, power_to_db(ref=max).
 */
export function createLogMelExtractor(config: LogMelConfig): (sound: Sound) => LogMel {
  const melSpectrogram = createMelSpectrogram(config);
  return (sound) => {
    const samples = prepareSamples(sound, config);
    return powerToDb(melSpectrogram(samples));
  };
}

function prepareSamples(sound: Sound, config: LogMelConfig): Float32Array {
  const resampled = resample(sound.samples, sound.sampleRateHz, config.sr);
  const trimmed = config.top_db > 0 ? trimSilence(resampled, config.top_db) : resampled;
  const fitted =
    config.fixed_duration > 0 ? cropOrPad(trimmed, fixedSamples(config)) : trimmed.slice();
  let peak = 0;
  for (const sample of fitted) peak = Math.max(peak, Math.abs(sample));
  const divisor = Math.fround(Math.max(peak, 1e-8));
  if (peak > 0) for (let i = 0; i < fitted.length; i += 1) fitted[i] = (fitted[i] ?? 0) / divisor;
  return fitted;
}

/** A copy of exactly n samples: the middle of a longer input, a shorter one between zeros. */
function cropOrPad(samples: Float32Array, n: number): Float32Array {
  const spare = samples.length - n;
  if (spare >= 0) return samples.slice(Math.floor(spare / 2), Math.floor(spare / 2) + n);
  const padded = new Float32Array(n);
  padded.set(samples, Math.floor(-spare / 2));
  return padded;
}

interface MelPower {
  /** [n_mels, frames] */
  readonly power: Float32Array;
  readonly frames: number;
}

/** librosa.feature.melspectrogram(power=2, center=True, window="hann"). */
function createMelSpectrogram(config: LogMelConfig): (samples: Float32Array) => MelPower {
  const { n_fft: nFft, hop_length: hop, n_mels: nMels } = config;
  const bands = melFilterBank(config.sr, nFft, nMels);
  const window = Float64Array.from({ length: nFft }, (_, i) =>
    Math.fround(0.5 - 0.5 * Math.cos((2 * Math.PI * i) / nFft)),
  );
  const powerSpectrum = createPowerSpectrum(nFft);
  const frame = new Float64Array(nFft);
  const spectrum = new Float64Array(1 + Math.floor(nFft / 2));
  return (samples) => {
    const frames = frameCount(samples.length, config);
    const power = new Float32Array(nMels * frames);
    for (let t = 0; t < frames; t += 1) {
      const start = t * hop - Math.floor(nFft / 2);
      for (let i = 0; i < nFft; i += 1)
        frame[i] = (window[i] ?? 0) * sampleAt(samples, start + i, config.pad_mode);
      powerSpectrum(frame, spectrum);
      for (const [band, { start: bin, weights }] of bands.entries()) {
        let sum = 0;
        for (let k = 0; k < weights.length; k += 1)
          sum += (weights[k] ?? 0) * (spectrum[bin + k] ?? 0);
        power[band * frames + t] = sum;
      }
    }
    return { power, frames };
  };
}

/** The sample at an index that may lie before or after the clip, as numpy.pad's mode has it. */
function sampleAt(samples: Float32Array, index: number, mode: LogMelConfig["pad_mode"]): number {
  const n = samples.length;
  if (index >= 0 && index < n) return samples[index] ?? 0;
  if (mode === "constant" || n === 0) return 0;
  if (mode === "wrap") return samples[((index % n) + n) % n] ?? 0;
  const period = Math.max(1, 2 * (n - 1));
  const place = ((index % period) + period) % period;
  return samples[Math.min(place, period - place)] ?? 0;
}

/** librosa.power_to_db(ref=np.max, amin=1e-10, top_db=80). */
function powerToDb({ power, frames }: MelPower): LogMel {
  let loudest = 0;
  for (const value of power) loudest = Math.max(loudest, value);
  const reference = 10 * Math.log10(Math.max(AMIN, loudest));
  const features = new Float32Array(power.length);
  for (let i = 0; i < power.length; i += 1)
    features[i] = Math.max(10 * Math.log10(Math.max(AMIN, power[i] ?? 0)) - reference, -TOP_DB);
  return { features, frames, silent: loudest === 0 };
}
