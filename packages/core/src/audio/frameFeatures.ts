import { CHROMA_COUNT, createChroma } from "./chroma.ts";
import type { LogMelConfig } from "./logMelConfig.ts";
import { MFCC_COUNT } from "./mfcc.ts";
import {
  CONTRAST_BANDS,
  CONTRAST_LEVELS,
  contrastOfLevels,
  createContrastLevels,
} from "./spectralContrast.ts";

/**
 * The features of a frame beside the log-mel, as flags and datasets name them. Each is librosa 0.11's of that name
 * (spectralCentroid: spectral_centroid) with librosa's defaults, from the same samples y and the same frames as the log-mel.
 * The docstrings name the call that gives the same numbers; pad_mode "wrap", which librosa refuses for spectra, is
 * numpy.pad(y, n_fft // 2, mode="wrap") before a call with center=False.
 */
export const FRAME_FEATURES = [
  "mfcc",
  "chroma",
  "rms",
  "zcr",
  "spectralCentroid",
  "spectralBandwidth",
  "spectralRolloff",
  "spectralFlatness",
  "spectralContrast",
] as const;

export type FrameFeature = (typeof FRAME_FEATURES)[number];

const ROWS: Readonly<Record<FrameFeature, number>> = {
  mfcc: MFCC_COUNT,
  chroma: CHROMA_COUNT,
  rms: 1,
  zcr: 1,
  spectralCentroid: 1,
  spectralBandwidth: 1,
  spectralRolloff: 1,
  spectralFlatness: 1,
  spectralContrast: CONTRAST_BANDS,
};

/** Values a frame of a feature, the first axis of its [rows, frames]; mfcc has at most as many as there are mel bands. */
export function rowsOf(feature: FrameFeature, config: Pick<LogMelConfig, "n_mels">): number {
  return feature === "mfcc" ? Math.min(ROWS.mfcc, config.n_mels) : ROWS[feature];
}

/** A frame of a clip of peak-normalised samples. */
export interface Frame {
  /** [n_fft], padded by pad_mode, not windowed */
  readonly samples: ArrayLike<number>;
  /** where the first of them lies in the clip; negative in the padding before it */
  readonly start: number;
  /** samples of the whole clip */
  readonly clipLength: number;
  /** |X|² of the Hann-windowed samples, [n_fft / 2 + 1] */
  readonly power: ArrayLike<number>;
}

/** Measures the frames of one clip, in any order. */
export interface ClipMeter {
  /** Measures frame t; keeps nothing of what it was given. */
  readonly measure: (t: number, frame: Frame) => void;
  /** Each feature, [rows, frames] row-major, once all frames are measured. */
  readonly finish: () => ReadonlyMap<MeasuredFeature, Float32Array>;
}

/** All but mfcc, which comes from the finished log-mel. */
export type MeasuredFeature = Exclude<FrameFeature, "mfcc">;

/**
 * What measures these features, mfcc left out, of clips in frames of `config.n_fft` samples. A clip takes the memory
 * of its results (twice that for spectralContrast), whatever its length in samples.
 * @returns starts a clip of that many frames
 * @throws UserError E_FLAG when spectralContrast cannot be had with these settings
 */
export function createFrameMeter(
  features: readonly FrameFeature[],
  config: LogMelConfig,
): (frames: number) => ClipMeter {
  const measures = features
    .filter((name) => name !== "mfcc")
    .map((name) => ({
      name,
      values: new Float64Array(measuredRows(name)),
      measure: MEASURES[name](config),
    }));
  const magnitude = new Float64Array(1 + Math.floor(config.n_fft / 2));
  return (frames) => {
    const kept = measures.map((each) => ({
      ...each,
      cells: new Float32Array(each.values.length * frames),
    }));
    return {
      measure: (t, frame) => {
        for (let k = 0; k < magnitude.length; k += 1) magnitude[k] = Math.sqrt(frame.power[k] ?? 0);
        const measured = { ...frame, magnitude };
        for (const { measure, values, cells } of kept) {
          measure(measured, values);
          for (const [row, value] of values.entries()) cells[row * frames + t] = value;
        }
      },
      finish: () =>
        new Map(
          kept.map(({ name, cells }) => [
            name,
            name === "spectralContrast" ? contrastOfLevels(cells) : cells,
          ]),
        ),
    };
  };
}

/** Values a frame as they are measured, before the clip is finished. */
function measuredRows(name: MeasuredFeature): number {
  return name === "spectralContrast" ? CONTRAST_LEVELS : ROWS[name];
}

interface MeasuredFrame extends Frame {
  /** |X|, [n_fft / 2 + 1] */
  readonly magnitude: Float64Array;
}

/** Writes a frame's values, one a row. */
type Measure = (frame: MeasuredFrame, values: Float64Array) => void;

const MEASURES: Readonly<Record<MeasuredFeature, (config: LogMelConfig) => Measure>> = {
  chroma: (config) => {
    const chroma = createChroma(config.sr, config.n_fft);
    return ({ power }, values) => chroma(power, values);
  },
  rms: () => single(({ samples }) => rms(samples)),
  zcr: () => single(zeroCrossingRate),
  spectralCentroid: (config) => single(({ magnitude }) => centroid(magnitude, binHz(config))),
  spectralBandwidth: (config) => single(({ magnitude }) => bandwidth(magnitude, binHz(config))),
  spectralRolloff: (config) => single(({ magnitude }) => rolloff(magnitude, binHz(config))),
  spectralFlatness: () => single(({ power }) => flatness(power)),
  spectralContrast: (config) => {
    const levels = createContrastLevels(config.sr, config.n_fft);
    return ({ magnitude }, values) => levels(magnitude, values);
  },
};

function single(of: (frame: MeasuredFrame) => number): Measure {
  return (frame, values) => {
    values[0] = of(frame);
  };
}

function binHz({ sr, n_fft: nFft }: LogMelConfig): number {
  return sr / nFft;
}

/**
 * Root mean square of the samples, in [0, 1]:
 * librosa.feature.rms(y=y, frame_length=n_fft, hop_length=hop_length, pad_mode=pad_mode).
 */
function rms(samples: ArrayLike<number>): number {
  let sum = 0;
  for (let i = 0; i < samples.length; i += 1) sum += (samples[i] ?? 0) ** 2;
  return Math.sqrt(sum / samples.length);
}

/** A sample as near to 0 as this is 0 to librosa.zero_crossings. */
const ZERO_THRESHOLD = Math.fround(1e-10);

/**
 * Sign changes a sample, in [0, 1], 0 counting as positive:
 * librosa.feature.zero_crossing_rate(y, frame_length=n_fft, hop_length=hop_length). librosa repeats the clip's end
 * samples here, whatever pad_mode is: only neighbours that both lie in the clip can differ in sign.
 */
function zeroCrossingRate({ samples, start, clipLength }: Frame): number {
  const from = Math.max(0, -start);
  const to = Math.min(samples.length, clipLength - start);
  let crossings = 0;
  for (let i = from + 1; i < to; i += 1)
    if (isNegative(samples[i]) !== isNegative(samples[i - 1])) crossings += 1;
  return crossings / samples.length;
}

function isNegative(sample = 0): boolean {
  return sample < -ZERO_THRESHOLD;
}

/** numpy.finfo(float32).tiny: what librosa.util.normalize leaves undivided sums to less. */
const FLOAT32_TINY = 2 ** -126;

/**
 * Mean frequency, weighted by magnitude, Hz; 0 when the frame is silent:
 * librosa.feature.spectral_centroid(y=y, sr=sr, n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode).
 */
function centroid(magnitude: Float64Array, hzPerBin: number): number {
  let [sum, weighted] = [0, 0];
  for (let k = 0; k < magnitude.length; k += 1) {
    sum += magnitude[k] ?? 0;
    weighted += (magnitude[k] ?? 0) * k;
  }
  return sum < FLOAT32_TINY ? 0 : (hzPerBin * weighted) / sum;
}

/**
 * Deviation of frequency from the centroid, weighted by magnitude, Hz; 0 when the frame is silent:
 * librosa.feature.spectral_bandwidth(y=y, sr=sr, n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode).
 */
function bandwidth(magnitude: Float64Array, hzPerBin: number): number {
  const centre = centroid(magnitude, 1);
  let [sum, weighted] = [0, 0];
  for (let k = 0; k < magnitude.length; k += 1) {
    sum += magnitude[k] ?? 0;
    weighted += (magnitude[k] ?? 0) * (k - centre) ** 2;
  }
  return sum < FLOAT32_TINY ? 0 : hzPerBin * Math.sqrt(weighted / sum);
}

const ROLLOFF = 0.85;

/**
 * The lowest frequency up to which lies 85 % of the sum of magnitudes, Hz; 0 when the frame is silent:
 * librosa.feature.spectral_rolloff(y=y, sr=sr, n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode).
 */
function rolloff(magnitude: Float64Array, hzPerBin: number): number {
  const threshold = ROLLOFF * magnitude.reduce((a, b) => a + b, 0);
  let [k, sum] = [0, magnitude[0] ?? 0];
  while (sum < threshold && k + 1 < magnitude.length) {
    k += 1;
    sum += magnitude[k] ?? 0;
  }
  return hzPerBin * k;
}

/** spectral_flatness's amin: a bin's power is at least this. */
const LEAST_POWER = 1e-10;

/**
 * Geometric over arithmetic mean of the power spectrum, in (0, 1]: 0 for a tone, 1 for white noise of equal bins, and
 * for silence: librosa.feature.spectral_flatness(y=y, n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode).
 */
function flatness(power: ArrayLike<number>): number {
  let [sum, logSum] = [0, 0];
  for (let k = 0; k < power.length; k += 1) {
    const value = Math.max(LEAST_POWER, power[k] ?? 0);
    sum += value;
    logSum += Math.log(value);
  }
  return Math.exp(logSum / power.length) / (sum / power.length);
}
