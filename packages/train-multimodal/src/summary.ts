import { table } from "@emotion-service/core/cli/table";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import {
  CONDITION_NAMES,
  LABEL_WARNING,
  type Repeats,
  type Spreads,
  type TrainReport,
  measuredSet,
  pairedByLabel,
} from "./report.ts";

const SCORES = ["accuracy", "macro recall", "macro F1"];

/** The report as a person reads it. */
export function formatSummary(report: TrainReport): string {
  const measured = report.test === null ? "val" : "test";
  const rows: (string | number)[][] = [["", "rows", ...SCORES]];
  const add = (name: string, metrics: ClassificationMetrics): void => {
    const { accuracy, uar, macro_f1 } = metrics;
    rows.push([name, metrics.rows, ...[accuracy, uar, macro_f1].map((value) => value.toFixed(4))]);
  };
  add("train", report.train);
  add("val", report.val);
  if (report.test !== null) add("test", report.test);
  for (const [name, metrics] of Object.entries(report.conditions))
    if (name !== "both") add(`${measured}, ${CONDITION_NAMES[name] ?? name}`, metrics);
  const { ece } = measuredSet(report).calibration;
  const lines = [
    `best epoch ${report.best_epoch} of ${report.epochs} (by validation macro recall; chance ${(1 / report.classes.length).toFixed(4)})`,
    table(rows),
    `calibration error (ECE) on ${measured}: ${ece.before.toFixed(4)}, ${ece.after.toFixed(4)} by temperature ${report.calibration.temperature.toFixed(3)}`,
  ];
  if (report.repeats !== null) lines.push(...repeatLines(report.repeats, measured));
  if (pairedByLabel(report)) lines.push(`note: ${LABEL_WARNING}`);
  lines.push(`written: ${report.files.join(", ")}`);
  return `${lines.join("\n")}\n`;
}

function repeatLines(repeats: Repeats, measured: "val" | "test"): string[] {
  const { seeds, val, test, conditions } = repeats;
  const row = (name: string, { accuracy, uar, macro_f1 }: Spreads): string[] => [
    name,
    ...[accuracy, uar, macro_f1].map(
      ({ mean, deviation }) => `${mean.toFixed(4)} ± ${deviation.toFixed(4)}`,
    ),
  ];
  const rows = [["", ...SCORES], row("val", val)];
  if (test !== null) rows.push(row("test", test));
  for (const [name, spreads] of Object.entries(conditions))
    if (name !== "both") rows.push(row(`${measured}, ${CONDITION_NAMES[name] ?? name}`, spreads));
  return [
    `over the seeds ${seeds.join(", ")} (mean ± sample deviation; above: seed ${seeds[0]}, whose checkpoint is multimodal_best)`,
    table(rows),
  ];
}
