import { table } from "@emotion-service/core/cli/table";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import type { TrainReport } from "./report.ts";

const CONDITION_NAMES: Readonly<Record<string, string>> = {
  image_only: "image alone",
  audio_only: "audio alone",
};

/** The report as a person reads it. */
export function formatSummary(report: TrainReport): string {
  const measured = report.test === null ? "val" : "test";
  const rows: (string | number)[][] = [["", "rows", "accuracy", "macro recall", "macro F1"]];
  const add = (name: string, metrics: ClassificationMetrics): void => {
    const { accuracy, uar, macro_f1 } = metrics;
    rows.push([name, metrics.rows, ...[accuracy, uar, macro_f1].map((value) => value.toFixed(4))]);
  };
  add("train", report.train);
  add("val", report.val);
  if (report.test !== null) add("test", report.test);
  for (const [name, title] of Object.entries(CONDITION_NAMES)) {
    const metrics = report.conditions[name];
    if (metrics !== undefined) add(`${measured}, ${title}`, metrics);
  }
  const lines = [
    `best epoch ${report.best_epoch} of ${report.epochs} (by validation macro recall; chance ${(1 / report.classes.length).toFixed(4)})`,
    table(rows),
  ];
  if (report.match_by === "label" && report.modalities.length > 1)
    lines.push(
      "note: pairs were made by label: the face and the voice of a row are of different people",
    );
  lines.push(`written: ${report.files.join(", ")}`);
  return `${lines.join("\n")}\n`;
}
