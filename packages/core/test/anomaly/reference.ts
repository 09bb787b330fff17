import { readFileSync } from "node:fs";
import type { Tree } from "@emotion-service/core/anomaly/tree";
import type { Matrix } from "@emotion-service/core/hdf5/file";

interface TreeJson {
  readonly feature: number[];
  readonly threshold: number[];
  readonly left: number[];
  readonly right: number[];
  readonly n_node_samples: number[];
}

/** A forest, and what it says of rows. */
interface ForestCase {
  readonly rows: number[][];
  readonly trees: TreeJson[];
  readonly max_samples: number;
  readonly offset: number;
  readonly score_samples: number[];
  readonly decision_function: number[];
}

interface Reference {
  readonly outliers: number;
  readonly rows: number[][];
  readonly max_samples: number;
  readonly contamination: number;
  readonly offset: number;
  readonly trees: TreeJson[];
  readonly score_samples: number[];
  readonly decision_function: number[];
  readonly seeds: number;
  readonly mean_scores: number[];
  readonly score_deviation: number[];
  readonly percentiles: number[];
  readonly mean_percentiles: number[];
  readonly percentile_deviations: number[];
  readonly auroc: number;
  readonly cases: Record<string, ForestCase>;
}

/** What scripts/reference/isolation_forest.py wrote. */
export const reference: Reference = JSON.parse(
  readFileSync(new URL("../reference/isolation_forest.json", import.meta.url), "utf8"),
);

export const referenceRows: Matrix = matrixOf(reference.rows);

export const referenceTrees: Tree[] = reference.trees.map(treeOf);

export function treeOf(tree: TreeJson): Tree {
  return {
    feature: Int32Array.from(tree.feature),
    threshold: Float64Array.from(tree.threshold),
    left: Int32Array.from(tree.left),
    right: Int32Array.from(tree.right),
    nNodeSamples: Int32Array.from(tree.n_node_samples),
  };
}

export function matrixOf(rows: readonly (readonly number[])[]): Matrix {
  return { data: Float32Array.from(rows.flat()), rows: rows.length, columns: rows[0]?.length ?? 0 };
}
