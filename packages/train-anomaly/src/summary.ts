import type { Contamination } from "@emotion-service/core/anomaly/forest";
import { table } from "@emotion-service/core/cli/table";
import { pathOfRow } from "@emotion-service/core/hdf5/pairedIndex";
import type { Modality } from "@emotion-service/core/model/fusion";
import { type Engine, type Scored, valuesAt } from "./detector.ts";
import type { Evaluation } from "./evaluate.ts";
import type { Source } from "./rows.ts";

/** What was found in one file. */
export interface SplitSummary {
  readonly rows: number;
  /** Rows that have none of the modalities: they have no score. */
  readonly unscored: number;
  /** Scored rows without that modality: filled with the training mean. */
  readonly imputed_images: number;
  readonly imputed_audio: number;
  readonly anomalies: number;
  /** Anomaly scores, least, middle and greatest. */
  readonly score_min: number;
  readonly score_median: number;
  readonly score_max: number;
  readonly evaluation?: Evaluation;
}

/** A row and its score. */
export interface ScoreRow {
  readonly split: Source["split"];
  readonly path: string;
  /** Higher is stranger; above 0: an anomaly. */
  readonly score: number;
  readonly anomaly: number;
}

/** What `--json` prints. */
export interface AnomalySummary {
  readonly engine: Engine;
  /** With --import: what fitted the forest, such as "scikit-learn 1.6.1". */
  readonly imported_from?: string;
  readonly n_estimators: number;
  readonly max_samples: number;
  readonly contamination: Contamination;
  /** Threshold on `score_samples`, in [-1, 0]. */
  readonly offset: number;
  /** null: the engine takes none, or an imported forest does not say. */
  readonly seed: number | null;
  /** What a row is made of. */
  readonly modalities: readonly Modality[];
  readonly n_features: number;
  readonly train: SplitSummary;
  readonly test?: SplitSummary;
  readonly explained_variance_ratio: readonly [number, number];
  /** Training rows that the PCA axes were found on. */
  readonly pca_rows: number;
  /** The rows with the highest scores, highest first. */
  readonly strangest: readonly ScoreRow[];
  readonly notes: readonly string[];
  readonly files: readonly string[];
}

/** Rows that are listed. */
const STRANGEST = 10;

export function summariseSplit(
  { index, parts, scorable }: Source,
  { scores, anomaly }: Scored,
  evaluation: Evaluation | undefined,
): SplitSummary {
  const sorted = valuesAt(scores, scorable).sort();
  const imputed = (wanted: Modality): number => {
    const part = parts.find(([modality]) => modality === wanted)?.[1];
    return part === undefined ? 0 : scorable.reduce((n, row) => n + 1 - part.present[row]!, 0);
  };
  return {
    rows: index.rows,
    unscored: index.rows - scorable.length,
    imputed_images: imputed("image"),
    imputed_audio: imputed("audio"),
    anomalies: anomaly.reduce((sum, flag) => sum + flag, 0),
    score_min: sorted[0]!,
    score_median: sorted[Math.floor((sorted.length - 1) / 2)]!,
    score_max: sorted.at(-1)!,
    ...(evaluation === undefined ? {} : { evaluation }),
  };
}

/** Rows by the greatest score, at most `count`, greatest first, ties by their order. */
export function highestRows(rows: Int32Array, scores: Float64Array, count: number): number[] {
  const byScore = (a: number, b: number): number => scores[b]! - scores[a]! || a - b;
  const sorted = valuesAt(scores, rows).sort();
  const least = sorted.at(-count) ?? -Infinity;
  return Array.from(rows.filter((row) => scores[row]! >= least))
    .toSorted(byScore)
    .slice(0, count);
}

/** The rows of all sources with the highest scores, ties by their order. */
export async function strangestRows(
  parts: readonly (Scored & { readonly source: Source })[],
): Promise<ScoreRow[]> {
  const candidates = parts.flatMap(({ source, scores, anomaly }) =>
    highestRows(source.scorable, scores, STRANGEST).map((row) => ({
      source,
      row,
      score: scores[row]!,
      anomaly: anomaly[row]!,
    })),
  );
  const strangest = candidates.toSorted((a, b) => b.score - a.score).slice(0, STRANGEST);
  return Promise.all(
    strangest.map(async ({ source, row, score, anomaly }) => ({
      split: source.split,
      path: await pathOfRow(source.index, row),
      score,
      anomaly,
    })),
  );
}

/** The summary as text. */
export function formatSummary(summary: AnomalySummary): string {
  const { train, test } = summary;
  const splits: [string, SplitSummary][] = [["train", train]];
  if (test !== undefined) splits.push(["test", test]);
  return [
    headline(summary),
    `threshold: offset ${summary.offset.toFixed(4)}, contamination ${summary.contamination}`,
    ...summary.notes.map((note) => `note: ${note}`),
    "",
    table([
      ["split", "rows", "anomalies", "share", "score min", "median", "max"],
      ...splits.map(([name, split]) => splitLine(name, split)),
    ]),
    "",
    ...splits.flatMap(([name, split]) => [
      ...imputedLine(name, split),
      ...evaluationLine(name, split),
    ]),
    "strangest rows (higher is stranger, above 0 is an anomaly):",
    ...summary.strangest.map(
      ({ split, path, score }) => `  ${score.toFixed(4)}  ${split}  ${path}`,
    ),
    `Wrote ${summary.files.join(", ")}`,
  ].join("\n");
}

function headline(summary: AnomalySummary): string {
  const { imported_from: origin, n_estimators: trees, max_samples: rows, train } = summary;
  const [kind, drawn] =
    origin === undefined
      ? [summary.engine, `${rows} of ${train.rows - train.unscored}`]
      : [`of ${origin}`, rows];
  return `Isolation forest (${kind}): ${trees} trees on ${drawn} rows each, ${summary.n_features} features (${summary.modalities.join(", ")})`;
}

function splitLine(name: string, split: SplitSummary): (string | number)[] {
  const scores = [split.score_min, split.score_median, split.score_max];
  const share = `${((100 * split.anomalies) / (split.rows - split.unscored)).toFixed(1)} %`;
  return [name, split.rows, split.anomalies, share, ...scores.map((score) => score.toFixed(4))];
}

function imputedLine(name: string, split: SplitSummary): string[] {
  const { imputed_images: images, imputed_audio: audio, unscored } = split;
  return [
    ...(images + audio === 0
      ? []
      : [
          `${name}: filled with the training mean: ${images} rows without an image, ${audio} without audio`,
        ]),
    ...(unscored === 0 ? [] : [`${name}: ${unscored} rows have none of the modalities: no score`]),
  ];
}

export function evaluationLine(name: string, { evaluation }: SplitSummary): string[] {
  if (evaluation === undefined) return [];
  if (evaluation.labels === "not binary") return [`${name}: not evaluated: ${evaluation.reason}`];
  const { auroc, precision, recall, positives } = evaluation;
  const precisionText = precision === null ? "undefined (no row flagged)" : precision.toFixed(3);
  return [
    `${name}: AUROC ${auroc.toFixed(3)}, precision ${precisionText}, recall ${recall.toFixed(3)} of ${positives} labelled 1`,
  ];
}
