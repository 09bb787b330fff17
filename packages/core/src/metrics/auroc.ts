/**
 * Area under the ROC curve of `scores` (higher: more positive), in [0, 1]: the share of (positive, negative) pairs in which
 * the positive has the higher score, ties counted as half (Mann–Whitney U). NaN without both classes.
 * `positive`: 1 or true where a row is of the positive class, [N].
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>): number {
  const positives = scoresOf(scores, positive, true).sort();
  const negatives = scoresOf(scores, positive, false).sort();
  let won = 0;
  let below = 0; // negatives below the positive's score
  let upTo = 0; // negatives not above it
  for (const score of positives) {
    while (below < negatives.length && negatives[below]! < score) below += 1;
    while (upTo < negatives.length && negatives[upTo]! <= score) upTo += 1;
    won += (below + upTo) / 2;
  }
  return won / (positives.length * negatives.length);
}

/** The scores of one class; by a loop, since there may be millions and a filter would list them first. */
function scoresOf(
  scores: ArrayLike<number>,
  positive: ArrayLike<number | boolean>,
  wanted: boolean,
): Float64Array {
  const found = new Float64Array(scores.length);
  let count = 0;
  for (let row = 0; row < scores.length; row += 1)
    if (Boolean(positive[row]) === wanted) found[count++] = scores[row]!;
  return found.subarray(0, count);
}
