/**
 * Softmax of rows of scores: exp(z / T) / Σ exp(z / T).
 * @param scores [rows, classes] row-major, before softmax
 * @param temperature T > 0, by which scores are divided first; above 1 makes probabilities more even (Guo et al. 2017)
 * @returns [rows, classes]
 */
export function softmaxRows(
  scores: ArrayLike<number>,
  classes: number,
  temperature = 1,
): Float32Array {
  const probabilities = new Float32Array(scores.length);
  const powers = new Float64Array(classes);
  for (let start = 0; start < scores.length; start += classes) {
    let largest = -Infinity;
    for (let k = 0; k < classes; k += 1) largest = Math.max(largest, scores[start + k] ?? NaN);
    let total = 0;
    for (let k = 0; k < classes; k += 1) {
      powers[k] = Math.exp(((scores[start + k] ?? NaN) - largest) / temperature);
      total += powers[k] ?? NaN;
    }
    for (let k = 0; k < classes; k += 1) probabilities[start + k] = (powers[k] ?? NaN) / total;
  }
  return probabilities;
}
