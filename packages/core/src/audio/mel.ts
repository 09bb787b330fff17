/** One triangle of a mel filter bank: weights of the spectrum's bins from `start` on. */
export interface MelBand {
  readonly start: number;
  readonly weights: Float64Array;
}

/**
 * The mel filter bank of librosa.filters.mel (0.11): Slaney's mel scale and area normalisation, from 0 Hz to sr / 2.
 * @returns nMels bands over the n_fft / 2 + 1 bins of a power spectrum
 */
export function melFilterBank(sampleRateHz: number, nFft: number, nMels: number): MelBand[] {
  const bins = 1 + Math.floor(nFft / 2);
  const top = hzToMel(sampleRateHz / 2);
  const edges = Array.from({ length: nMels + 2 }, (_, i) => melToHz((top * i) / (nMels + 1)));
  return Array.from({ length: nMels }, (_, band) => {
    const [low = 0, centre = 0, high = 0] = edges.slice(band, band + 3);
    const area = 2 / (high - low); // Slaney: each triangle has unit area
    const weights = Array.from({ length: bins }, (__, bin) => {
      const frequencyHz = (bin * sampleRateHz) / nFft;
      const rise = (frequencyHz - low) / (centre - low);
      const fall = (high - frequencyHz) / (high - centre);
      return Math.fround(Math.max(0, Math.min(rise, fall)) * area);
    });
    const start = Math.max(
      0,
      weights.findIndex((weight) => weight > 0),
    );
    const end = weights.findLastIndex((weight) => weight > 0) + 1;
    return { start, weights: Float64Array.from(weights.slice(start, Math.max(start, end))) };
  });
}

const LINEAR_HZ_PER_MEL = 200 / 3;
const LOG_START_HZ = 1000;
const LOG_START_MEL = LOG_START_HZ / LINEAR_HZ_PER_MEL;
const LOG_STEP = Math.log(6.4) / 27;

/** Slaney's mel scale (Auditory Toolbox, 1998): linear below 1 kHz, logarithmic above. */
export function hzToMel(hz: number): number {
  return hz < LOG_START_HZ
    ? hz / LINEAR_HZ_PER_MEL
    : LOG_START_MEL + Math.log(hz / LOG_START_HZ) / LOG_STEP;
}

/** The inverse of {@link hzToMel}. */
export function melToHz(mel: number): number {
  return mel < LOG_START_MEL
    ? mel * LINEAR_HZ_PER_MEL
    : LOG_START_HZ * Math.exp(LOG_STEP * (mel - LOG_START_MEL));
}
