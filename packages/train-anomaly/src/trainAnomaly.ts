import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { setImmediate as nextTurn } from "node:timers/promises";
import type { ForestOptions } from "@emotion-service/core/anomaly/forest";
import { MODEL_FILE, saveAnomalyModel } from "@emotion-service/core/anomaly/modelFile";
import { joinModalities, trainingMeans } from "@emotion-service/core/anomaly/modalities";
import { NPM_ENGINE_LIMITS } from "@emotion-service/core/anomaly/npmEngine";
import { type Pca, fitPca, projectPca } from "@emotion-service/core/anomaly/pca";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { throwIfAborted } from "@emotion-service/core/errors";
import { writeCsv } from "@emotion-service/core/files/manifest";
import { type Outputs, withOutputs } from "@emotion-service/core/files/outputs";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import { readRawLabels } from "@emotion-service/core/hdf5/paired";
import { pcaScatter } from "@emotion-service/core/plot/pcaScatter";
import { renderPng } from "@emotion-service/core/plot/render";
import { scoreHistogram } from "@emotion-service/core/plot/scoreHistogram";
import { type Detector, type Engine, type Scored, fitDetector, scoreRows } from "./detector.ts";
import { evaluate } from "./evaluate.ts";
import { importDetector, importNotes } from "./importDetector.ts";
import { type Source, readSource, requireSameEncoders } from "./rows.ts";
import { type AnomalySummary, type ScoreRow, strangestRows, summariseSplit } from "./summary.ts";

const SCORES_FILE = "anomaly_scores.csv";
const HISTOGRAM_FILE = "score_histogram.png";
const SCATTER_FILE = "pca_scatter.png";

export interface TrainAnomalyOptions {
  readonly trainH5: string;
  readonly testH5: string | undefined;
  /** A file of scikit-learn's whose forest takes the place of one that is fitted. */
  readonly importFrom?: string | undefined;
  readonly saveDir: string;
  readonly engine: Engine;
  readonly evalWithLabels: boolean;
  readonly forest: ForestOptions;
}

/** Rows as the detector takes them, [N, Di + Da], and what it says of them. */
interface Part extends Scored {
  readonly source: Source;
  readonly matrix: Matrix;
}

/** Reads, checks, joins, fits, scores, evaluates, saves, plots; returns what to report. */
export async function trainAnomaly(
  options: TrainAnomalyOptions,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<AnomalySummary> {
  const step = async (done: number): Promise<void> => {
    onProgress(done, 5, "steps");
    await nextTurn(); // Lets Ctrl-C in between two steps.
    throwIfAborted(signal);
  };
  const sources = await readSources(options);
  return withOutputs(async (outputs) => {
    const staged = stageAll(outputs, options);
    await step(1);
    const means = trainingMeans(sources[0].file.rows);
    const matrices = sources.map(({ file }) => joinModalities(file.rows, means));
    const detector =
      options.importFrom === undefined
        ? await fitDetector(options.engine, matrices[0]!, options.forest)
        : importDetector(options.importFrom, sources[0].file);
    await step(2);
    const parts = sources.map((source, i): Part => {
      const matrix = matrices[i]!;
      return { source, matrix, ...scoreRows(detector, matrix) };
    });
    await step(3);
    const pca = fitPca(matrices[0]!);
    await step(4);
    writeModel(staged.model, detector, sources[0], means, options);
    const rows = parts.flatMap(scoreTable);
    writeCsv(staged.scores, ["split", "path", "score", "anomaly"], rows);
    await writePlots(staged, parts, pca);
    await step(5);
    return summarise(options, detector, parts, rows, pca);
  });
}

async function readSources({
  trainH5,
  testH5,
}: TrainAnomalyOptions): Promise<[Source, ...Source[]]> {
  const train = await readSource(trainH5, "train", 2);
  if (testH5 === undefined) return [train];
  const test = await readSource(testH5, "test", 1);
  requireSameEncoders(train, test);
  return [train, test];
}

interface Staged {
  /** Absent with the npm engine, which cannot be saved. */
  readonly model: string | undefined;
  readonly scores: string;
  readonly histogram: string;
  readonly scatter: string;
}

/** Stages every output before the work starts, so that an unwritable place shows at once. */
function stageAll(outputs: Outputs, { engine, saveDir }: TrainAnomalyOptions): Staged {
  const stage = (name: string): string => outputs.stage(join(saveDir, name));
  return {
    model: engine === "native" ? stage(MODEL_FILE) : undefined,
    scores: stage(SCORES_FILE),
    histogram: stage(HISTOGRAM_FILE),
    scatter: stage(SCATTER_FILE),
  };
}

function writeModel(
  path: string | undefined,
  { forest, imported }: Detector,
  { file }: Source,
  means: Float32Array,
  options: TrainAnomalyOptions,
): void {
  if (path === undefined || forest === undefined) return;
  const { imageEncoder, audioEncoder, rows } = file;
  const fitted = { seed: options.forest.randomState, trainingRows: rows.paths.length };
  saveAnomalyModel(path, { forest, ...(imported ?? fitted), imageEncoder, audioEncoder, means });
}

function scoreTable({ source, scores, anomaly }: Part): ScoreRow[] {
  return source.file.rows.paths.map((path, row) => ({
    split: source.split,
    path,
    score: scores[row]!,
    anomaly: anomaly[row]!,
  }));
}

async function writePlots(staged: Staged, parts: readonly Part[], pca: Pca): Promise<void> {
  const named = parts.map(({ source, ...part }) => ({ name: source.split, ...part }));
  // Reported scores have the threshold taken off already: it stands at 0.
  writeFileSync(staged.histogram, await renderPng(scoreHistogram(named, 0)));
  const points = named.map((part) => ({ ...part, points: projectPca(pca, part.matrix) }));
  writeFileSync(staged.scatter, await renderPng(pcaScatter(points, pca.explainedVarianceRatio)));
}

async function summarise(
  options: TrainAnomalyOptions,
  detector: Detector,
  parts: readonly Part[],
  rows: readonly ScoreRow[],
  pca: Pca,
): Promise<AnomalySummary> {
  const { engine, forest } = options;
  const isNative = engine === "native";
  const splits = await Promise.all(
    parts.map(async (part) => {
      const { path, flag } = part.source;
      const labels = options.evalWithLabels ? await readRawLabels(path, flag) : undefined;
      return summariseSplit(part.source, part, labels && evaluate(labels, part));
    }),
  );
  const [train, test] = splits;
  const names = [...(isNative ? [MODEL_FILE] : []), SCORES_FILE, HISTOGRAM_FILE, SCATTER_FILE];
  return {
    engine,
    ...(detector.imported && { imported_from: detector.imported.importedFrom }),
    n_estimators: detector.forest?.trees.length ?? forest.nEstimators,
    max_samples: detector.maxSamples,
    contamination: detector.forest?.contamination ?? forest.contamination,
    offset: detector.offset,
    seed: seedOf(detector, options),
    n_features: parts[0]!.matrix.columns,
    train: train!,
    ...(test === undefined ? {} : { test }),
    explained_variance_ratio: pca.explainedVarianceRatio,
    pca_rows: pca.fittedRows,
    strangest: strangestRows(rows),
    notes: detector.imported ? importNotes(detector.imported) : notesOf(options),
    files: names.map((name) => join(options.saveDir, name)),
  };
}

function seedOf({ imported }: Detector, { engine, forest }: TrainAnomalyOptions): number | null {
  if (imported !== undefined) return imported.seed;
  return engine === "native" ? forest.randomState : null;
}

function notesOf({ engine, saveDir }: TrainAnomalyOptions): string[] {
  if (engine === "native") return [];
  const model = join(saveDir, MODEL_FILE);
  const stale = existsSync(model) ? [`${model} is of an earlier run with --engine native`] : [];
  return [NPM_ENGINE_LIMITS, ...stale];
}
