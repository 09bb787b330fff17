import {
  type Cell,
  escapeHtml,
  htmlFigure,
  htmlPage,
  htmlTable,
} from "@emotion-service/core/plot/htmlPage";
import type { Plots } from "./plots.ts";
import { type AnomalySummary, type SplitSummary, evaluationLine } from "./summary.ts";

/** The summary without the names of the files: the same rows and flags give the same bytes wherever they go. */
export type Findings = Omit<AnomalySummary, "files">;

/** A page that holds all it shows: settings, what was found in each file, evaluation, the strangest rows, both plots. */
export function reportHtml(findings: Findings, plots: Plots): string {
  const splits: [string, SplitSummary][] = [["train", findings.train]];
  if (findings.test !== undefined) splits.push(["test", findings.test]);
  const evaluated = splits.flatMap(([name, split]) => evaluationLine(name, split));
  return htmlPage(
    "Anomaly report",
    `<p>The score is −decision_function: higher is stranger, above 0 is an anomaly.</p>
${list(findings.notes)}
<h2>Rows</h2>
${htmlTable(
  "Rows of each split, and their scores",
  [
    "split",
    "rows",
    "without score",
    "image filled in",
    "audio filled in",
    "anomalies",
    "score min",
    "median",
    "max",
  ],
  splits.map(splitCells),
)}
<h2>Evaluation with labels</h2>
${evaluated.length === 0 ? "<p>Not asked for (--eval_with_labels).</p>" : list(evaluated)}
<h2>Scores</h2>
${htmlFigure(plots.histogram, "score_histogram", "Histogram of the anomaly scores with the threshold.")}
<h2>Rows on two principal components</h2>
${htmlFigure(plots.scatter, "pca_scatter", `Scatter of rows on two principal components. Axes found on ${findings.pca_rows} training rows, columns standardised.`)}
<h2>Strangest rows</h2>
${htmlTable(
  "The rows with the highest scores",
  ["path", "split", "score"],
  findings.strangest.map(({ score, split, path }) => [path, split, score.toFixed(4)]),
  2,
)}
<h2>Settings</h2>
${htmlTable("Settings of the forest", ["setting", "value"], settingsOf(findings), 2)}`,
  );
}

function splitCells([name, split]: [string, SplitSummary]): Cell[] {
  const scores = [split.score_min, split.score_median, split.score_max];
  return [
    name,
    split.rows,
    split.unscored,
    split.imputed_images,
    split.imputed_audio,
    split.anomalies,
    ...scores.map((score) => score.toFixed(4)),
  ];
}

function settingsOf(findings: Findings): Cell[][] {
  return [
    findings.imported_from === undefined
      ? ["engine", findings.engine]
      : ["fitted by", findings.imported_from],
    ["modalities", findings.modalities.join(", ")],
    ["features", findings.n_features],
    ["n_estimators", findings.n_estimators],
    ["max_samples", findings.max_samples],
    ["contamination", findings.contamination],
    ["offset of score_samples", findings.offset],
    ["random_state", findings.seed ?? "none"],
  ];
}

function list(lines: readonly string[]): string {
  if (lines.length === 0) return "";
  return `<ul>\n${lines.map((line) => `<li>${escapeHtml(line)}</li>`).join("\n")}\n</ul>`;
}
