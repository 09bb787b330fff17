import type { NamedTensorMap, Scalar, Tensor2D, Variable } from "@tensorflow/tfjs";
import { breathe } from "../breathe.ts";
import { UserError } from "../errors.ts";
import { type ClassificationMetrics, classificationMetrics } from "../metrics/classification.ts";
import { createRandom } from "../random.ts";
import { type AdamW, createAdamW } from "./adamW.ts";
import { type Tf, kernelHost } from "./backend.ts";
import { type FusionBatch, type FusionModel, MODALITIES, type Modality } from "./fusion.ts";
import type { Weights } from "./graph.ts";
import { crossEntropy, softTargets } from "./loss.ts";
import type { Batch, RowSource } from "./rowSource.ts";
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

export interface Evaluation {
  readonly loss: number;
  /** Softmax, [rows measured, classes] row-major. */
  readonly probabilities: Float32Array;
  readonly metrics: ClassificationMetrics;
}

export interface TrainOptions {
  readonly settings: TrainSettings;
  readonly classes: readonly string[];
  readonly train: RowSource;
  readonly val: RowSource;
  /**
   * After each epoch; `improved`: its validation macro recall is the best so far (a tie: the lower loss); `seconds`: how long
   * its training took, without the validation.
   */
  readonly onEpoch: (
    record: EpochRecord,
    improved: boolean,
    weights: Weights,
    seconds: number,
  ) => void;
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
  const stepsPerEpoch = Math.ceil(train.rows / settings.batchSize);
  const steps = stepsPerEpoch * settings.epochs;
  const run: Run = {
    classWeights: weightsOfClasses(train, settings),
    random: createRandom(settings.seed),
    learningRate: createSchedule(settings.scheduler, { ...settings, steps }),
    optimiser: createAdamW(tf, model.trainable, settings, kernelHost(tf)),
    steps,
  };
  try {
    await trainEpochs(tf, model, options, run, stepsPerEpoch);
  } finally {
    run.optimiser.dispose();
  }
}

async function trainEpochs(
  tf: Tf,
  model: FusionModel,
  options: TrainOptions,
  run: Run,
  stepsPerEpoch: number,
): Promise<void> {
  const { settings } = options;
  let best: EpochRecord | undefined;
  for (let epoch = 1; epoch <= settings.epochs; epoch += 1) {
    const firstStep = (epoch - 1) * stepsPerEpoch;
    const started = performance.now();
    const trainLoss = await trainEpoch(tf, model, options, run, firstStep);
    const seconds = (performance.now() - started) / 1000;
    const { loss, metrics } = await evaluateFusion(
      tf,
      model,
      options.val,
      options.classes,
      options,
    );
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
    options.onEpoch(record, improved, model.weights(), seconds);
    if (settings.earlyStop > 0 && epoch - (best?.epoch ?? 0) >= settings.earlyStop) return;
  }
}

/** What a training keeps from its first step to its last. */
interface Run {
  /** [classes] */
  readonly classWeights: Float32Array;
  readonly random: () => number;
  readonly learningRate: (step: number) => number;
  readonly optimiser: AdamW;
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
  let lossSum = 0;
  let rows = 0;
  let step = firstStep;
  for await (const batch of train.shuffled(settings.batchSize, run.random)) {
    if (batch.rows < 2) continue;
    const loss = trainStep(tf, model, batch, settings, run, run.learningRate(step));
    requireFinite(loss);
    lossSum += loss * batch.rows;
    rows += batch.rows;
    step += 1;
    onStep?.(step, run.steps);
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

/** scikit-learn's "balanced": N / (classes · rows of the class); a class without rows gets 0. */
function weightsOfClasses(
  { rows, classCounts }: RowSource,
  { classWeights }: TrainSettings,
): Float32Array {
  return Float32Array.from(classCounts, (count) => {
    if (count === 0) return 0;
    return classWeights === "balanced" ? rows / (classCounts.length * count) : 1;
  });
}

/** One step: loss, gradients, update. Returns the batch's loss. */
function trainStep(
  tf: Tf,
  model: FusionModel,
  batch: Batch,
  settings: TrainSettings,
  { classWeights, random, optimiser }: Run,
  learningRate: number,
): number {
  return tf.tidy(() => {
    dropModalities(batch, settings.modalityDropout, random);
    const inputs = toTensors(tf, batch);
    const targets = softTargets(batch.classIds, classWeights, settings.labelSmoothing);
    const mode = { training: true, dropoutSeed: () => Math.floor(random() * 2 ** 32) } as const;
    const { value, grads } = tf.variableGrads(
      (): Scalar => crossEntropy(tf, model.forward(inputs, mode), targets),
      [...model.trainable.values()],
    );
    optimiser.step(byOurNames(grads, model.trainable), learningRate);
    return value.dataSync()[0] ?? NaN;
  });
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

/** tf.variableGrads names gradients by its own variable names; we by ours. */
function byOurNames(
  gradients: NamedTensorMap,
  variables: ReadonlyMap<string, Variable>,
): NamedTensorMap {
  const named: NamedTensorMap = {};
  for (const [name, variable] of variables) {
    const gradient = gradients[variable.name];
    if (gradient !== undefined) named[name] = gradient;
  }
  return named;
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
export async function evaluateFusion(
  tf: Tf,
  model: FusionModel,
  source: RowSource,
  classes: readonly string[],
  { hide, having, signal }: Condition = {},
): Promise<Evaluation> {
  const probabilities = new Float32Array(source.rows * classes.length);
  const truth = new Int32Array(source.rows);
  const predicted = new Int32Array(source.rows);
  let rows = 0;
  let loss = 0;
  for await (const batch of source.inOrder(EVALUATION_BATCH)) {
    await breathe(signal);
    if (hide !== undefined) batch.parts[hide]?.present.fill(0);
    const values = predictBatch(tf, model, batch);
    for (const [row, id] of batch.classIds.entries()) {
      if (having !== undefined && batch.parts[having]?.present[row] !== 1) continue;
      const of = values.subarray(row * classes.length, (row + 1) * classes.length);
      probabilities.set(of, rows * classes.length);
      predicted[rows] = of.indexOf(Math.max(...of));
      truth[rows] = id;
      loss -= Math.log(Math.max(of[id] ?? 0, 1e-12));
      rows += 1;
    }
  }
  requireFinite(loss);
  return {
    loss: loss / Math.max(1, rows),
    probabilities: probabilities.subarray(0, rows * classes.length),
    metrics: classificationMetrics(truth.subarray(0, rows), predicted.subarray(0, rows), classes),
  };
}

/** Softmax probabilities of a batch, [B, classes] row-major. */
export function predictBatch(tf: Tf, model: FusionModel, batch: Batch): Float32Array {
  const probabilities = tf.tidy(() =>
    tf.softmax<Tensor2D>(model.forward(toTensors(tf, batch), { training: false })),
  );
  const values = probabilities.dataSync() as Float32Array;
  probabilities.dispose();
  return values;
}
