import type { Tf } from "./backend.ts";
import { type FusionBatch, type FusionModel, MODALITIES, type Modality } from "./fusion.ts";
import type { Batch } from "./rowSource.ts";
import { softmaxRows } from "./softmax.ts";
import { type EvaluateOptions, type Learner, scoresOf } from "./trainClassifier.ts";

/** The model as what learns; a row that has both modalities loses one by the chance `modalityDropout`, [0, 1). */
export function fusionLearner(tf: Tf, model: FusionModel, modalityDropout: number): Learner<Batch> {
  return {
    trainable: model.trainable,
    weights: () => model.weights(),
    scores: (batch, mode) => model.forward(toTensors(tf, batch), mode),
    augment: (batch, _targets, random) => dropModalities(batch, modalityDropout, random),
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
}

/** A condition as `evaluate` takes it. */
export function under({ hide, having }: Condition): EvaluateOptions<Batch> {
  return {
    ...(hide && { alter: ({ parts }) => parts[hide]?.present.fill(0) }),
    ...(having && { counts: ({ parts }, row) => parts[having]?.present[row] === 1 }),
  };
}

/** Softmax probabilities of a batch, the scores divided by a temperature first, [B, classes] row-major. */
export function predictBatch(
  tf: Tf,
  model: FusionModel,
  batch: Batch,
  temperature = 1,
): Float32Array {
  const scores = scoresOf(tf, fusionLearner(tf, model, 0), batch);
  return softmaxRows(scores, model.shape.classes, temperature);
}
