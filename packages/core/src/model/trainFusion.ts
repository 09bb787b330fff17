import type { Tf } from "./backend.ts";
import { type FusionBatch, type FusionModel, MODALITIES, type Modality } from "./fusion.ts";
import type { Batch, RowSource } from "./rowSource.ts";
import {
  type Evaluation,
  type Learner,
  type TrainOptions,
  type TrainSettings,
  evaluate,
  probabilitiesOf,
  trainClassifier,
} from "./trainClassifier.ts";

export interface FusionSettings extends TrainSettings {
  /** Chance that a row of a batch that has both modalities loses one, [0, 1). */
  readonly modalityDropout: number;
}

export interface TrainFusionOptions extends TrainOptions<Batch> {
  readonly settings: FusionSettings;
}

/** Trains the model in place, as {@link trainClassifier} does. */
export function trainFusion(
  tf: Tf,
  model: FusionModel,
  options: TrainFusionOptions,
): Promise<void> {
  const { modalityDropout } = options.settings;
  const augment: Learner<Batch>["augment"] = (batch, _targets, random) =>
    dropModalities(batch, modalityDropout, random);
  return trainClassifier(tf, { ...learnerOf(tf, model), augment }, options);
}

function learnerOf(tf: Tf, model: FusionModel): Learner<Batch> {
  return {
    trainable: model.trainable,
    weights: () => model.weights(),
    scores: (batch, mode) => model.forward(toTensors(tf, batch), mode),
  };
}

/** The tensors of a batch. */
export function toTensors(tf: Tf, { rows, parts }: Batch): FusionBatch {
  const tensors: FusionBatch = {};
  for (const modality of MODALITIES) {
    const part = parts[modality];
    if (part === undefined) continue;
    tensors[modality] = {
      values: tf.tensor2d(part.values, [rows, part.values.length / rows]),
      present: tf.tensor2d(part.present, [rows, 1]),
    };
  }
  return tensors;
}

/** Takes a modality from some of the rows that have both. */
function dropModalities({ rows, parts }: Batch, chance: number, random: () => number): void {
  const { image, audio } = parts;
  if (chance === 0 || image === undefined || audio === undefined) return;
  for (let row = 0; row < rows; row += 1) {
    const hasBoth = image.present[row] === 1 && audio.present[row] === 1;
    if (hasBoth && random() < chance) (random() < 0.5 ? image : audio).present[row] = 0;
  }
}

/** What of a set is measured. */
export interface Condition {
  /** Treated as missing throughout. */
  readonly hide?: Modality;
  /** Only the rows that have it. */
  readonly having?: Modality;
  readonly signal?: AbortSignal | undefined;
}

/** Loss (not weighted), probabilities and metrics of a set. */
export function evaluateFusion(
  tf: Tf,
  model: FusionModel,
  source: RowSource,
  classes: readonly string[],
  { hide, having, signal }: Condition = {},
): Promise<Evaluation> {
  return evaluate(tf, learnerOf(tf, model), source, classes, {
    ...(hide && { alter: ({ parts }) => parts[hide]?.present.fill(0) }),
    ...(having && { counts: ({ parts }, row) => parts[having]?.present[row] === 1 }),
    signal,
  });
}

/** Softmax probabilities of a batch, [B, classes] row-major. */
export function predictBatch(tf: Tf, model: FusionModel, batch: Batch): Float32Array {
  return probabilitiesOf(tf, learnerOf(tf, model), batch);
}
