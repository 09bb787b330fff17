import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { IsolationForest } from "@emotion-service/core/anomaly/forest";
import {
  type AnomalyModel,
  MODEL_FILE,
  ONNX_FILE,
  saveAnomalyModel,
} from "@emotion-service/core/anomaly/modelFile";
import { NPM_ENGINE_LIMITS } from "@emotion-service/core/anomaly/npmEngine";
import { createCsvWriter } from "@emotion-service/core/files/manifest";
import type { Outputs } from "@emotion-service/core/files/outputs";
import { eachText } from "@emotion-service/core/hdf5/pairedIndex";
import { exportForest } from "@emotion-service/core/onnx/forestOnnx";
import { pngOfSvg } from "@emotion-service/core/plot/render";
import type { Detector } from "./detector.ts";
import type { Part, Plots } from "./plots.ts";
import { type Findings, reportHtml } from "./report.ts";
import type { Source } from "./rows.ts";
import type { TrainAnomalyOptions } from "./trainAnomaly.ts";

const REPORTS = {
  scores: "anomaly_scores.csv",
  metrics: "anomaly_metrics.json",
  report: "anomaly_report.html",
  histogramPng: "score_histogram.png",
  histogramSvg: "score_histogram.svg",
  scatterPng: "pca_scatter.png",
  scatterSvg: "pca_scatter.svg",
} as const;
const MODELS = { model: MODEL_FILE, onnx: ONNX_FILE } as const;

type StagedReports = Readonly<Record<keyof typeof REPORTS, string>>;
type StagedModels = Readonly<Record<keyof typeof MODELS, string>>;

/** Temporary paths. */
export interface Staged extends StagedReports {
  /** Absent with the npm engine, which cannot be saved. */
  readonly models: StagedModels | undefined;
}

type Choice = Pick<TrainAnomalyOptions, "engine" | "saveDir">;

/** What a run writes, in the order in which it is told. */
export function outputPaths({ engine, saveDir }: Choice): string[] {
  const names = [...(engine === "native" ? Object.values(MODELS) : []), ...Object.values(REPORTS)];
  return names.map((name) => join(saveDir, name));
}

/** Stages every output before the work starts, so that an unwritable place shows at once. */
export function stageOutputs(outputs: Outputs, { engine, saveDir }: Choice): Staged {
  const stageAll = <Key extends string>(names: Readonly<Record<Key, string>>) =>
    Object.fromEntries(
      Object.entries<string>(names).map(([key, name]) => [key, outputs.stage(join(saveDir, name))]),
    ) as Record<Key, string>;
  const models = engine === "native" ? stageAll(MODELS) : undefined;
  return { models, ...stageAll(REPORTS) };
}

/** Writes the forest as JSON and as ONNX. */
export function writeModels(
  { models }: Staged,
  forest: IsolationForest,
  train: Source,
  { means, imported }: Detector,
  seed: number,
): void {
  if (models === undefined) return;
  const encoderOf = (wanted: "image" | "audio") =>
    train.parts.find(([modality]) => modality === wanted)?.[1].encoder;
  const model: AnomalyModel = {
    forest,
    ...(imported ?? { seed, trainingRows: train.scorable.length }),
    imageEncoder: encoderOf("image"),
    audioEncoder: encoderOf("audio"),
    means,
  };
  saveAnomalyModel(models.model, model);
  writeFileSync(models.onnx, exportForest(model));
}

/** Writes the score of each row, in the order of the files; a row without a score has empty fields. */
export async function writeScores(
  path: string,
  parts: readonly Part[],
  signal: AbortSignal | undefined,
): Promise<void> {
  const csv = createCsvWriter(path, ["split", "path", "score", "anomaly"]);
  try {
    for (const { source, scores, anomaly } of parts)
      await eachText(
        source.index,
        "paths",
        (text, row) => {
          const score = scores[row] ?? NaN;
          const isScored = !Number.isNaN(score);
          csv.write([source.split, text, isScored ? score : "", isScored ? anomaly[row]! : ""]);
        },
        signal,
      );
  } finally {
    csv.close();
  }
}

export async function writeReports(
  staged: Staged,
  findings: Findings,
  { histogram, scatter }: Plots,
): Promise<void> {
  writeFileSync(staged.metrics, `${JSON.stringify(findings, null, 2)}\n`);
  writeFileSync(staged.report, reportHtml(findings, { histogram, scatter }));
  writeFileSync(staged.histogramSvg, histogram);
  writeFileSync(staged.histogramPng, await pngOfSvg(histogram));
  writeFileSync(staged.scatterSvg, scatter);
  writeFileSync(staged.scatterPng, await pngOfSvg(scatter));
}

export function notesOn({ engine, saveDir }: Choice): string[] {
  if (engine === "native") return [];
  const model = join(saveDir, MODEL_FILE);
  const stale = existsSync(model) ? [`${model} is of an earlier run with --engine native`] : [];
  return [NPM_ENGINE_LIMITS, ...stale];
}
