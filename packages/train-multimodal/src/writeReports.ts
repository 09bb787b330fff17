import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeCsv } from "@emotion-service/core/files/manifest";
import type { Outputs } from "@emotion-service/core/files/outputs";
import type { EpochRecord } from "@emotion-service/core/model/trainClassifier";
import { pngOfSvg, renderSvgs } from "@emotion-service/core/plot/render";
import { FIGURES, figuresOf } from "./charts.ts";
import { type Drawing, htmlReport } from "./htmlReport.ts";
import type { WrittenReport } from "./report.ts";

const HISTORY_COLUMNS = [
  "epoch",
  "lr",
  "train_loss",
  "val_loss",
  "val_accuracy",
  "val_uar",
] as const;

const REPORTS = {
  page: "report.html",
  metrics: "metrics.json",
  history: "history.csv",
} as const;

/** Removes the reports of an earlier training, so that they never stand beside the checkpoints of another. */
export function removeReports(saveDir: string): void {
  const plots = FIGURES.flatMap((name) => [`${name}.png`, `${name}.svg`]);
  for (const name of [...Object.values(REPORTS), ...plots])
    rmSync(join(saveDir, name), { force: true });
}

/** Writes report.html, metrics.json, history.csv and the plots into `saveDir`; returns their paths. */
export async function writeReports(
  saveDir: string,
  report: WrittenReport,
  outputs: Outputs,
): Promise<string[]> {
  const files: string[] = [];
  const write = (name: string, content: string | Uint8Array): void => {
    files.push(join(saveDir, name));
    writeFileSync(outputs.stage(join(saveDir, name)), content);
  };
  const figures = figuresOf(report);
  const svgs = await renderSvgs(figures.map(({ chart }) => chart));
  const drawings = figures.map(({ name, caption }, i): Drawing => ({
    name,
    caption,
    svg: svgs[i]!,
  }));
  write(REPORTS.page, htmlReport(report, drawings));
  const { history, files: _, ...metrics } = report;
  write(REPORTS.metrics, `${JSON.stringify(metrics, null, 2)}\n`);
  files.push(join(saveDir, REPORTS.history));
  writeCsv<EpochRecord>(outputs.stage(join(saveDir, REPORTS.history)), HISTORY_COLUMNS, history);
  for (const { name, svg } of drawings) {
    write(`${name}.svg`, svg);
    write(`${name}.png`, await pngOfSvg(svg));
  }
  return files;
}
