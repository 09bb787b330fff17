import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { createOutputs, withOutputs } from "@emotion-service/core/files/outputs";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import {
  type BackendChoice,
  type TensorFlow,
  type Tf,
  loadTensorFlow,
} from "@emotion-service/core/model/backend";
import { type Checkpoint, writeCheckpoint } from "@emotion-service/core/model/checkpoint";
import {
  type Dataset,
  type Standardisation,
  fitStandardisation,
  selectRows,
  standardise,
} from "@emotion-service/core/model/dataset";
import {
  type FusionShape,
  MODALITIES,
  type Modality,
  type Weights,
  createFusion,
  initialWeights,
} from "@emotion-service/core/model/fusion";
import {
  type EpochRecord,
  type LabelledSet,
  type TrainSettings,
  evaluateFusion,
  trainFusion,
} from "@emotion-service/core/model/train";
import { createRandom } from "@emotion-service/core/random";
import { type ReadOptions, type Sets, readSets } from "./readSets.ts";
import type { TrainReport } from "./report.ts";
import { removeReports, writeReports } from "./writeReports.ts";

export interface TrainMultimodalOptions extends Omit<ReadOptions, "seed"> {
  readonly saveDir: string;
  readonly device: "auto" | "cpu" | "cuda";
  readonly backend: BackendChoice;
  readonly settings: TrainSettings;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** Pairs → a trained classifier: read, standardise, train, save the best and the last, measure the best. */
export async function trainMultimodal(options: TrainMultimodalOptions): Promise<TrainReport> {
  const { tf, backend } = await chooseBackend(options);
  const sets = await readSets({ ...options, seed: options.settings.seed });
  const plan = planTraining(sets);
  const { best, history } = await trainAndSave(tf, plan, options);
  const model = createFusion(tf, plan.shape, best.weights);
  try {
    const measure = (set: LabelledSet, hide?: Modality): ClassificationMetrics =>
      evaluateFusion(tf, model, set, plan.classes, hide).metrics;
    const report: TrainReport = {
      classes: plan.classes,
      modalities: MODALITIES.filter((name) => plan.shape[name] > 0),
      match_by: plan.matchBy,
      backend,
      parameters: [...best.weights.values()].reduce((sum, { data }) => sum + data.length, 0),
      epochs: history.length,
      best_epoch: best.epoch,
      train: measure(plan.train),
      val: measure(plan.val),
      test: plan.test === undefined ? null : measure(plan.test),
      conditions: measureConditions(plan, measure),
      history,
      files: [bestFolder(options), lastFolder(options)],
    };
    const files = await withOutputs((outputs) => writeReports(options.saveDir, report, outputs));
    return { ...report, files: [...report.files, ...files] };
  } finally {
    model.dispose();
  }
}

async function chooseBackend(options: TrainMultimodalOptions): Promise<TensorFlow> {
  const { device, backend } = options;
  if (device === "cuda" && backend !== "auto" && backend !== "tensorflow")
    throw new UserError("E_FLAG", `--device cuda: needs --backend tensorflow, got ${backend}`);
  const tensorFlow =
    device === "cuda"
      ? await loadTensorFlow("tensorflow", "--device cuda")
      : await loadTensorFlow(backend);
  options.onNotice(`TensorFlow.js on ${tensorFlow.backend}: ${tensorFlow.reason}`);
  return tensorFlow;
}

/** Everything that training needs, ready: standardised sets, class ids, the model's shape. */
interface Plan {
  readonly classes: readonly string[];
  readonly shape: FusionShape;
  readonly encoders: Checkpoint["encoders"];
  readonly standardisation: Checkpoint["standardisation"];
  readonly matchBy: string;
  readonly train: LabelledSet;
  readonly val: LabelledSet;
  readonly test: LabelledSet | undefined;
}

function planTraining({ train, val, test, classes }: Sets): Plan {
  const standardisation: Partial<Record<Modality, Standardisation>> = {};
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  for (const modality of MODALITIES) {
    const rows = train[modality];
    if (rows === undefined) continue;
    standardisation[modality] = fitStandardisation(rows);
    encoders[modality] = rows.encoder;
  }
  const prepare = (dataset: Dataset): LabelledSet => ({
    dataset: standardiseAll(dataset, standardisation),
    classIds: Int32Array.from(dataset.labels, (label) => classes.indexOf(label)),
  });
  return {
    classes,
    shape: {
      image: train.image?.values.columns ?? 0,
      audio: train.audio?.values.columns ?? 0,
      classes: classes.length,
    },
    encoders,
    standardisation,
    matchBy: train.matchBy,
    train: prepare(train),
    val: prepare(val),
    test: test && prepare(test),
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
): Promise<{ best: Best; history: EpochRecord[] }> {
  const { settings, saveDir } = options;
  const history: EpochRecord[] = [];
  const random = createRandom(settings.seed);
  const model = createFusion(tf, plan.shape, initialWeights(plan.shape, random));
  let best: Best = { epoch: 0, weights: model.weights() };
  const save = (folder: string, weights: Weights, record: EpochRecord): void =>
    saveCheckpoint(folder, {
      classes: plan.classes,
      encoders: plan.encoders,
      standardisation: plan.standardisation,
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
      onEpoch: (record, improved, weights) => {
        if (history.length === 0) removeReports(saveDir);
        history.push(record);
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
    return { best, history };
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

function standardiseAll(dataset: Dataset, by: Plan["standardisation"]): Dataset {
  return {
    ...dataset,
    ...(dataset.image && by.image ? { image: standardise(dataset.image, by.image) } : {}),
    ...(dataset.audio && by.audio ? { audio: standardise(dataset.audio, by.audio) } : {}),
  };
}

/** Both modalities, and each alone, on the test set (or the validation set where there is no test). */
function measureConditions(
  { shape, val, test }: Plan,
  measure: (set: LabelledSet, hide?: Modality) => ClassificationMetrics,
): Record<string, ClassificationMetrics> {
  if (shape.image === 0 || shape.audio === 0) return {};
  const set = test ?? val;
  return {
    both: measure(set),
    image_only: measure(rowsWith(set, "image"), "audio"),
    audio_only: measure(rowsWith(set, "audio"), "image"),
  };
}

/** Without the rest, a modality would be measured on rows that lack it. */
function rowsWith({ dataset, classIds }: LabelledSet, modality: Modality): LabelledSet {
  const present = dataset[modality]?.present ?? new Uint8Array(0);
  const rows = [...classIds.keys()].filter((row) => present[row] === 1);
  return {
    dataset: selectRows(dataset, rows),
    classIds: Int32Array.from(rows, (row) => classIds[row] ?? 0),
  };
}
