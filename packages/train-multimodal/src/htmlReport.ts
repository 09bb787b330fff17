import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import type { SetFacts } from "./chooseRows.ts";
import { type Cell, htmlFigure, htmlPage, htmlTable } from "@emotion-service/core/plot/htmlPage";
import {
  CONDITION_NAMES,
  LABEL_WARNING,
  type SetCalibration,
  type Spread,
  type Spreads,
  type WrittenReport,
  measuredSet,
  pairedByLabel,
} from "./report.ts";

/** A figure, drawn. */
export interface Drawing {
  readonly name: string;
  readonly caption: string;
  readonly svg: string;
}

/** The report as one page that needs no other file: it is read in light and in dark, printed, and read aloud. */
export function htmlReport(report: WrittenReport, drawings: readonly Drawing[]): string {
  const sections = [
    resultSection(report),
    repeatsSection(report),
    classSection(report),
    figures(drawings, ["confusion_matrix", "conditions"]),
    calibrationSection(report),
    figures(drawings, ["reliability_diagram"]),
    "<h2>Learning curves</h2>",
    figures(drawings, ["learning_curves", "recall_curve"]),
    dataSection(report),
    settingsSection(report),
  ];
  const shown = sections.filter((section) => section !== "").join("\n");
  return htmlPage("Emotion classifier: report of a training", `${introduction(report)}\n${shown}`);
}

function introduction(report: WrittenReport): string {
  const chance = share(1 / report.classes.length);
  const warning = pairedByLabel(report)
    ? `\n<p class="warning"><strong>Note:</strong> ${LABEL_WARNING}. Numbers on such rows say how well the two kinds of evidence add up, not how well one person is read.</p>`
    : "";
  return `<p>A classifier of ${report.classes.length} emotions from ${report.modalities.join(" and ")}. Best epoch ${report.best_epoch} of ${report.epochs}, by the macro recall of the validation rows. Macro recall (UAR) is the mean recall of the classes; chance is ${chance}.</p>${warning}`;
}

const SCORES = ["rows", "accuracy", "macro recall", "macro F1"];

function scores({ rows, accuracy, uar, macro_f1 }: ClassificationMetrics): Cell[] {
  return [rows, share(accuracy), share(uar), share(macro_f1)];
}

function resultSection(report: WrittenReport): string {
  const { train, conditions } = report;
  const sets = [["train", train] as const, ...heldBack(report)];
  const { name } = measuredSet(report);
  const rows = Object.entries(conditions).map(([condition, metrics]) => [
    CONDITION_NAMES[condition] ?? condition,
    ...scores(metrics),
  ]);
  return `<h2>Results</h2>
${htmlTable(
  "The best checkpoint on each set",
  ["set", ...SCORES],
  sets.map(([set, metrics]) => [set, ...scores(metrics)]),
)}
${htmlTable(`Conditions, on the ${name} rows`, ["condition", ...SCORES], rows)}
<p>“Image only” and “audio only” withhold the other modality, on the rows that have the one. “Noise” adds to every input value normal noise with the deviation that the value has over the training rows: as much noise as signal (0 dB).</p>`;
}

function repeatsSection(report: WrittenReport): string {
  const { repeats } = report;
  if (repeats === null) return "";
  const { name: set } = measuredSet(report);
  const sets = heldBack(repeats);
  const cells = ({ accuracy, uar, macro_f1 }: Spreads): Cell[] =>
    [accuracy, uar, macro_f1].map(spread);
  const rows: Cell[][] = sets.map(([name, of]) => [name, ...cells(of)]);
  // "both" is a row already.
  for (const [name, of] of Object.entries(repeats.conditions))
    if (name !== "both") rows.push([`${set}, ${CONDITION_NAMES[name] ?? name}`, ...cells(of)]);
  const bySeed = repeats.seeds.map((seed, i) => [
    `seed ${seed}`,
    repeats.best_epochs[i] ?? "",
    ...sets.map(([, { uar }]) => share(uar.values[i] ?? NaN)),
  ]);
  return `<h2>Over ${repeats.seeds.length} seeds</h2>
${htmlTable("Mean ± sample deviation", ["set", ...SCORES.slice(1)], rows)}
${htmlTable(
  "Each seed",
  ["seed", "best epoch", ...sets.map(([name]) => `macro recall, ${name}`)],
  bySeed,
)}
<p>Everything else on this page is of seed ${repeats.seeds[0]}, the first, which was not chosen by its numbers. Expected calibration error on the ${set} rows: ${spread(repeats.ece.before)} before, ${spread(repeats.ece.after)} after scaling.</p>`;
}

function classSection(report: WrittenReport): string {
  const { name, metrics } = measuredSet(report);
  const rows = report.classes.map((emotion, k) => [
    emotion,
    metrics.confusion[k]?.reduce((a, b) => a + b, 0) ?? 0,
    ...[metrics.precision, metrics.recall, metrics.f1].map((of) => share(of[emotion])),
  ]);
  return `<h2>Classes</h2>
${htmlTable(`Each class, on the ${name} rows`, ["class", "rows", "precision", "recall", "F1"], rows)}`;
}

function calibrationSection({ calibration }: WrittenReport): string {
  const cells = ({ ece, nll }: SetCalibration): Cell[] =>
    [ece.before, ece.after, nll.before, nll.after].map(share);
  const rows = heldBack(calibration).map(([name, of]) => [name, ...cells(of)]);
  return `<h2>Calibration</h2>
${htmlTable(
  `Before and after temperature scaling, T = ${calibration.temperature.toFixed(4)}`,
  ["set", "ECE before", "ECE after", "NLL before", "NLL after"],
  rows,
)}
<p>Expected calibration error: 15 bins of equal width of the largest probability, the gap between its mean and the accuracy in each, weighted by its rows; temperature scaling divides the scores by T, fitted to the negative log likelihood (NLL, nats) of the validation rows (Guo et al. 2017). Its validation numbers are of the rows that it was fitted on. Predictions are scaled; which class is predicted stays the same.</p>`;
}

function figures(drawings: readonly Drawing[], names: readonly string[]): string {
  const wanted = drawings.filter(({ name }) => names.includes(name));
  const drawn = wanted.map(({ svg, name, caption }) => htmlFigure(svg, name, caption));
  return `<div class="figures">${drawn.join("\n")}</div>`;
}

function dataSection({ data, classes, inputs, match_by: matchBy }: WrittenReport): string {
  const sets = [["train", data.train] as const, ...heldBack(data)];
  const row = ([name, { file, held_out: heldOut, rows, speakers, classes: counts }]: readonly [
    string,
    SetFacts,
  ]): Cell[] => [
    name,
    heldOut ? `held out of ${file}` : file,
    rows,
    speakers,
    ...classes.map((emotion) => counts[emotion] ?? 0),
  ];
  const made = Object.entries(inputs).map(([name, value]) => [name, JSON.stringify(value)]);
  if (matchBy !== "") made.push(["pairs matched by", matchBy]);
  return `<h2>Data</h2>
${htmlTable(
  "Sets, and their rows of each class",
  ["set", "file", "rows", "speakers", ...classes],
  sets.map(row),
  2,
)}
${htmlTable("What made the inputs", ["input", "made by"], made, 2)}`;
}

function settingsSection({ settings, backend, parameters }: WrittenReport): string {
  const facts = { ...settings, backend, parameters };
  const rows = Object.entries(facts).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(", ") : String(value),
  ]);
  return `<h2>Settings</h2>
${htmlTable("Settings of the training", ["setting", "value"], rows, 2)}`;
}

/** What is said of the validation set and, where there is one, of the test set. */
function heldBack<T>({ val, test }: { readonly val: T; readonly test: T | null }): [string, T][] {
  return [["validation", val], ...(test === null ? [] : [["test", test] satisfies [string, T]])];
}

function share(value: number | null | undefined): string {
  return value === null || value === undefined ? "–" : value.toFixed(4);
}

function spread({ mean, deviation }: Spread): string {
  return `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`;
}
