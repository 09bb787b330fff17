import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeCsv } from "@emotion-service/core/files/manifest";
import type { Outputs } from "@emotion-service/core/files/outputs";
import type { EpochRecord } from "@emotion-service/core/model/train";
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

/** Writes metrics.json, history.csv and the plots into `saveDir`; returns their paths. */
export async function writeReports(
  saveDir: string,
  report: TrainReport,
  outputs: Outputs,
): Promise<string[]> {
  const files: string[] = [];
  const stage = (name: string): string => {
    files.push(join(saveDir, name));
    return outputs.stage(join(saveDir, name));
  };
  const { history, files: _, ...metrics } = report;
  writeFileSync(stage("metrics.json"), `${JSON.stringify(metrics, null, 2)}\n`);
  writeCsv<EpochRecord>(stage("history.csv"), HISTORY_COLUMNS, history);
  const measured = report.test ?? report.val;
  const set = report.test === null ? "validation" : "test";
  const charts: [name: string, chart: ChartSpec][] = [
    ["learning_curves.png", curves(report)],
    [
      "confusion_matrix.png",
      confusionMatrix(`Confusion on the ${set} rows`, report.classes, measured.confusion),
    ],
  ];
  for (const [name, chart] of charts) writeFileSync(stage(name), await renderPng(chart));
  return files;
}

function curves({ history, best_epoch }: TrainReport): ChartSpec {
  return learningCurves(
    "Loss by epoch",
    "cross entropy, nats",
    [
      { name: "train (class-weighted)", values: history.map(({ train_loss }) => train_loss) },
      { name: "validation", values: history.map(({ val_loss }) => val_loss) },
    ],
    best_epoch,
  );
}
