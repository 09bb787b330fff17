import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeCsv } from "@emotion-service/core/files/manifest";
import type { Outputs } from "@emotion-service/core/files/outputs";
import type { EpochRecord } from "@emotion-service/core/model/trainClassifier";
import { confusionMatrix } from "@emotion-service/core/plot/confusionMatrix";
import { learningCurves } from "@emotion-service/core/plot/learningCurves";
import { type ChartSpec, renderPng } from "@emotion-service/core/plot/render";
import type { TrainReport } from "./report.ts";

const HISTORY_COLUMNS = [
  "epoch",
  "lr",
  "train_loss",
  "val_loss",
  "val_accuracy",
  "val_uar",
] as const;

const REPORTS = {
  metrics: "metrics.json",
  history: "history.csv",
  curves: "learning_curves.png",
  confusion: "confusion_matrix.png",
} as const;

/** Removes the reports of an earlier training, so that they never stand beside the checkpoints of another. */
export function removeReports(saveDir: string): void {
  for (const name of Object.values(REPORTS)) rmSync(join(saveDir, name), { force: true });
}

/** Writes metrics.json, history.csv and the plots into `saveDir`; returns their paths. */
export async function writeReports(
  saveDir: string,
  report: Omit<TrainReport, "median_epoch_seconds">,
  outputs: Outputs,
): Promise<string[]> {
  const files: string[] = [];
  const stage = (name: string): string => {
    files.push(join(saveDir, name));
    return outputs.stage(join(saveDir, name));
  };
  const { history, files: _, ...metrics } = report;
  writeFileSync(stage(REPORTS.metrics), `${JSON.stringify(metrics, null, 2)}\n`);
  writeCsv<EpochRecord>(stage(REPORTS.history), HISTORY_COLUMNS, history);
  const measured = report.test ?? report.val;
  const set = report.test === null ? "validation" : "test";
  const charts: [name: string, chart: ChartSpec][] = [
    [REPORTS.curves, curves(report)],
    [
      REPORTS.confusion,
      confusionMatrix(`Confusion on the ${set} rows`, report.classes, measured.confusion),
    ],
  ];
  for (const [name, chart] of charts) writeFileSync(stage(name), await renderPng(chart));
  return files;
}

function curves({ history, best_epoch }: Pick<TrainReport, "history" | "best_epoch">): ChartSpec {
  return learningCurves(
    "Loss by epoch",
    "cross entropy, nats (train: class-weighted)",
    [
      { name: "train", values: history.map(({ train_loss }) => train_loss) },
      { name: "validation", values: history.map(({ val_loss }) => val_loss) },
    ],
    { epoch: best_epoch, by: "validation macro recall" },
  );
}
