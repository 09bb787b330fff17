import type { Plots } from "./plots.ts";
import { type AnomalySummary, type SplitSummary, evaluationLine } from "./summary.ts";

/** The summary without the names of the files: the same rows and flags give the same bytes wherever they go. */
export type Findings = Omit<AnomalySummary, "files">;

/** A page that holds all it shows: settings, what was found in each file, evaluation, the strangest rows, both plots. */
export function reportHtml(findings: Findings, plots: Plots): string {
  const splits: [string, SplitSummary][] = [["train", findings.train]];
  if (findings.test !== undefined) splits.push(["test", findings.test]);
  const evaluated = splits.flatMap(([name, split]) => evaluationLine(name, split));
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Anomaly report</title>
<style>${STYLE}</style>
</head>
<body>
<h1>Anomaly report</h1>
<p>The score is −decision_function: higher is stranger, above 0 is an anomaly.</p>
${list(findings.notes)}
<h2>Rows</h2>
${table(["split", "rows", "without score", "image filled in", "audio filled in", "anomalies", "score min", "median", "max"], splits.map(splitCells))}
<h2>Evaluation with labels</h2>
${evaluated.length === 0 ? "<p>Not asked for (--eval_with_labels).</p>" : list(evaluated)}
<h2>Scores</h2>
${picture(plots.histogram, "Histogram of the anomaly scores with the threshold")}
<h2>Rows on two principal components</h2>
<p>Axes found on ${findings.pca_rows} training rows, columns standardised.</p>
${picture(plots.scatter, "Scatter of rows on two principal components")}
<h2>Strangest rows</h2>
${table(
  ["score", "split", "path"],
  findings.strangest.map(({ score, split, path }) => [score.toFixed(4), split, path]),
)}
<h2>Settings</h2>
${table(["setting", "value"], settingsOf(findings))}
</body>
</html>
`;
}

const STYLE = `body{font:15px/1.5 system-ui,sans-serif;color:#222;max-width:60rem;margin:2rem auto;padding:0 1rem}
table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;border-bottom:1px solid #ddd}
img{max-width:100%}`;

function splitCells([name, split]: [string, SplitSummary]): (string | number)[] {
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

function settingsOf(findings: Findings): (string | number)[][] {
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

function table(head: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const line = (cells: readonly (string | number)[], tag: "td" | "th"): string =>
    `<tr>${cells.map((cell) => `<${tag}>${escaped(String(cell))}</${tag}>`).join("")}</tr>`;
  return `<table>\n${[line(head, "th"), ...rows.map((row) => line(row, "td"))].join("\n")}\n</table>`;
}

function list(lines: readonly string[]): string {
  if (lines.length === 0) return "";
  return `<ul>\n${lines.map((line) => `<li>${escaped(line)}</li>`).join("\n")}\n</ul>`;
}

/** As an image of its own, since names within two SVGs of one page would be mixed up. */
function picture(svg: string, text: string): string {
  const data = Buffer.from(svg).toString("base64");
  return `<img alt="${escaped(text)}" src="data:image/svg+xml;base64,${data}">`;
}

function escaped(text: string): string {
  return text.replace(/[&<>"]/g, (sign) => `&#${sign.charCodeAt(0)};`);
}
