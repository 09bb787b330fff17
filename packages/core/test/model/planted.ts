import { createHash } from "node:crypto";
import type { ModalityRows, RowValues } from "@emotion-service/core/model/dataset";
import {
  type FusionModel,
  type FusionShape,
  createFusion,
  fusionGraph,
} from "@emotion-service/core/model/fusion";
import { type Weights, initialWeights } from "@emotion-service/core/model/graph";
import type { Tf } from "@emotion-service/core/model/backend";
import { type Batch, type RowSource, rowsInMemory } from "@emotion-service/core/model/rowSource";
import {
  type EpochRecord,
  type Evaluation,
  type TrainOptions,
  type TrainSettings,
  evaluate,
  trainClassifier,
} from "@emotion-service/core/model/trainClassifier";
import { type Condition, fusionLearner, under } from "@emotion-service/core/model/fusionLearner";
import { createRandom, normal } from "@emotion-service/core/random";

export const CLASSES = ["angry", "happy", "neutral", "sad"];
export const SHAPE: FusionShape = { image: 6, audio: 5, classes: 4 };

export interface FusionSettings extends TrainSettings {
  readonly modalityDropout: number;
}

/** Trains a fusion classifier. */
export function trainFusion(
  tf: Tf,
  model: FusionModel,
  options: TrainOptions<Batch> & { readonly settings: FusionSettings },
): Promise<void> {
  const learner = fusionLearner(tf, model, options.settings.modalityDropout);
  return trainClassifier(tf, learner, options);
}

/** Measures it. */
export function evaluateFusion(
  tf: Tf,
  model: FusionModel,
  source: RowSource,
  classes: readonly string[],
  condition: Condition = {},
): Promise<Evaluation> {
  return evaluate(tf, fusionLearner(tf, model, 0), source, classes, under(condition));
}

export const SETTINGS: FusionSettings = {
  epochs: 6,
  batchSize: 32,
  lr: 1e-3,
  maxLr: 1e-2,
  scheduler: "none",
  weightDecay: 1e-5,
  gradClip: 1,
  labelSmoothing: 0,
  modalityDropout: 0,
  classWeights: "balanced",
  earlyStop: 0,
  seed: 1,
};

/** Rows whose classes are known. */
export interface LabelledSet {
  readonly dataset: RowValues;
  /** [N], places in {@link CLASSES} */
  readonly classIds: Int32Array;
}

interface PlantedOptions {
  readonly rows?: number;
  readonly seed?: number;
  /** How far the first value of a modality is moved by what it knows of the class, in deviations of its noise. */
  readonly image?: number;
  readonly audio?: number;
  /** half: the image knows class & 1, the audio class >> 1; whole: each knows the class, 0 to 3. */
  readonly knows?: "half" | "whole";
  /** Rows of which the modality is absent (the value there is 1e3, which nobody must read). */
  readonly withoutImage?: (row: number) => boolean;
}

/** Rows of noise in which the class of a row is planted. */
export function planted(options: PlantedOptions = {}): LabelledSet {
  const { rows = 256, seed = 1, image = 4, audio = 4, knows = "half", withoutImage } = options;
  const random = createRandom(seed);
  const classIds = Int32Array.from({ length: rows }, () => Math.floor(random() * 4));
  const modality = (
    columns: number,
    strength: number,
    part: (id: number) => number,
    isAbsent: (row: number) => boolean = () => false,
  ): ModalityRows => {
    const data = new Float32Array(rows * columns);
    for (let i = 0; i < data.length; i += 1) {
      const row = Math.floor(i / columns);
      const column = i % columns;
      const id = classIds[row]!;
      const signal = column > 0 ? 0 : knows === "whole" ? id : part(id);
      data[i] = isAbsent(row) ? 1e3 : strength * signal + normal(random);
    }
    return {
      encoder: { model: "made", weightsSha256: "none", featureConfig: "{}", dim: columns },
      values: { data, rows, columns },
      present: Uint8Array.from({ length: rows }, (_, row) => Number(!isAbsent(row))),
    };
  };
  const dataset: RowValues = {
    rows,
    image: modality(SHAPE.image, image, (id) => id & 1, withoutImage),
    audio: modality(SHAPE.audio, audio, (id) => id >> 1),
  };
  return { dataset, classIds };
}

/** The set with one modality alone. */
export function only(modality: "image" | "audio", { dataset, classIds }: LabelledSet): LabelledSet {
  const { image, audio, ...rest } = dataset;
  const kept = modality === "image" ? { image: image! } : { audio: audio! };
  return { dataset: { ...rest, ...kept }, classIds };
}

/** The rows of a set as training and evaluation take them. */
export function sourceOf({ dataset, classIds }: LabelledSet): RowSource {
  return rowsInMemory(dataset, classIds, CLASSES.length);
}

/** A fresh model; the caller disposes of it. */
export function freshModel(tf: Tf, shape = SHAPE, seed = 1): FusionModel {
  return createFusion(tf, shape, initialWeights(fusionGraph(shape), createRandom(seed)));
}

/** A digest of every bit of the weights: equal for equal weights, quick to compare. */
export function bytesOf(weights: Weights): string {
  const hash = createHash("sha256");
  for (const [name, { shape, data }] of weights)
    hash.update(`${name}[${shape.join(",")}]`).update(data);
  return hash.digest("hex");
}

/** Trains a fresh model; the caller disposes of it. */
export async function trained(
  tf: Tf,
  train: LabelledSet,
  val: LabelledSet,
  settings: Partial<FusionSettings> = {},
): Promise<{ model: FusionModel; history: EpochRecord[]; improved: number[] }> {
  const { image, audio } = train.dataset;
  const shape = {
    image: image?.values.columns ?? 0,
    audio: audio?.values.columns ?? 0,
    classes: CLASSES.length,
  };
  const all = { ...SETTINGS, ...settings };
  const model = freshModel(tf, shape, all.seed);
  const history: EpochRecord[] = [];
  const improved: number[] = [];
  await trainFusion(tf, model, {
    settings: all,
    classes: CLASSES,
    train: sourceOf(train),
    val: sourceOf(val),
    onEpoch: (record, better) => {
      history.push(record);
      if (better) improved.push(record.epoch);
    },
  });
  return { model, history, improved };
}

/** The rows named, in that order. */
export function selectRows(dataset: RowValues, indices: readonly number[]): RowValues {
  const modality = (rows: ModalityRows): ModalityRows => {
    const { columns } = rows.values;
    const data = new Float32Array(indices.length * columns);
    for (const [to, from] of indices.entries())
      data.set(rows.values.data.subarray(from * columns, (from + 1) * columns), to * columns);
    return {
      encoder: rows.encoder,
      values: { data, rows: indices.length, columns },
      present: Uint8Array.from(indices, (i) => rows.present[i] ?? 0),
    };
  };
  return {
    rows: indices.length,
    ...(dataset.image === undefined ? {} : { image: modality(dataset.image) }),
    ...(dataset.audio === undefined ? {} : { audio: modality(dataset.audio) }),
  };
}
