import type { NamedTensorMap, Scalar, Tensor2D, Variable } from "@tensorflow/tfjs";
import { throwIfAborted } from "../errors.ts";
import { type ClassificationMetrics, classificationMetrics } from "../metrics/classification.ts";
import { createRandom, shuffle } from "../random.ts";
import { createAdamW } from "./adamW.ts";
import type { Tf } from "./backend.ts";
import { type Dataset, toBatch } from "./dataset.ts";
import { type FusionModel, type Modality, type Weights, isTrainable } from "./fusion.ts";
import { type Scheduler, createSchedule } from "./schedule.ts";

export interface TrainSettings {
  readonly epochs: number;
  readonly batchSize: number;
  readonly lr: number;
  readonly maxLr: number;
  readonly scheduler: Scheduler;
  readonly weightDecay: number;
  /** Largest global norm of the gradients; 0: not clipped. */
  readonly gradClip: number;
  /** Share of a target that is spread over all classes, [0, 1). */
  readonly labelSmoothing: number;
  /** Chance that a row of a batch loses one of its two modalities, [0, 1). */
  readonly modalityDropout: number;
  readonly classWeights: "balanced" | "none";
  /** Epochs without a better validation after which training ends; 0: never. */
  readonly earlyStop: number;
  readonly seed: number;
}

/** One epoch of the history. */
export interface EpochRecord {
  readonly epoch: number;
  readonly lr: number;
  readonly train_loss: number;
  readonly val_loss: number;
  readonly val_accuracy: number;
  readonly val_uar: number;
}

/** A set of rows with its class ids, ready for the model: standardised, every label known. */
export interface LabelledSet {
  readonly dataset: Dataset;
  /** Class ids, [N]. */
  readonly classIds: Int32Array;
}

export interface Evaluation {
  readonly loss: number;
  /** Softmax, [N, classes] row-major. */
  readonly probabilities: Float32Array;
  readonly metrics: ClassificationMetrics;
}

export interface TrainOptions {
  readonly settings: TrainSettings;
  readonly classes: readonly string[];
  readonly train: LabelledSet;
  readonly val: LabelledSet;
  /** After each epoch; `improved`: its validation macro recall is the best so far (a tie: the lower loss). */
  readonly onEpoch: (record: EpochRecord, improved: boolean, weights: Weights) => void;
  readonly onStep?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of a forward pass when nothing is learnt. */
const EVALUATION_BATCH = 1024;

/**
 * Trains the model in place: AdamW on the class-weighted cross entropy, batches in an order drawn from the seed.
 * A last batch of one row is left out, as its batch statistics would say nothing.
 */
export async function trainFusion(tf: Tf, model: FusionModel, options: TrainOptions): Promise<void> {
  const { settings, train } = options;
  const random = createRandom(settings.seed);
  const classWeights = weightsOfClasses(train.classIds, options.classes.length, settings);
  const stepsPerEpoch = Math.ceil(train.dataset.rows / settings.batchSize);
  const steps = stepsPerEpoch * settings.epochs;
  const learningRate = createSchedule(settings.scheduler, { ...settings, steps });
  const update = createAdamW(tf, model.variables, settings);
  let best: EpochRecord | undefined;
  for (let epoch = 1; epoch <= settings.epochs; epoch += 1) {
    const order = shuffle(Int32Array.from({ length: train.dataset.rows }, (_, i) => i), random);
    let lossSum = 0;
    let rows = 0;
    for (let start = 0; start < order.length; start += settings.batchSize) {
      const indices = order.subarray(start, start + settings.batchSize);
      if (indices.length < 2) continue;
      const step = (epoch - 1) * stepsPerEpoch + start / settings.batchSize;
      const loss = trainStep(tf, model, train, indices, { settings, classWeights, random }, (gradients) =>
        update(gradients, learningRate(step)),
      );
      lossSum += loss * indices.length;
      rows += indices.length;
      options.onStep?.(step + 1, steps);
      await breathe(options.signal);
    }
    const evaluation = evaluateFusion(tf, model, options.val, options.classes);
    const record: EpochRecord = {
      epoch,
      lr: learningRate(epoch * stepsPerEpoch - 1),
      train_loss: lossSum / Math.max(1, rows),
      val_loss: evaluation.loss,
      val_accuracy: evaluation.metrics.accuracy,
      val_uar: evaluation.metrics.uar,
    };
    const improved = best === undefined || isBetter(record, best);
    if (improved) best = record;
    options.onEpoch(record, improved, model.weights());
    if (settings.earlyStop > 0 && epoch - (best?.epoch ?? 0) >= settings.earlyStop) return;
  }
}

function isBetter(a: EpochRecord, b: EpochRecord): boolean {
  return a.val_uar > b.val_uar || (a.val_uar === b.val_uar && a.val_loss < b.val_loss);
}

/** Lets signals through, and stops when one came. */
async function breathe(signal: AbortSignal | undefined): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  throwIfAborted(signal);
}

/** scikit-learn's "balanced": N / (classes · rows of the class); a class without rows gets 0. */
function weightsOfClasses(
  classIds: Int32Array,
  classes: number,
  { classWeights }: TrainSettings,
): Float32Array {
  const counts = new Float64Array(classes);
  for (const id of classIds) counts[id] = (counts[id] ?? 0) + 1;
  return Float32Array.from(counts, (count) => {
    if (count === 0) return 0;
    return classWeights === "balanced" ? classIds.length / (classes * count) : 1;
  });
}

interface StepContext {
  readonly settings: TrainSettings;
  readonly classWeights: Float32Array;
  readonly random: () => number;
}

/** One step: loss, gradients, update. Returns the batch's loss. */
function trainStep(
  tf: Tf,
  model: FusionModel,
  { dataset, classIds }: LabelledSet,
  indices: Int32Array,
  { settings, classWeights, random }: StepContext,
  update: (gradients: NamedTensorMap) => void,
): number {
  const trainable = [...model.variables].filter(([name]) => isTrainable(name));
  return tf.tidy(() => {
    const hidden = drawHidden(indices, settings.modalityDropout, random);
    const batch = toBatch(tf, dataset, indices, (row, modality) => hidden.get(row) === modality);
    const { targets, total } = softTargets(indices, classIds, classWeights, settings.labelSmoothing);
    const weightedTargets = tf.tensor2d(targets, [indices.length, classWeights.length]);
    const { value, grads } = tf.variableGrads((): Scalar => {
      const logits = model.forward(batch, { training: true, random });
      return tf.div(tf.neg(tf.sum(tf.mul(weightedTargets, tf.logSoftmax(logits)))), total);
    }, trainable.map(([, variable]) => variable));
    update(byOurNames(grads, trainable));
    return value.dataSync()[0] ?? NaN;
  });
}

/** tf.variableGrads names gradients by its own variable names; we by ours. */
function byOurNames(
  gradients: NamedTensorMap,
  variables: readonly (readonly [string, Variable])[],
): NamedTensorMap {
  const named: NamedTensorMap = {};
  for (const [name, variable] of variables) {
    const gradient = gradients[variable.name];
    if (gradient !== undefined) named[name] = gradient;
  }
  return named;
}

/** The modality that each row of a batch is to lose, where it loses one. */
function drawHidden(
  indices: Int32Array,
  chance: number,
  random: () => number,
): ReadonlyMap<number, Modality> {
  const hidden = new Map<number, Modality>();
  if (chance > 0)
    for (const row of indices)
      if (random() < chance) hidden.set(row, random() < 0.5 ? "image" : "audio");
  return hidden;
}

/**
 * Targets times class weights, and what to divide their loss by: torch.nn.CrossEntropyLoss(weight, label_smoothing).
 */
function softTargets(
  indices: Int32Array,
  classIds: Int32Array,
  classWeights: Float32Array,
  smoothing: number,
): { targets: Float32Array; total: number } {
  const classes = classWeights.length;
  const targets = new Float32Array(indices.length * classes);
  let total = 0;
  for (const [i, row] of indices.entries()) {
    const id = classIds[row] ?? 0;
    total += classWeights[id] ?? 0;
    for (let k = 0; k < classes; k += 1) {
      const target = smoothing / classes + (k === id ? 1 - smoothing : 0);
      targets[i * classes + k] = target * (classWeights[k] ?? 0);
    }
  }
  return { targets, total };
}

/** Loss (not weighted), probabilities and metrics of a set; `hide` treats a modality as missing throughout. */
export function evaluateFusion(
  tf: Tf,
  model: FusionModel,
  { dataset, classIds }: LabelledSet,
  classes: readonly string[],
  hide?: Modality,
): Evaluation {
  const probabilities = predictFusion(tf, model, dataset, hide);
  const predicted = new Int32Array(classIds.length);
  let loss = 0;
  for (const [row, id] of classIds.entries()) {
    const of = probabilities.subarray(row * classes.length, (row + 1) * classes.length);
    predicted[row] = of.indexOf(Math.max(...of));
    loss -= Math.log(Math.max(of[id] ?? 0, 1e-12)) / classIds.length;
  }
  return { loss, probabilities, metrics: classificationMetrics(classIds, predicted, classes) };
}

/** Softmax probabilities of standardised rows, [N, classes] row-major. */
export function predictFusion(
  tf: Tf,
  model: FusionModel,
  dataset: Dataset,
  hide?: Modality,
): Float32Array {
  const { classes } = model.shape;
  const probabilities = new Float32Array(dataset.rows * classes);
  for (let start = 0; start < dataset.rows; start += EVALUATION_BATCH) {
    const length = Math.min(EVALUATION_BATCH, dataset.rows - start);
    const indices = Int32Array.from({ length }, (_, i) => start + i);
    const values = tf.tidy(() => {
      const batch = toBatch(tf, dataset, indices, (_, modality) => modality === hide);
      return tf.softmax(model.forward(batch, { training: false })) as Tensor2D;
    });
    probabilities.set(values.dataSync(), start * classes);
    values.dispose();
  }
  return probabilities;
}
