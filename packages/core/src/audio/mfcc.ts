/** librosa.feature.mfcc's default number of coefficients; there are never more than mel bands. */
export const MFCC_COUNT = 20;

/**
 * Mel-frequency cepstral coefficients: the orthonormal DCT-II over the mel bands of each frame's decibels, its first
 * `nMfcc` rows, as librosa.feature.mfcc(S=log_mel, n_mfcc=20) of librosa 0.11 has them. librosa makes them of the
 * log-mel spectrogram that is stored (decibels below the clip's loudest cell), so that they can be had again from a file.
 * @param logMel dB, [nMels, frames] row-major
 * @returns [min(nMfcc, nMels), frames] row-major
 */
export function mfcc(
  logMel: Float32Array,
  nMels: number,
  frames: number,
  nMfcc = MFCC_COUNT,
): Float32Array {
  const rows = Math.min(nMfcc, nMels);
  const coefficients = new Float32Array(rows * frames);
  const row = new Float64Array(frames);
  for (let k = 0; k < rows; k += 1) {
    row.fill(0);
    for (let band = 0; band < nMels; band += 1) {
      const weight = dctWeight(k, band, nMels);
      for (let t = 0; t < frames; t += 1)
        row[t] = (row[t] ?? 0) + weight * (logMel[band * frames + t] ?? 0);
    }
    coefficients.set(row, k * frames);
  }
  return coefficients;
}

/** Row k, column i of the orthonormal DCT-II matrix of n points (scipy.fft.dct(type=2, norm="ortho")). */
function dctWeight(k: number, i: number, n: number): number {
  return Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos((Math.PI * k * (2 * i + 1)) / (2 * n));
}
