import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { createOutputs, withOutputs } from "@emotion-service/core/files/outputs";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import { type TensorFlow, type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import type { BackendChoice, TrainingDevice } from "@emotion-service/core/model/backendNames";
import { type Checkpoint, writeCheckpoint } from "@emotion-service/core/model/checkpoint";
import {
  type FusionShape,
  MODALITIES,
  type Modality,
  createFusion,
  fusionGraph,
} from "@emotion-service/core/model/fusion";
import { type Weights, initialWeights } from "@emotion-service/core/model/graph";
import type { RowSource } from "@emotion-service/core/model/rowSource";
import type { EpochRecord } from "@emotion-service/core/model/trainClassifier";
import {
  type Condition,
  type FusionSettings,
  evaluateFusion,
  trainFusion,
} from "@emotion-service/core/model/trainFusion";
import { createRandom } from "@emotion-service/core/random";
import { type ReadOptions, type Sets, readSets } from "./readSets.ts";
import type { TrainReport } from "./report.ts";
import { removeReports, writeReports } from "./writeReports.ts";

export interface TrainMultimodalOptions extends Omit<ReadOptions, "seed"> {
  readonly saveDir: string;
  readonly device: TrainingDevice;
  readonly backend: BackendChoice;
  readonly settings: FusionSettings;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** Pairs → a trained classifier: read, standardise, train, save the best and the last, measure the best. */
export async function trainMultimodal(options: TrainMultimodalOptions): Promise<TrainReport> {
  const { signal } = options;
  const { tf, backend } = await chooseBackend(options);
  const sets = await readSets({ ...options, seed: options.settings.seed });
  const plan = planTraining(sets);
  const { best, history, epochSeconds } = await trainAndSave(tf, plan, options);
  const model = createFusion(tf, plan.shape, best.weights);
  try {
    const measure = async (set: RowSource, condition?: Condition): Promise<ClassificationMetrics> =>
      (await evaluateFusion(tf, model, set, plan.classes, { ...condition, signal })).metrics;
    const report: Omit<TrainReport, "median_epoch_seconds"> = {
      classes: plan.classes,
      modalities: MODALITIES.filter((name) => plan.shape[name] > 0),
      match_by: plan.matchBy,
      backend,
      parameters: [...best.weights.values()].reduce((sum, { data }) => sum + data.length, 0),
      epochs: history.length,
      best_epoch: best.epoch,
      train: await measure(plan.train),
      val: await measure(plan.val),
      test: plan.test === undefined ? null : await measure(plan.test),
      conditions: await measureConditions(plan, measure),
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

async function chooseBackend(options: TrainMultimodalOptions): Promise<TensorFlow> {
  const { device, backend } = options;
  if (device === "cuda" && backend !== "auto" && backend !== "tensorflow")
    throw new UserError("E_FLAG", `--device cuda: needs --backend tensorflow, got ${backend}`);
  const tensorFlow = await loadTensorFlow(backend, { device });
  options.onNotice(`TensorFlow.js on ${tensorFlow.backend}: ${tensorFlow.reason}`);
  return tensorFlow;
}

/** Everything that training needs, ready. */
interface Plan {
  readonly classes: readonly string[];
  readonly shape: FusionShape;
  readonly encoders: Checkpoint["encoders"];
  /** The mean and the deviation of each input, by the names of the weights that keep them. */
  readonly statistics: Weights;
  readonly matchBy: string;
  readonly train: RowSource;
  readonly val: RowSource;
  readonly test: RowSource | undefined;
}

function planTraining({ inputs, ...sets }: Sets): Plan {
  const statistics: Weights = new Map();
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  for (const modality of MODALITIES) {
    const input = inputs[modality];
    if (input === undefined) continue;
    const { mean, deviation } = input.standardisation;
    statistics.set(`${modality}.mean`, { shape: [mean.length], data: mean });
    statistics.set(`${modality}.deviation`, { shape: [deviation.length], data: deviation });
    encoders[modality] = input.encoder;
  }
  return {
    ...sets,
    shape: {
      image: encoders.image?.dim ?? 0,
      audio: encoders.audio?.dim ?? 0,
      classes: sets.classes.length,
    },
    encoders,
    statistics,
  };
}

interface Best {
  readonly epoch: number;
  readonly weights: Weights;
}

/** Trains; after each epoch saves multimodal_last, and multimodal_best where it is the best so far. */
async function trainAndSave(
  tf: Tf,
  plan: Plan,
  options: TrainMultimodalOptions,
): Promise<{ best: Best; history: EpochRecord[]; epochSeconds: number[] }> {
  const { settings, saveDir } = options;
  const history: EpochRecord[] = [];
  const epochSeconds: number[] = [];
  const random = createRandom(settings.seed);
  const fresh = initialWeights(fusionGraph(plan.shape), random);
  const model = createFusion(tf, plan.shape, new Map([...fresh, ...plan.statistics]));
  let best: Best = { epoch: 0, weights: model.weights() };
  const save = (folder: string, weights: Weights, record: EpochRecord): void =>
    saveCheckpoint(folder, {
      classes: plan.classes,
      encoders: plan.encoders,
      weights,
      matchBy: plan.matchBy,
      epoch: record.epoch,
      settings: { ...settings, modalities: options.modalities },
      metrics: {
        val_loss: record.val_loss,
        val_accuracy: record.val_accuracy,
        val_uar: record.val_uar,
      },
    });
  try {
    refuseUnwritable(saveDir);
    await trainFusion(tf, model, {
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

function saveCheckpoint(folder: string, checkpoint: Checkpoint): void {
  const outputs = createOutputs();
  try {
    writeCheckpoint(outputs.stage(folder, "folder"), checkpoint);
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

/** Both modalities, and each alone, on the test set (or the validation set where there is no test). */
async function measureConditions(
  { shape, val, test }: Plan,
  measure: (set: RowSource, condition?: Condition) => Promise<ClassificationMetrics>,
): Promise<Record<string, ClassificationMetrics>> {
  if (shape.image === 0 || shape.audio === 0) return {};
  const set = test ?? val;
  return {
    both: await measure(set),
    image_only: await measure(set, { hide: "audio", having: "image" }),
    audio_only: await measure(set, { hide: "image", having: "audio" }),
  };
}
