import type { NamedTensorMap, Scalar, Tensor2D, Variable } from "@tensorflow/tfjs";
import { breathe } from "../breathe.ts";
import { UserError } from "../errors.ts";
import { type ClassificationMetrics, classificationMetrics } from "../metrics/classification.ts";
import { type RandomState, type RandomStream, continueRandom, createRandom } from "../random.ts";
import { type AdamW, type AdamWState, createAdamW } from "./adamW.ts";
import { type Tf, kernelHost } from "./backend.ts";
import type { Weights } from "./graph.ts";
import type { RunMode } from "./layers.ts";
import { type SoftTargets, crossEntropy, softTargets } from "./loss.ts";
import type { LabelledBatch, RowSource } from "./rowSource.ts";
import { type Scheduler, createSchedule } from "./schedule.ts";
import { softmaxRows } from "./softmax.ts";

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
  /** Class scores before softmax, [rows measured, classes] row-major. */
  readonly logits: Float32Array;
  /** Class ids, [rows measured] */
  readonly truth: Int32Array;
  readonly metrics: ClassificationMetrics;
}

/** What a training keeps from epoch to epoch beside the weights: with both it goes on as if it had never stopped. */
export interface TrainingState {
  /** Of all epochs so far. */
  readonly history: readonly EpochRecord[];
  readonly random: RandomState;
  readonly optimiser: AdamWState;
}

/** What an epoch leaves, beside its record and its weights. */
export interface EpochEnd {
  /** Of the validation rows. */
  readonly validation: Evaluation;
  /** A copy of what the next epoch starts from. */
  readonly state: () => TrainingState;
}

/** A network that learns to tell classes, and how it takes a batch of its kind. */
export interface Learner<B extends LabelledBatch> {
  /** The weights that a gradient moves. */
  readonly trainable: ReadonlyMap<string, Variable>;
  /** A copy of every weight. */
  weights(): Weights;
  /** Class scores before softmax, [B, classes]. Called inside tf.tidy or a gradient. */
  scores(batch: B, mode: RunMode): Tensor2D;
  /** Changes a batch, and what it should be told as, at random before it is learnt from. */
  augment?(batch: B, targets: SoftTargets, random: () => number): void;
}

export interface TrainOptions<B extends LabelledBatch> {
  readonly settings: TrainSettings;
  readonly classes: readonly string[];
  readonly train: RowSource<B>;
  readonly val: RowSource<B>;
  /** Where an earlier training of the same settings and rows stood; the learner has the weights that it had then. */
  readonly from?: TrainingState | undefined;
  /**
   * After each epoch; `improved`: its validation macro recall is the best so far (a tie: the lower loss); `seconds`: how long
   * its training took, without the validation.
   */
  readonly onEpoch: (
    record: EpochRecord,
    improved: boolean,
    weights: Weights,
    seconds: number,
    end: EpochEnd,
  ) => void;
  readonly onStep?: (done: number, total: number) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Rows of a forward pass when nothing is learnt. */
const EVALUATION_BATCH = 1024;

/**
 * Trains in place: AdamW on the class-weighted cross entropy, batches in an order drawn from the seed.
 * A last batch of one row is left out, as its batch statistics would say nothing.
 * @throws UserError E_SETTINGS when the loss is no longer finite, E_ABORTED when the signal fires
 */
export async function trainClassifier<B extends LabelledBatch>(
  tf: Tf,
  learner: Learner<B>,
  options: TrainOptions<B>,
): Promise<void> {
  const { settings, train, from } = options;
  const stepsPerEpoch = Math.ceil(train.rows / settings.batchSize);
  const steps = stepsPerEpoch * settings.epochs;
  const run: Run = {
    classWeights: weightsOfClasses(train, settings),
    random: from === undefined ? createRandom(settings.seed) : continueRandom(from.random),
    learningRate: createSchedule(settings.scheduler, { ...settings, steps }),
    optimiser: createAdamW(tf, learner.trainable, settings, kernelHost(tf), from?.optimiser),
    steps,
  };
  try {
    await trainEpochs(tf, learner, options, run, stepsPerEpoch);
  } finally {
    run.optimiser.dispose();
  }
}

async function trainEpochs<B extends LabelledBatch>(
  tf: Tf,
  learner: Learner<B>,
  options: TrainOptions<B>,
  run: Run,
  stepsPerEpoch: number,
): Promise<void> {
  const { settings, from } = options;
  const history = [...(from?.history ?? [])];
  let best = bestOf(history);
  for (let epoch = history.length + 1; epoch <= settings.epochs; epoch += 1) {
    if (settings.earlyStop > 0 && epoch - 1 - (best?.epoch ?? 0) >= settings.earlyStop) return;
    const firstStep = (epoch - 1) * stepsPerEpoch;
    const started = performance.now();
    const trainLoss = await trainEpoch(tf, learner, options, run, firstStep);
    const seconds = (performance.now() - started) / 1000;
    const validation = await evaluate(tf, learner, options.val, options.classes, options);
    const record: EpochRecord = {
      epoch,
      lr: run.learningRate(firstStep + stepsPerEpoch - 1),
      train_loss: trainLoss,
      val_loss: validation.loss,
      val_accuracy: validation.metrics.accuracy,
      val_uar: validation.metrics.uar,
    };
    history.push(record);
    best = bestOf(history);
    options.onEpoch(record, best === record, learner.weights(), seconds, {
      validation,
      state: () => ({
        history: [...history],
        random: run.random.state(),
        optimiser: run.optimiser.state(),
      }),
    });
  }
}

/** The epoch with the best validation macro recall (a tie: the lower loss, then the earlier one). */
export function bestOf(history: readonly EpochRecord[]): EpochRecord | undefined {
  let best: EpochRecord | undefined;
  for (const record of history) if (best === undefined || isBetter(record, best)) best = record;
  return best;
}

/** What a training keeps from its first step to its last. */
interface Run {
  /** [classes] */
  readonly classWeights: Float32Array;
  readonly random: RandomStream;
  readonly learningRate: (step: number) => number;
  readonly optimiser: AdamW;
  readonly steps: number;
}

/** One pass over the training rows; returns the mean loss. */
async function trainEpoch<B extends LabelledBatch>(
  tf: Tf,
  learner: Learner<B>,
  { settings, train, onStep, signal }: TrainOptions<B>,
  run: Run,
  firstStep: number,
): Promise<number> {
  let lossSum = 0;
  let rows = 0;
  let step = firstStep;
  for await (const batch of train.shuffled(settings.batchSize, run.random)) {
    if (batch.rows < 2) continue;
    const loss = trainStep(tf, learner, batch, settings, run, run.learningRate(step));
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
  { rows, classCounts }: Pick<RowSource, "rows" | "classCounts">,
  { classWeights }: TrainSettings,
): Float32Array {
  return Float32Array.from(classCounts, (count) => {
    if (count === 0) return 0;
    return classWeights === "balanced" ? rows / (classCounts.length * count) : 1;
  });
}

/** One step: loss, gradients, update. Returns the batch's loss. */
function trainStep<B extends LabelledBatch>(
  tf: Tf,
  learner: Learner<B>,
  batch: B,
  settings: TrainSettings,
  { classWeights, random, optimiser }: Run,
  learningRate: number,
): number {
  return tf.tidy(() => {
    const targets = softTargets(batch.classIds, classWeights, settings.labelSmoothing);
    learner.augment?.(batch, targets, random);
    const mode = { training: true, dropoutSeed: () => Math.floor(random() * 2 ** 32) } as const;
    const { value, grads } = tf.variableGrads(
      (): Scalar => crossEntropy(tf, learner.scores(batch, mode), targets),
      [...learner.trainable.values()],
    );
    optimiser.step(byOurNames(grads, learner.trainable), learningRate);
    return value.dataSync()[0] ?? NaN;
  });
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

/** What of a set is measured. */
export interface EvaluateOptions<B extends LabelledBatch> {
  /** Changes each batch first. */
  readonly alter?: (batch: B) => void;
  /** Whether a row of a batch is measured; without it all are. */
  readonly counts?: (batch: B, row: number) => boolean;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Loss (not weighted), scores and metrics of a set.
 * @throws UserError E_SETTINGS when the loss is not finite, E_ABORTED when the signal fires
 */
export async function evaluate<B extends LabelledBatch>(
  tf: Tf,
  learner: Pick<Learner<B>, "scores">,
  source: RowSource<B>,
  classes: readonly string[],
  { alter, counts, signal }: EvaluateOptions<B> = {},
): Promise<Evaluation> {
  const logits = new Float32Array(source.rows * classes.length);
  const truth = new Int32Array(source.rows);
  const predicted = new Int32Array(source.rows);
  let rows = 0;
  let loss = 0;
  for await (const batch of source.inOrder(EVALUATION_BATCH)) {
    await breathe(signal);
    alter?.(batch);
    const scores = scoresOf(tf, learner, batch);
    const probabilities = softmaxRows(scores, classes.length);
    for (const [row, id] of batch.classIds.entries()) {
      if (counts?.(batch, row) === false) continue;
      const [start, end] = [row * classes.length, (row + 1) * classes.length];
      const of = probabilities.subarray(start, end);
      logits.set(scores.subarray(start, end), rows * classes.length);
      predicted[rows] = of.indexOf(Math.max(...of));
      truth[rows] = id;
      loss -= Math.log(Math.max(of[id] ?? 0, 1e-12));
      rows += 1;
    }
  }
  requireFinite(loss);
  return {
    loss: loss / Math.max(1, rows),
    logits: logits.subarray(0, rows * classes.length),
    truth: truth.subarray(0, rows),
    metrics: classificationMetrics(truth.subarray(0, rows), predicted.subarray(0, rows), classes),
  };
}

/** Class scores of a batch before softmax, [B, classes] row-major. */
export function scoresOf<B extends LabelledBatch>(
  tf: Tf,
  learner: Pick<Learner<B>, "scores">,
  batch: B,
): Float32Array {
  const scores = tf.tidy(() => learner.scores(batch, { training: false }));
  const values = scores.dataSync() as Float32Array;
  scores.dispose();
  return values;
}
