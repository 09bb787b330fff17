/** How well predictions meet the truth. */
export interface ClassificationMetrics {
  readonly rows: number;
  /** Share of rows predicted right, [0, 1]. */
  readonly accuracy: number;
  /**
   * Unweighted average recall (macro recall): the mean over the classes that occur, [0, 1], as
   * sklearn.metrics.balanced_accuracy_score. recall_score(average="macro") counts a class that is only predicted as 0.
   */
  readonly uar: number;
  /** The mean F1 over the classes that occur or are predicted, as sklearn.metrics.f1_score(average="macro"). */
  readonly macro_f1: number;
  /** class → share of its rows predicted right; null where the class does not occur */
  readonly recall: Readonly<Record<string, number | null>>;
  /** class → share of the rows predicted as it that are of it; null where it is never predicted */
  readonly precision: Readonly<Record<string, number | null>>;
  /** class → harmonic mean of both; null where the class neither occurs nor is predicted */
  readonly f1: Readonly<Record<string, number | null>>;
  /** [true class, predicted class] rows, in the order of the classes */
  readonly confusion: readonly (readonly number[])[];
}

/**
 * @param truth class ids, [N]
 * @param predicted class ids, [N]
 * @throws RangeError on a class id that `classes` does not have
 */
export function classificationMetrics(
  truth: ArrayLike<number>,
  predicted: ArrayLike<number>,
  classes: readonly string[],
): ClassificationMetrics {
  const confusion = classes.map(() => classes.map(() => 0));
  for (let i = 0; i < truth.length; i += 1) {
    const row = confusion[truth[i] ?? -1];
    const column = predicted[i] ?? -1;
    if (row?.[column] === undefined)
      throw new RangeError(`class ids must be below ${classes.length}, got ${truth[i]}, ${column}`);
    row[column] += 1;
  }
  const right = classes.map((_, k) => confusion[k]?.[k] ?? 0);
  const occurs = confusion.map((row) => row.reduce((a, b) => a + b, 0));
  const guessed = classes.map((_, k) => confusion.reduce((sum, row) => sum + (row[k] ?? 0), 0));
  const shares = (of: readonly number[]): (number | null)[] =>
    right.map((hits, k) => ((of[k] ?? 0) > 0 ? hits / (of[k] ?? 1) : null));
  const recalls = shares(occurs);
  const f1 = right.map((hits, k) => {
    const total = (occurs[k] ?? 0) + (guessed[k] ?? 0);
    return total > 0 ? (2 * hits) / total : null;
  });
  return {
    rows: truth.length,
    accuracy: truth.length > 0 ? right.reduce((a, b) => a + b, 0) / truth.length : 0,
    uar: meanOfNumbers(recalls),
    macro_f1: meanOfNumbers(f1),
    recall: byClass(classes, recalls),
    precision: byClass(classes, shares(guessed)),
    f1: byClass(classes, f1),
    confusion,
  };
}

function byClass(
  classes: readonly string[],
  values: readonly (number | null)[],
): Record<string, number | null> {
  return Object.fromEntries(classes.map((name, k) => [name, values[k] ?? null]));
}

function meanOfNumbers(values: readonly (number | null)[]): number {
  const numbers = values.filter((value) => value !== null);
  return numbers.length > 0 ? numbers.reduce((a, b) => a + b, 0) / numbers.length : 0;
}
