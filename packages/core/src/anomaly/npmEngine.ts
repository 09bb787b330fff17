import type { Matrix } from "../hdf5/file.ts";
import { rowsPerTree, type ForestOptions } from "./forest.ts";

/** What sets the npm package isolation-forest 0.0.9 apart, for whoever chooses it. */
export const NPM_ENGINE_LIMITS =
  "the npm package isolation-forest grows each tree on all rows, which stay in memory, takes no seed (scores change from run to run) and cannot be saved: no model file is written";

/**
 * Fits the npm package isolation-forest and returns its `score_samples` in scikit-learn's sign (in [-1, 0], lower is
 * stranger). `maxSamples` bounds its depth and normalises its scores alone; `randomState` has no effect.
 */
export async function fitNpmEngine(
  matrix: Matrix,
  options: ForestOptions,
): Promise<(rows: Matrix) => Float64Array> {
  const { IsolationForest } = await import("isolation-forest");
  const forest = new IsolationForest(
    options.nEstimators,
    rowsPerTree(matrix.rows, options.maxSamples),
  );
  forest.fit(rowViews(matrix));
  return (rows) => Float64Array.from(forest.predict(rowViews(rows)), (score) => -score);
}

type DataObject = Record<string, number>;

/** Rows as the package takes them, objects of numbers: views, since it only lists and reads their keys ("0", "1", …). */
function rowViews({ data, rows, columns }: Matrix): DataObject[] {
  return Array.from({ length: rows }, (_, row) => {
    const view: unknown = data.subarray(row * columns, (row + 1) * columns);
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- TypeScript gives typed arrays no string keys
    return view as DataObject;
  });
}
