import { UserError } from "../errors.ts";

/** librosa.feature.spectral_contrast's defaults: below 200 Hz, five octaves from there, and the rest. */
const LOWEST_EDGE_HZ = 200;
const OCTAVES = 6;
const QUANTILE = 0.02;
const AMIN = 1e-10;
const TOP_DB = 80;

export const CONTRAST_BANDS = OCTAVES + 1;
/** What is measured of a frame: the peak of every band, then the valley of every band. */
export const CONTRAST_LEVELS = 2 * CONTRAST_BANDS;

/** The bins start … end - 1 of a spectrum, and how many of them make its peak and its valley. */
interface ContrastBand {
  readonly start: number;
  readonly end: number;
  readonly tail: number;
}

/**
 * Peak and valley of seven bands of a frame, the first half of librosa.feature.spectral_contrast(y=y, sr=sr,
 * n_fft=n_fft, hop_length=hop_length, pad_mode=pad_mode) of librosa 0.11 (Jiang et al., "Music type classification by spectral contrast
 * feature", 2002): the mean of the highest and of the lowest 2 % of the band's magnitudes, at least one.
 * {@link contrastOfLevels} is the second half.
 * @returns a function that reads the magnitudes |X| [n_fft / 2 + 1] and writes CONTRAST_LEVELS values,
 *   10·log10 of the magnitude (as librosa has it: half of what decibels of an amplitude are), at least -100
 * @throws UserError E_FLAG when the spectrum ends below the last band, or has no bin in one (librosa fails there)
 */
export function createContrastLevels(
  sampleRateHz: number,
  nFft: number,
): (magnitude: Float64Array, values: Float64Array) => void {
  const bands = contrastBands(sampleRateHz, nFft);
  const scratch = new Float64Array(1 + Math.floor(nFft / 2));
  return (magnitude, values) => {
    for (const [i, { start, end, tail }] of bands.entries()) {
      const sorted = scratch.subarray(0, end - start);
      sorted.set(magnitude.subarray(start, end));
      sorted.sort();
      values[i] = decibels(mean(sorted.subarray(-tail)));
      values[CONTRAST_BANDS + i] = decibels(mean(sorted.subarray(0, tail)));
    }
  };
}

function decibels(value: number): number {
  return 10 * Math.log10(Math.max(AMIN, value));
}

function mean(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum / values.length;
}

/**
 * Peak minus valley. Each of them is first raised to 80 below its greatest value of the clip, as librosa.power_to_db's
 * top_db has it, so that a frame depends on its clip: a silent frame has the contrast of the loudest levels.
 * @param levels [CONTRAST_LEVELS, frames] of {@link createContrastLevels}
 * @returns [CONTRAST_BANDS, frames]
 */
export function contrastOfLevels(levels: Float32Array): Float32Array {
  const half = levels.length / 2;
  const peaks = levels.subarray(0, half);
  const valleys = levels.subarray(half);
  const [peakFloor, valleyFloor] = [greatest(peaks) - TOP_DB, greatest(valleys) - TOP_DB];
  return peaks.map((peak, i) => Math.max(peak, peakFloor) - Math.max(valleys[i] ?? 0, valleyFloor));
}

function greatest(values: Float32Array): number {
  return values.reduce((a, b) => Math.max(a, b), -Infinity);
}

function contrastBands(sampleRateHz: number, nFft: number): ContrastBand[] {
  const binHz = 1 / (nFft * (1 / sampleRateHz)); // rounded as numpy.fft.rfftfreq does: bins fall on edges
  const hz = Array.from({ length: 1 + Math.floor(nFft / 2) }, (_, bin) => bin * binHz);
  requireBands(sampleRateHz, nFft, hz);
  return Array.from({ length: CONTRAST_BANDS }, (_, k) => {
    const low = k === 0 ? 0 : LOWEST_EDGE_HZ * 2 ** (k - 1);
    const high = k === OCTAVES ? Infinity : LOWEST_EDGE_HZ * 2 ** k;
    const first = hz.findIndex((frequency) => frequency >= low);
    const start = k === 0 ? first : first - 1;
    const last = hz.findLastIndex((frequency) => frequency <= high);
    const tail = Math.max(1, roundHalfToEven(QUANTILE * (last + 1 - start)));
    // Only the last band holds its last bin, though every band counts it.
    return { start, end: k === OCTAVES ? last + 1 : last, tail };
  });
}

function requireBands(sampleRateHz: number, nFft: number, hz: readonly number[]): void {
  const lastEdgeHz = LOWEST_EDGE_HZ * 2 ** (OCTAVES - 1);
  if (lastEdgeHz >= sampleRateHz / 2 || (hz.at(-1) ?? 0) < lastEdgeHz)
    throw new UserError(
      "E_FLAG",
      `spectralContrast: needs --sr above ${2 * lastEdgeHz} Hz for its seven bands, is ${sampleRateHz}`,
      { hint: "raise --sr, or leave spectralContrast out of --features" },
    );
  if ((hz[1] ?? Infinity) > LOWEST_EDGE_HZ)
    throw new UserError(
      "E_FLAG",
      `spectralContrast: needs --n_fft of at least ${Math.ceil(sampleRateHz / LOWEST_EDGE_HZ)} at ${sampleRateHz} Hz for its lowest band, is ${nFft}`,
      { hint: "raise --n_fft, or leave spectralContrast out of --features" },
    );
}

/** numpy.rint. */
function roundHalfToEven(value: number): number {
  const below = Math.floor(value);
  if (value - below !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
