import type { IsolationForest } from "./forest.ts";

/** A standardisation of rows: (x - mean) / scale, a value a column, [D]; scales are above 0. */
export interface Scaler {
  readonly mean: Float64Array;
  readonly scale: Float64Array;
}

/**
 * The forest that scores rows as they are, as `forest` scores them standardised: (x - mean) / scale <= t where x <= t · scale +
 * mean. scikit-learn rounds what it standardises to 32 bits, so that a value within that rounding of a threshold may fall on
 * its other side.
 */
export function scaleThresholds(forest: IsolationForest, { mean, scale }: Scaler): IsolationForest {
  const trees = forest.trees.map((tree) => ({
    ...tree,
    threshold: tree.threshold.map((threshold, node) => {
      const column = tree.feature[node]!;
      return column < 0 ? threshold : threshold * scale[column]! + mean[column]!;
    }),
  }));
  return { ...forest, trees };
}
