/**
 * Area under the ROC curve of `scores` (higher: more positive), in [0, 1]: the share of (positive, negative) pairs in which
 * the positive has the higher score, ties counted as half (Mann–Whitney U by mid-ranks). NaN without both classes.
 * `positive`: 1 or true where a row is of the positive class, [N].
 */
export function auroc(scores: ArrayLike<number>, positive: ArrayLike<number | boolean>): number {
  const order = Array.from(scores, (_, row) => row).toSorted((a, b) => scores[a]! - scores[b]!);
  let positives = 0;
  let rankSum = 0;
  for (let start = 0; start < order.length;) {
    let end = start + 1;
    while (end < order.length && scores[order[end]!] === scores[order[start]!]) end += 1;
    const inTie = order.slice(start, end).filter((row) => Boolean(positive[row])).length;
    rankSum += (inTie * (start + 1 + end)) / 2;
    positives += inTie;
    start = end;
  }
  const negatives = order.length - positives;
  return (rankSum - (positives * (positives + 1)) / 2) / (positives * negatives);
}
