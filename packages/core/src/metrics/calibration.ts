/** What a classifier said of labelled rows. */
export interface ScoredRows {
  /** Before softmax, [N, C] row-major. */
  readonly logits: Float32Array;
  /** Class ids, [N] */
  readonly truth: Int32Array;
}

/** Rows whose confidence (the largest probability) is in (from, to]. */
export interface ReliabilityBin {
  readonly from: number;
  readonly to: number;
  readonly rows: number;
  /** The mean confidence, [0, 1]; null where there is no row. */
  readonly confidence: number | null;
  /** The share of rows predicted right, [0, 1]; null where there is no row. */
  readonly accuracy: number | null;
}

/** How well confidence and accuracy meet. */
export interface Calibration {
  /** Expected calibration error, [0, 1]: Σ rows of the bin / rows · |accuracy - confidence|. */
  readonly ece: number;
  /** Mean negative log likelihood of the truth, nats. */
  readonly nll: number;
  readonly bins: readonly ReliabilityBin[];
}

/** Bins of equal width over (0, 1], as Guo et al. 2017 have them. */
const BINS = 15;

/** A temperature beyond these would say that the rows say nothing of it, such as where all are predicted right. */
const COOLEST = 0.05;
const HOTTEST = 20;

/**
 * Reliability and expected calibration error of softmax(logits / temperature), by Guo, Pleiss, Sun and Weinberger, "On Calibration of
 * Modern Neural Networks", 2017, with 15 bins.
 * @param temperature above 0
 * @throws RangeError when a row has a score that is NaN
 */
export function calibrationOf(
  { logits, truth }: ScoredRows,
  classes: number,
  temperature = 1,
): Calibration {
  const bins = Array.from({ length: BINS }, () => ({ rows: 0, confidence: 0, right: 0 }));
  let nll = 0;
  for (const [row, id] of truth.entries()) {
    const scores = logits.subarray(row * classes, (row + 1) * classes);
    const largest = largestOf(scores);
    let total = 0;
    for (const score of scores) total += Math.exp((score - largest) / temperature);
    const confidence = 1 / total;
    const bin = bins[Math.min(BINS, Math.max(1, Math.ceil(confidence * BINS))) - 1];
    if (bin === undefined) throw new RangeError(`the scores of row ${row} must be numbers`);
    bin.rows += 1;
    bin.confidence += confidence;
    bin.right += Number(scores.indexOf(largest) === id);
    nll += Math.log(total) - ((scores[id] ?? NaN) - largest) / temperature;
  }
  const rows = Math.max(1, truth.length);
  const apart = bins.reduce((sum, bin) => sum + Math.abs(bin.right - bin.confidence), 0);
  return { ece: apart / rows, nll: nll / rows, bins: bins.map(reliabilityBin) };
}

function reliabilityBin(
  { rows, confidence, right }: { rows: number; confidence: number; right: number },
  place: number,
): ReliabilityBin {
  const mean = (sum: number): number | null => (rows > 0 ? sum / rows : null);
  return {
    from: place / BINS,
    to: (place + 1) / BINS,
    rows,
    confidence: mean(confidence),
    accuracy: mean(right),
  };
}

/**
 * The temperature T that makes softmax(logits / T) most likely of the truth (Guo et al. 2017), in [0.05, 20]. The likelihood is concave
 * in 1 / T: its derivative has one root at most, which bisection finds.
 * @returns 1 where there is no row
 */
export function fitTemperature({ logits, truth }: ScoredRows, classes: number): number {
  if (truth.length === 0) return 1;
  let [low, high] = [1 / HOTTEST, 1 / COOLEST];
  // 32 halvings of 20: 1 / T to 5e-9
  for (let i = 0; i < 32; i += 1) {
    const middle = (low + high) / 2;
    if (slopeAt(middle, logits, truth, classes) > 0) high = middle;
    else low = middle;
  }
  return 2 / (low + high);
}

/** Of the summed negative log likelihood by b = 1 / T: Σ (mean score under softmax(b · scores) - score of the truth). */
function slopeAt(b: number, logits: Float32Array, truth: Int32Array, classes: number): number {
  let slope = 0;
  for (let row = 0; row < truth.length; row += 1) {
    const start = row * classes;
    let largest = -Infinity;
    for (let at = start; at < start + classes; at += 1)
      largest = Math.max(largest, logits[at] ?? NaN);
    let [mean, total] = [0, 0];
    for (let at = start; at < start + classes; at += 1) {
      const power = Math.exp(b * ((logits[at] ?? NaN) - largest));
      total += power;
      mean += power * (logits[at] ?? NaN);
    }
    slope += mean / total - (logits[start + (truth[row] ?? 0)] ?? NaN);
  }
  return slope;
}

function largestOf(scores: Float32Array): number {
  let largest = -Infinity;
  for (const score of scores) largest = Math.max(largest, score);
  return largest;
}
