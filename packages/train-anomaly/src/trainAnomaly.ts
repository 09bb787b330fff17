import type { ForestOptions } from "@emotion-service/core/anomaly/forest";
import { fitPca } from "@emotion-service/core/anomaly/pca";
import { breathe } from "@emotion-service/core/breathe";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import type { Modality } from "@emotion-service/core/model/fusion";
import {
  type Detector,
  type Engine,
  type Scored,
  fitDetector,
  flagAnomalies,
  offsetOf,
} from "./detector.ts";
import { evaluate } from "./evaluate.ts";
import { importDetector, importNotes } from "./importDetector.ts";
import { type Part, drawPlots } from "./plots.ts";
import type { ReadOptions } from "./readRows.ts";
import type { Findings } from "./report.ts";
import { type Source, openSource, requireSameEncoders } from "./rows.ts";
import { type AnomalySummary, strangestRows, summariseSplit } from "./summary.ts";
import {
  notesOn,
  outputPaths,
  stageOutputs,
  writeModels,
  writeReports,
  writeScores,
} from "./writeOutputs.ts";

export interface TrainAnomalyOptions {
  readonly trainH5: string;
  readonly testH5: string | undefined;
  /** A file of scikit-learn's whose forest takes the place of one that is fitted. */
  readonly importFrom?: string | undefined;
  readonly saveDir: string;
  readonly engine: Engine;
  readonly modalities: readonly Modality[];
  /** Rows read at once. */
  readonly batchSize: number;
  readonly evalWithLabels: boolean;
  readonly forest: ForestOptions;
}

/** Opens, surveys, fits, scores, evaluates, plots, saves; returns what to report. No more than a block of rows is held. */
export async function trainAnomaly(
  options: TrainAnomalyOptions,
  onProgress: OnProgress,
  signal?: AbortSignal,
): Promise<AnomalySummary> {
  const sources = await openSources(options);
  const [train] = sources;
  const files = outputPaths(options);
  refuseReplacing(
    files,
    sources.map(({ index }) => index.path),
  );
  return withOutputs(async (outputs) => {
    const staged = stageOutputs(outputs, options);
    const reading = { batchSize: options.batchSize, onRows: counter(sources, onProgress), signal };
    const detector =
      options.importFrom === undefined
        ? await fitDetector(options.engine, train, options.forest, reading)
        : await importDetector(options.importFrom, train, reading);
    const { parts, offset } = await scoreSources(sources, detector, options, reading);
    const pca = fitPca(detector.sample);
    await breathe(signal);
    const unread = { ...reading, onRows: () => {} };
    const plots = await drawPlots(parts, pca, detector.means, unread);
    const forest = detector.forest && { ...detector.forest, offset };
    if (forest !== undefined)
      writeModels(staged, forest, train, detector, options.forest.randomState);
    await writeScores(staged.scores, parts, signal);
    const summaries = [];
    for (const part of parts) summaries.push(await summarisePart(part, options, signal));
    const findings: Findings = {
      ...settingsOf(options, detector, offset),
      train: summaries[0]!,
      ...(summaries[1] === undefined ? {} : { test: summaries[1] }),
      explained_variance_ratio: pca.explainedVarianceRatio,
      pca_rows: pca.fittedRows,
      strangest: await strangestRows(parts),
      notes: detector.imported ? importNotes(detector.imported) : notesOn(options),
    };
    await writeReports(staged, findings, plots);
    return { ...findings, files };
  });
}

async function openSources(options: TrainAnomalyOptions): Promise<[Source, ...Source[]]> {
  const { trainH5, testH5, modalities } = options;
  const train = await openSource(trainH5, "train", modalities, 2);
  if (testH5 === undefined) return [train];
  const test = await openSource(testH5, "test", modalities, 1);
  requireSameEncoders(train, test);
  return [train, test];
}

/** Counts rows that were gone through: those of the training file twice. */
function counter(sources: readonly Source[], onProgress: OnProgress): ReadOptions["onRows"] {
  const total = sources.reduce((sum, { index }) => sum + index.rows, sources[0]?.index.rows ?? 0);
  let done = 0;
  return (rows) => onProgress((done += rows), total, "rows");
}

async function scoreSources(
  sources: readonly [Source, ...Source[]],
  detector: Detector,
  options: TrainAnomalyOptions,
  reading: ReadOptions,
): Promise<{ readonly parts: Part[]; readonly offset: number }> {
  const [train, test] = sources;
  const trainSamples = await detector.scoreSamples(train, reading);
  const offset =
    detector.imported === undefined
      ? offsetOf(options.forest, train, trainSamples)
      : (detector.forest?.offset ?? 0);
  const parts: Part[] = [{ source: train, ...flagAnomalies(trainSamples, offset) }];
  if (test !== undefined) {
    const scored: Scored = flagAnomalies(await detector.scoreSamples(test, reading), offset);
    parts.push({ source: test, ...scored });
  }
  return { parts, offset };
}

async function summarisePart(
  part: Part,
  { evalWithLabels }: TrainAnomalyOptions,
  signal: AbortSignal | undefined,
) {
  const evaluation = evalWithLabels ? await evaluate(part.source, part, signal) : undefined;
  return summariseSplit(part.source, part, evaluation);
}

function settingsOf(options: TrainAnomalyOptions, detector: Detector, offset: number) {
  const { engine, forest, modalities } = options;
  return {
    engine,
    ...(detector.imported && { imported_from: detector.imported.importedFrom }),
    n_estimators: detector.forest?.trees.length ?? forest.nEstimators,
    max_samples: detector.maxSamples,
    contamination: detector.forest?.contamination ?? forest.contamination,
    offset,
    seed: seedOf(detector, options),
    modalities,
    n_features: detector.means.length,
  };
}

function seedOf({ imported }: Detector, { engine, forest }: TrainAnomalyOptions): number | null {
  if (imported !== undefined) return imported.seed;
  return engine === "native" ? forest.randomState : null;
}
