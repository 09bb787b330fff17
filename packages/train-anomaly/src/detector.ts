import {
  type ForestOptions,
  type IsolationForest,
  type TreePlan,
  drawSamples,
  growForest,
  rowsPerTree,
  thresholdOf,
} from "@emotion-service/core/anomaly/forest";
import { fitNpmEngine } from "@emotion-service/core/anomaly/npmEngine";
import { drawPcaRows } from "@emotion-service/core/anomaly/pca";
import { createScorer } from "@emotion-service/core/anomaly/scorer";
import { UserError } from "@emotion-service/core/errors";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import type { Imported } from "./importDetector.ts";
import { type ReadOptions, readAll, surveyRows } from "./readRows.ts";
import type { Source } from "./rows.ts";

export type Engine = "native" | "isolation-forest";

/** A fitted engine. */
export interface Detector {
  /** `score_samples` of each row of a source, [N]: lower is stranger; NaN where there is nothing to score. */
  scoreSamples(source: Source, options: ReadOptions): Promise<Float64Array>;
  readonly maxSamples: number;
  /** What a missing modality is filled with, [D]. */
  readonly means: Float32Array;
  /** Training rows to find principal axes on: all, or a seeded sample, [S, D]. */
  readonly sample: Matrix;
  /** What can be saved, its offset still open if it was fitted here; absent with the npm engine. */
  readonly forest?: IsolationForest;
  /** Of a forest that was not fitted here. */
  readonly imported?: Imported;
}

/** The most rows of all trees together: the nodes of more do not fit in a JSON file. */
const MOST_TREE_ROWS = 5_000_000;

/** Fits an engine in one pass over the training rows, of which those are held that it is fitted on. */
export async function fitDetector(
  engine: Engine,
  train: Source,
  options: ForestOptions,
  reading: ReadOptions,
): Promise<Detector> {
  const rows = train.scorable.length;
  if (engine === "native") requireSavable(rows, options);
  const plans = engine === "native" ? drawSamples(rows, options) : undefined;
  const pcaRows = drawPcaRows(rows);
  const wanted = plans === undefined ? train.scorable : union(train.scorable, plans, pcaRows);
  const survey = await surveyRows(train, wanted, reading);
  const placeOf = (row: number): number => lowerBound(wanted, train.scorable[row] ?? 0);
  const sample = pickRows(survey.rows, pcaRows.map(placeOf));
  const { means } = survey;
  const common = { means, sample, maxSamples: rowsPerTree(rows, options.maxSamples) };
  if (plans === undefined) {
    const npmScores = await fitNpmEngine(survey.rows, options);
    return {
      ...common,
      scoreSamples: (source, reads) => scoreSource(source, means, npmScores, reads),
    };
  }
  for (const { samples } of plans)
    for (const [i, row] of samples.entries()) samples[i] = placeOf(row);
  const forest = growForest(survey.rows, plans, options.contamination);
  return {
    ...common,
    forest,
    scoreSamples: (source, reads) => scoreByForest(source, means, forest, reads),
  };
}

/** `score_samples` of each row of a source by a forest, as {@link Detector} has them. */
export async function scoreByForest(
  source: Source,
  means: Float32Array,
  forest: IsolationForest,
  options: ReadOptions,
): Promise<Float64Array> {
  const scorer = createScorer(forest);
  try {
    return await scoreSource(source, means, scorer.scoreSamples, options);
  } finally {
    scorer.dispose();
  }
}

function requireSavable(rows: number, { nEstimators, maxSamples }: ForestOptions): void {
  const perTree = rowsPerTree(rows, maxSamples);
  if (nEstimators * perTree <= MOST_TREE_ROWS) return;
  throw new UserError(
    "E_FLAG",
    `--max_samples ${maxSamples}: ${nEstimators} trees on ${perTree} rows each must be at most ${MOST_TREE_ROWS} rows together, are ${nEstimators * perTree}`,
    { hint: "256 rows a tree are enough for most data; give a smaller --max_samples" },
  );
}

/** The rows of the file that the trees or the axes need, ascending; plans and `pcaRows` count in scorable rows. */
function union(scorable: Int32Array, plans: readonly TreePlan[], pcaRows: Int32Array): Int32Array {
  const isWanted = new Uint8Array(scorable.length);
  for (const rows of [pcaRows, ...plans.map(({ samples }) => samples)])
    for (const row of rows) isWanted[row] = 1;
  return scorable.filter((_, row) => isWanted[row] === 1);
}

/** The place of a value in ascending numbers. */
function lowerBound(sorted: Int32Array, value: number): number {
  let [low, high] = [0, sorted.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if ((sorted[middle] ?? 0) < value) low = middle + 1;
    else high = middle;
  }
  return low;
}

function pickRows({ data, columns }: Matrix, rows: Int32Array): Matrix {
  const picked = new Float32Array(rows.length * columns);
  for (const [to, from] of rows.entries())
    picked.set(data.subarray(from * columns, (from + 1) * columns), to * columns);
  return { data: picked, rows: rows.length, columns };
}

async function scoreSource(
  source: Source,
  means: Float32Array,
  scoreBlock: (matrix: Matrix) => Float64Array,
  options: ReadOptions,
): Promise<Float64Array> {
  const all = new Float64Array(source.index.rows);
  for await (const { start, matrix } of readAll(source, means, options))
    all.set(scoreBlock(matrix), start);
  const scores = new Float64Array(all.length).fill(NaN);
  for (const row of source.scorable) scores[row] = all[row] ?? NaN;
  return scores;
}

/** Scores of the rows of one source. */
export interface Scored {
  /** offset - `score_samples` (the negative of scikit-learn's decision function), [N]: higher is stranger; NaN: not scored. */
  readonly scores: Float64Array;
  /** 1 where the score is above 0, [N]. */
  readonly anomaly: Uint8Array;
}

/** The threshold on `score_samples`, from those of the training rows. */
export function offsetOf(
  { contamination }: ForestOptions,
  { scorable }: Source,
  trainingScores: Float64Array,
): number {
  return thresholdOf(contamination, () => valuesAt(trainingScores, scorable));
}

/** The values of some rows; by a loop, since there may be millions and `from` would list them first. */
export function valuesAt(values: Float64Array, rows: Int32Array): Float64Array {
  const found = new Float64Array(rows.length);
  for (let i = 0; i < rows.length; i += 1) found[i] = values[rows[i]!]!;
  return found;
}

export function flagAnomalies(samples: Float64Array, offset: number): Scored {
  const scores = samples.map((score) => offset - score);
  const anomaly = new Uint8Array(scores.length);
  for (let row = 0; row < scores.length; row += 1) anomaly[row] = Number(scores[row]! > 0);
  return { scores, anomaly };
}
