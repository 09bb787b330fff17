import type { NamedTensorMap, Scalar, Tensor2D, Variable } from "@tensorflow/tfjs";
import { UserError, throwIfAborted } from "../errors.ts";
import { type ClassificationMetrics, classificationMetrics } from "../metrics/classification.ts";
import { createRandom, shuffle } from "../random.ts";
import { createAdamW } from "./adamW.ts";
import type { Tf } from "./backend.ts";
import { type Dataset, toBatch } from "./dataset.ts";
import { type FusionModel, type Modality, type Weights, isTrainable } from "./fusion.ts";
import { crossEntropy, softTargets } from "./loss.ts";
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
  /** Chance that a row of a batch that has both modalities loses one, [0, 1). */
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
 * @throws UserError E_SETTINGS when the loss is no longer finite, E_ABORTED when the signal fires
 */
export async function trainFusion(
  tf: Tf,
  model: FusionModel,
  options: TrainOptions,
): Promise<void> {
  const { settings, train } = options;
  const stepsPerEpoch = Math.ceil(train.dataset.rows / settings.batchSize);
  const steps = stepsPerEpoch * settings.epochs;
  const run: Run = {
    classWeights: weightsOfClasses(train.classIds, options.classes.length, settings),
    random: createRandom(settings.seed),
    learningRate: createSchedule(settings.scheduler, { ...settings, steps }),
    update: createAdamW(tf, model.variables, settings),
    steps,
  };
  let best: EpochRecord | undefined;
  for (let epoch = 1; epoch <= settings.epochs; epoch += 1) {
    const firstStep = (epoch - 1) * stepsPerEpoch;
    const trainLoss = await trainEpoch(tf, model, options, run, firstStep);
    const { loss, metrics } = evaluateFusion(tf, model, options.val, options.classes);
    const record: EpochRecord = {
      epoch,
      lr: run.learningRate(firstStep + stepsPerEpoch - 1),
      train_loss: trainLoss,
      val_loss: loss,
      val_accuracy: metrics.accuracy,
      val_uar: metrics.uar,
    };
    const improved = best === undefined || isBetter(record, best);
    if (improved) best = record;
    options.onEpoch(record, improved, model.weights());
    if (settings.earlyStop > 0 && epoch - (best?.epoch ?? 0) >= settings.earlyStop) return;
  }
}

/** What a training keeps from its first step to its last. */
interface Run {
  /** [classes] */
  readonly classWeights: Float32Array;
  readonly random: () => number;
  readonly learningRate: (step: number) => number;
  readonly update: ReturnType<typeof createAdamW>;
  readonly steps: number;
}

/** One pass over the training rows; returns the mean loss. */
async function trainEpoch(
  tf: Tf,
  model: FusionModel,
  { settings, train, onStep, signal }: TrainOptions,
  run: Run,
  firstStep: number,
): Promise<number> {
  const order = shuffle(
    Int32Array.from({ length: train.dataset.rows }, (_, i) => i),
    run.random,
  );
  let lossSum = 0;
  let rows = 0;
  for (let start = 0; start < order.length; start += settings.batchSize) {
    const indices = order.subarray(start, start + settings.batchSize);
    if (indices.length < 2) continue;
    const step = firstStep + start / settings.batchSize;
    const loss = trainStep(tf, model, train, indices, settings, run, run.learningRate(step));
    requireFinite(loss);
    lossSum += loss * indices.length;
    rows += indices.length;
    onStep?.(step + 1, run.steps);
    await breathe(signal);
  }
  return lossSum / Math.max(1, rows);
}

function isBetter(a: EpochRecord, b: EpochRecord): boolean {
  return a.val_uar > b.val_uar || (a.val_uar === b.val_uar && a.val_loss < b.val_loss);
}

function requireFinite(loss: number): void {
  if (!Number.isFinite(loss))
    throw new UserError(
      "E_SETTINGS",
      `training: the loss must stay finite, is ${loss}: it diverged`,
      {
        hint: "lower --lr or --max_lr, and leave --grad_clip at 1",
      },
    );
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

/** One step: loss, gradients, update. Returns the batch's loss. */
function trainStep(
  tf: Tf,
  model: FusionModel,
  { dataset, classIds }: LabelledSet,
  indices: Int32Array,
  settings: TrainSettings,
  { classWeights, random, update }: Run,
  learningRate: number,
): number {
  const trainable = [...model.variables].filter(([name]) => isTrainable(name));
  return tf.tidy(() => {
    const hidden = drawHidden(dataset, indices, settings.modalityDropout, random);
    const batch = toBatch(tf, dataset, indices, (row, modality) => hidden.get(row) === modality);
    const labels = Array.from(indices, (row) => classIds[row] ?? 0);
    const targets = softTargets(labels, classWeights, settings.labelSmoothing);
    const { value, grads } = tf.variableGrads(
      (): Scalar => crossEntropy(tf, model.forward(batch, { training: true, random }), targets),
      trainable.map(([, variable]) => variable),
    );
    update(byOurNames(grads, trainable), learningRate);
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

/** The modality that each row of a batch is to lose; a row that has only one keeps it. */
function drawHidden(
  { image, audio }: Dataset,
  indices: Int32Array,
  chance: number,
  random: () => number,
): ReadonlyMap<number, Modality> {
  const hidden = new Map<number, Modality>();
  if (chance === 0 || image === undefined || audio === undefined) return hidden;
  for (const row of indices) {
    const hasBoth = image.present[row] === 1 && audio.present[row] === 1;
    if (hasBoth && random() < chance) hidden.set(row, random() < 0.5 ? "image" : "audio");
  }
  return hidden;
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
  requireFinite(loss);
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
      return tf.softmax<Tensor2D>(model.forward(batch, { training: false }));
    });
    probabilities.set(values.dataSync(), start * classes);
    values.dispose();
  }
  return probabilities;
}
