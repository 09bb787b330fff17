/** Pitch classes: C, C#, … B. */
export const CHROMA_COUNT = 12;

/** A0, from which librosa counts semitones. */
const LOWEST_A_HZ = 440 / 16;
/** Where the bank weighs most, octaves above A0 (880 Hz), and the deviation of that bell, octaves. */
const CENTRE_OCTAVE = 5;
const OCTAVE_WIDTH = 2;
/** Rows from A, where librosa's formula starts, to C, where the result does. */
const A_TO_C = 3;
/** numpy.finfo(float32).tiny: what librosa.util.normalize leaves undivided lies below. */
const FLOAT32_TINY = 2 ** -126;

/**
 * How much each bin of a spectrum belongs to each pitch class: librosa.filters.chroma(sr=sr, n_fft=n_fft, tuning=0.0)
 * of librosa 0.11 (after Ellis, "Chroma feature analysis and synthesis", 2007): a Gaussian around the pitch class,
 * as wide as a bin or a semitone, unit length over the classes, under a bell over the octaves.
 * @returns CHROMA_COUNT rows from C to B, each [n_fft / 2 + 1]
 */
export function chromaFilterBank(sampleRateHz: number, nFft: number): Float32Array[] {
  const bins = 1 + Math.floor(nFft / 2);
  const rows = Array.from({ length: CHROMA_COUNT }, () => new Float32Array(bins));
  const semitone = (bin: number): number =>
    CHROMA_COUNT * Math.log2((bin * sampleRateHz) / nFft / LOWEST_A_HZ);
  for (let bin = 0; bin < bins; bin += 1) {
    // 0 Hz has no pitch: librosa puts it an octave and a half below the first bin.
    const pitch = bin === 0 ? semitone(1) - 1.5 * CHROMA_COUNT : semitone(bin);
    const width = Math.max(1, semitone(bin + 1) - pitch);
    for (const [i, weight] of pitchClassWeights(pitch, width).entries()) {
      const row = rows[(i + CHROMA_COUNT - A_TO_C) % CHROMA_COUNT];
      if (row !== undefined) row[bin] = weight;
    }
  }
  return rows;
}

/** The weights of one bin, from A on; `pitch` and `width` in semitones. */
function pitchClassWeights(pitch: number, width: number): number[] {
  const half = CHROMA_COUNT / 2;
  const weights = Array.from({ length: CHROMA_COUNT }, (_, i) => {
    const around = modulo(pitch - i + half, CHROMA_COUNT) - half;
    return Math.exp(-0.5 * ((2 * around) / width) ** 2);
  });
  const octavesOff = (pitch / CHROMA_COUNT - CENTRE_OCTAVE) / OCTAVE_WIDTH;
  const bell = Math.exp(-0.5 * octavesOff ** 2);
  const length = Math.hypot(...weights);
  return weights.map((weight) => (weight / length) * bell);
}

function modulo(a: number, n: number): number {
  return ((a % n) + n) % n;
}

/**
 * The pitch classes of a frame, the strongest 1: librosa.feature.chroma_stft(S=power, sr=sr, n_fft=n_fft, tuning=0.0).
 * librosa would estimate the tuning of an instrument from the clip; speech has none, and frames would then depend on
 * the rest of their clip: it is fixed at A = 440 Hz.
 * @returns a function that reads the power spectrum [n_fft / 2 + 1] and writes CHROMA_COUNT values in [0, 1], from C
 *   to B; all 0 when the frame is silent
 */
export function createChroma(
  sampleRateHz: number,
  nFft: number,
): (power: ArrayLike<number>, values: Float64Array) => void {
  const bank = chromaFilterBank(sampleRateHz, nFft);
  return (power, values) => {
    let strongest = 0;
    for (const [i, row] of bank.entries()) {
      let sum = 0;
      for (let bin = 0; bin < row.length; bin += 1) sum += (row[bin] ?? 0) * (power[bin] ?? 0);
      values[i] = sum;
      strongest = Math.max(strongest, sum);
    }
    if (strongest < FLOAT32_TINY) values.fill(0);
    else for (let i = 0; i < bank.length; i += 1) values[i] = (values[i] ?? 0) / strongest;
  };
}
