import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { createOutputs, withOutputs } from "@emotion-service/core/files/outputs";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import { type TensorFlow, type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import type { BackendChoice, TrainingDevice } from "@emotion-service/core/model/backendNames";
import type { Weights } from "@emotion-service/core/model/graph";
import type { LabelledBatch, RowSource } from "@emotion-service/core/model/rowSource";
import {
  type EpochRecord,
  type EvaluateOptions,
  type TrainSettings,
  evaluate,
  trainClassifier,
} from "@emotion-service/core/model/trainClassifier";
import { createRandom } from "@emotion-service/core/random";
import { holdsClips, planAudioCnn, requireSoundAlone } from "./audioPlan.ts";
import { planFusion } from "./fusionPlan.ts";
import type { Plan, Saved } from "./plan.ts";
import type { ReadOptions } from "./readSets.ts";
import type { TrainReport } from "./report.ts";
import { removeReports, writeReports } from "./writeReports.ts";

export interface TrainMultimodalOptions extends Omit<ReadOptions, "seed"> {
  readonly saveDir: string;
  readonly device: TrainingDevice;
  readonly backend: BackendChoice;
  readonly settings: TrainSettings;
  /** Chance that a row of a batch that has both modalities loses one, [0, 1). */
  readonly modalityDropout: number;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pairs → a trained fusion classifier, or log-mel clips → a trained audio_cnn: read, standardise, train, save the best and the last,
 * measure the best.
 */
export async function trainMultimodal(options: TrainMultimodalOptions): Promise<TrainReport> {
  const reading: ReadOptions = { ...options, seed: options.settings.seed };
  refuseContradiction(options);
  const hasClips = await holdsClips(options.trainH5, "--train_h5");
  if (hasClips) requireSoundAlone(reading);
  const tensorFlow = await chooseBackend(options);
  return hasClips
    ? trainPlan(await planAudioCnn(reading), tensorFlow, options)
    : trainPlan(await planFusion(reading, options.modalityDropout), tensorFlow, options);
}

async function trainPlan<B extends LabelledBatch>(
  plan: Plan<B>,
  { tf, backend }: TensorFlow,
  options: TrainMultimodalOptions,
): Promise<TrainReport> {
  const { best, history, epochSeconds } = await trainAndSave(tf, plan, options);
  const model = plan.create(tf, best.weights);
  try {
    const { signal } = options;
    const measure = async (
      set: RowSource<B>,
      how?: EvaluateOptions<B>,
    ): Promise<ClassificationMetrics> =>
      (await evaluate(tf, model, set, plan.classes, { ...how, signal })).metrics;
    const conditions: Record<string, ClassificationMetrics> = {};
    const sets = {
      train: await measure(plan.train),
      val: await measure(plan.val),
      test: plan.test === undefined ? null : await measure(plan.test),
    };
    for (const [name, how] of Object.entries(plan.conditions))
      conditions[name] = await measure(plan.test ?? plan.val, how);
    const report: Omit<TrainReport, "median_epoch_seconds"> = {
      classes: plan.classes,
      modalities: plan.modalities,
      match_by: plan.matchBy,
      backend,
      parameters: [...best.weights.values()].reduce((sum, { data }) => sum + data.length, 0),
      epochs: history.length,
      best_epoch: best.epoch,
      ...sets,
      conditions,
      history,
      files: [bestFolder(options), lastFolder(options)],
    };
    const files = await withOutputs((outputs) => writeReports(options.saveDir, report, outputs));
    return {
      ...report,
      median_epoch_seconds: median(epochSeconds),
      files: [...report.files, ...files],
    };
  } finally {
    model.dispose();
  }
}

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

function refuseContradiction({ device, backend }: TrainMultimodalOptions): void {
  if (device === "cuda" && backend !== "auto" && backend !== "tensorflow")
    throw new UserError("E_FLAG", `--device cuda: needs --backend tensorflow, got ${backend}`);
}

async function chooseBackend(options: TrainMultimodalOptions): Promise<TensorFlow> {
  const { device, backend } = options;
  const tensorFlow = await loadTensorFlow(backend, { device });
  options.onNotice(`TensorFlow.js on ${tensorFlow.backend}: ${tensorFlow.reason}`);
  return tensorFlow;
}

interface Best {
  readonly epoch: number;
  readonly weights: Weights;
}

/** Trains; after each epoch saves multimodal_last, and multimodal_best where it is the best so far. */
async function trainAndSave<B extends LabelledBatch>(
  tf: Tf,
  plan: Plan<B>,
  options: TrainMultimodalOptions,
): Promise<{ best: Best; history: EpochRecord[]; epochSeconds: number[] }> {
  const { settings, saveDir } = options;
  const history: EpochRecord[] = [];
  const epochSeconds: number[] = [];
  const model = plan.create(tf, plan.initialWeights(createRandom(settings.seed)));
  let best: Best = { epoch: 0, weights: model.weights() };
  const save = (folder: string, weights: Weights, record: EpochRecord): void => {
    const { epoch, val_loss, val_accuracy, val_uar } = record;
    const metrics = { val_loss, val_accuracy, val_uar };
    saveCheckpoint(folder, plan, { weights, epoch, settings: { ...settings }, metrics });
  };
  try {
    refuseUnwritable(saveDir);
    await trainClassifier(tf, model, {
      settings,
      classes: plan.classes,
      train: plan.train,
      val: plan.val,
      onEpoch: (record, improved, weights, seconds) => {
        if (history.length === 0) removeReports(saveDir);
        history.push(record);
        epochSeconds.push(seconds);
        if (improved) {
          best = { epoch: record.epoch, weights };
          save(bestFolder(options), weights, record);
        }
        save(lastFolder(options), weights, record);
        options.onNotice(epochLine(record, settings.epochs, improved));
      },
      onStep: (done, total) => options.onProgress?.(done, total, "steps"),
      signal: options.signal,
    });
    return { best, history, epochSeconds };
  } finally {
    model.dispose();
  }
}

function bestFolder({ saveDir }: TrainMultimodalOptions): string {
  return join(saveDir, "multimodal_best");
}

function lastFolder({ saveDir }: TrainMultimodalOptions): string {
  return join(saveDir, "multimodal_last");
}

function saveCheckpoint<B extends LabelledBatch>(
  folder: string,
  plan: Plan<B>,
  saved: Saved,
): void {
  const outputs = createOutputs();
  try {
    plan.write(outputs.stage(folder, "folder"), saved);
    outputs.commit();
  } finally {
    outputs.discard();
  }
}

/** Finds out before the first epoch, not after it, that nothing can be saved. */
function refuseUnwritable(saveDir: string): void {
  const outputs = createOutputs();
  try {
    outputs.stage(join(saveDir, "multimodal_best"), "folder");
  } finally {
    outputs.discard();
  }
}

function epochLine(record: EpochRecord, epochs: number, improved: boolean): string {
  const { epoch, train_loss, val_loss, val_accuracy, val_uar } = record;
  return `epoch ${epoch}/${epochs}  train loss ${train_loss.toFixed(4)}  val loss ${val_loss.toFixed(4)}  accuracy ${val_accuracy.toFixed(4)}  macro recall ${val_uar.toFixed(4)}${improved ? "  best" : ""}`;
}
