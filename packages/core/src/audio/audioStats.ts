import { createRequire } from "node:module";
import { type EncoderInfo, stableJson } from "../hdf5/encoder.ts";
import type { LogMelConfig } from "./logMelConfig.ts";

/** Raised when the functionals change, so that old embeddings are not mixed with new ones. */
const AUDIO_STATS_VERSION = 1;

/** meyda's spectral features, taken over the mel bands: frequencies are in bands, not in Hz. */
const SPECTRAL_FEATURES = [
  "spectralCentroid",
  "spectralSpread",
  "spectralSkewness",
  "spectralKurtosis",
  "spectralRolloff",
  "spectralFlatness",
  "spectralSlope",
  "spectralCrest",
] as const;

/** Functionals over time of a log-mel band or a spectral feature: mean, deviation, 10th, 50th and 90th percentile. */
const FUNCTIONALS = 5;
/** Functionals of a band's delta: mean of its magnitude, deviation. */
const DELTA_FUNCTIONALS = 2;
/** Half-width of the delta's regression, frames. */
const DELTA_WIDTH = 2;
/** A frame whose loudest band lies within this of the floor is padding. */
const FLOOR_DB = -80;
const FLOOR_MARGIN_DB = 0.01;

type SpectralExtractor = (input: {
  readonly ampSpectrum: Float32Array;
  readonly sampleRate: number;
  readonly bufferSize: number;
}) => number;

/** meyda's single extractors, which its types leave out. */
const { featureExtractors } = createRequire(import.meta.url)("meyda") as {
  featureExtractors: Record<(typeof SPECTRAL_FEATURES)[number], SpectralExtractor>;
};

/** What `audio_stats` is, for files and models. */
export function audioStatsEncoder(config: LogMelConfig): EncoderInfo {
  return {
    model: "audio_stats",
    weightsSha256: "none",
    featureConfig: stableJson({ audio: config, audio_stats_version: AUDIO_STATS_VERSION }),
    dim: audioStatsDim(config.n_mels),
  };
}

function audioStatsDim(nMels: number): number {
  // Each band and its delta; level and its delta; each spectral feature; the length.
  return (
    (nMels + 1) * (FUNCTIONALS + DELTA_FUNCTIONALS) + SPECTRAL_FEATURES.length * FUNCTIONALS + 1
  );
}

/**
 * Functionals over time of a log-mel spectrogram, its deltas, its level (mean over the bands) and meyda's spectral
 * features of the mel amplitude spectrum: one vector of fixed size, without weights. Frames of padding at either end
 * are left out.
 * @param features dB in [-80, 0], [n_mels, frames]
 * @param secondsPerFrame hop_length / sr
 * @returns [(n_mels + 1) · 7 + 8 · 5 + 1]
 */
export function audioStats(
  features: Float32Array,
  nMels: number,
  frames: number,
  secondsPerFrame: number,
): Float32Array {
  const { start, end } = activeFrames(features, nMels, frames);
  const values: number[] = [];
  const level = new Float64Array(end - start);
  for (let band = 0; band < nMels; band += 1) {
    const series = Float64Array.from(features.subarray(band * frames + start, band * frames + end));
    for (let t = 0; t < series.length; t += 1)
      level[t] = (level[t] ?? 0) + (series[t] ?? 0) / nMels;
    values.push(...functionals(series), ...deltaFunctionals(series));
  }
  values.push(...functionals(level), ...deltaFunctionals(level));
  for (const series of spectralSeries(features, nMels, frames, start, end))
    values.push(...functionals(series));
  values.push((end - start) * secondsPerFrame);
  return Float32Array.from(values);
}

/** The frames between the padding at either end; all of them when none is louder than the floor. */
function activeFrames(
  features: Float32Array,
  nMels: number,
  frames: number,
): { start: number; end: number } {
  const isActive = (t: number): boolean => {
    for (let band = 0; band < nMels; band += 1)
      if ((features[band * frames + t] ?? 0) > FLOOR_DB + FLOOR_MARGIN_DB) return true;
    return false;
  };
  let start = 0;
  while (start < frames && !isActive(start)) start += 1;
  if (start === frames) return { start: 0, end: frames };
  let end = frames;
  while (!isActive(end - 1)) end -= 1;
  return { start, end };
}

/** Each of SPECTRAL_FEATURES over the frames start … end; what is not a number (a flat frame's kurtosis) is 0. */
function spectralSeries(
  features: Float32Array,
  nMels: number,
  frames: number,
  start: number,
  end: number,
): Float64Array[] {
  const series = SPECTRAL_FEATURES.map(() => new Float64Array(end - start));
  const ampSpectrum = new Float32Array(nMels);
  // With this "rate" a bin is one band wide, so that frequencies come out in bands.
  const units = { sampleRate: 2 * (nMels - 1), bufferSize: 2 * (nMels - 1) };
  for (let t = start; t < end; t += 1) {
    for (let band = 0; band < nMels; band += 1)
      ampSpectrum[band] = 10 ** ((features[band * frames + t] ?? 0) / 20);
    for (const [i, name] of SPECTRAL_FEATURES.entries()) {
      const value = featureExtractors[name]({ ampSpectrum, ...units });
      const row = series[i];
      if (row !== undefined) row[t - start] = Number.isFinite(value) ? value : 0;
    }
  }
  return series;
}

function functionals(series: Float64Array): number[] {
  const sorted = series.toSorted();
  return [
    mean(series),
    deviation(series),
    percentile(sorted, 0.1),
    percentile(sorted, 0.5),
    percentile(sorted, 0.9),
  ];
}

function deltaFunctionals(series: Float64Array): number[] {
  const delta = series.map((_, t) => deltaAt(series, t));
  return [mean(delta.map(Math.abs)), deviation(delta)];
}

/** The regression slope around frame t (HTK's delta), with the ends repeated. */
function deltaAt(series: Float64Array, t: number): number {
  const at = (i: number): number => series[Math.max(0, Math.min(series.length - 1, i))] ?? 0;
  let sum = 0;
  let weight = 0;
  for (let k = 1; k <= DELTA_WIDTH; k += 1) {
    sum += k * (at(t + k) - at(t - k));
    weight += 2 * k * k;
  }
  return sum / weight;
}

function mean(series: Float64Array): number {
  return series.reduce((sum, value) => sum + value, 0) / series.length;
}

function deviation(series: Float64Array): number {
  const centre = mean(series);
  return Math.sqrt(series.reduce((sum, value) => sum + (value - centre) ** 2, 0) / series.length);
}

/** numpy.percentile's linear interpolation; `part` in [0, 1]. */
function percentile(sorted: Float64Array, part: number): number {
  const place = part * (sorted.length - 1);
  const below = Math.floor(place);
  const low = sorted[below] ?? 0;
  return low + (place - below) * ((sorted[below + 1] ?? low) - low);
}
