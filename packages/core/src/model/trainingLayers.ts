import type { Tensor, Tensor2D, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import { dropoutMask, dropoutThreshold } from "./dropout.ts";
import { FUSED, hasFusedKernels, runFused } from "./fusedKernels.ts";

/**
 * Layers whose training decides how long a step takes. Each is one kernel forth and one back where the backend has it
 * (fusedKernels.ts), else composed of TensorFlow.js's operations: the same numbers but for rounding.
 */

export interface BatchNormWeights {
  readonly gamma: Variable;
  readonly beta: Variable;
  readonly runningMean: Variable;
  readonly runningVariance: Variable;
}

/**
 * Batch norm over the last axis in training, whose statistics count only the rows where `present` [B, 1] is 1. Moves the
 * running statistics by the share `momentum` (that of the variance is the unbiased one, as PyTorch's); fewer than 2 rows
 * move nothing, as they have no deviation.
 */
export function trainBatchNorm(
  tf: Tf,
  x: Tensor,
  present: Tensor | undefined,
  weights: BatchNormWeights,
  { epsilon, momentum }: { readonly epsilon: number; readonly momentum: number },
): Tensor {
  const { gamma, beta } = weights;
  const counted = present === undefined ? rowsOf(x) : sumOf(present);
  const count = Math.max(1, counted);
  const move = (mean: Tensor, variance: Tensor): void => {
    if (counted < 2) return;
    moveTowards(tf, weights.runningMean, mean, momentum, 1);
    moveTowards(tf, weights.runningVariance, variance, momentum, counted / (counted - 1));
  };
  if (!hasFusedKernels(tf))
    return composedBatchNorm(tf, x, present, weights, { epsilon, count, move });
  const takes = present === undefined ? {} : { present };
  return withGradient(
    tf,
    [x, gamma, beta],
    () => {
      const inputs = { x, gamma, beta, ...takes };
      const [y, mean, variance, scale] = runFused(tf, FUSED.batchNorm, inputs, { count, epsilon });
      move(mean as Tensor, variance as Tensor);
      return {
        value: y as Tensor,
        kept: { x, mean: mean as Tensor, scale: scale as Tensor, ...takes },
      };
    },
    (dy, kept) => runFused(tf, FUSED.batchNormGradient, { dy, gamma, ...kept }, { count, epsilon }),
  );
}

/**
 * An operation with a gradient of its own.
 * @param run computes it, and names what the gradient needs
 * @param gradient of each input, from that of the output
 */
function withGradient(
  tf: Tf,
  inputs: readonly Tensor[],
  run: () => { readonly value: Tensor; readonly kept: Readonly<Record<string, Tensor>> },
  gradient: (dy: Tensor, kept: Record<string, Tensor>) => Tensor[],
): Tensor {
  const operation = tf.customGrad((...args) => {
    const save = args.at(-1) as unknown as (tensors: Tensor[]) => void;
    const { value, kept } = run();
    const names = Object.keys(kept);
    save(Object.values(kept));
    const gradFunc = (dy: Tensor, saved: Tensor[]): Tensor[] =>
      gradient(dy, Object.fromEntries(names.map((name, i) => [name, saved[i] as Tensor])));
    return { value, gradFunc };
  });
  return operation(...inputs);
}

function rowsOf(x: Tensor): number {
  return x.size / (x.shape.at(-1) ?? 1);
}

function sumOf(present: Tensor): number {
  return (present.dataSync() as Float32Array).reduce((a, b) => a + b, 0);
}

/** running + share · (factor · value - running), in plain numbers: an operation a step would take longer. */
function moveTowards(
  tf: Tf,
  running: Variable,
  value: Tensor,
  share: number,
  factor: number,
): void {
  const values = value.dataSync() as Float32Array;
  const moved = Float32Array.from(
    running.dataSync() as Float32Array,
    (before, i) => before + share * (factor * (values[i] ?? 0) - before),
  );
  const tensor = tf.tensor(moved, running.shape);
  running.assign(tensor);
  tensor.dispose();
}

function composedBatchNorm(
  tf: Tf,
  x: Tensor,
  present: Tensor | undefined,
  { gamma, beta }: BatchNormWeights,
  {
    epsilon,
    count,
    move,
  }: {
    readonly epsilon: number;
    readonly count: number;
    readonly move: (mean: Tensor, variance: Tensor) => void;
  },
): Tensor {
  const axes = x.shape.slice(0, -1).map((_, axis) => axis);
  const counted = (y: Tensor): Tensor => (present === undefined ? y : tf.mul(y, present));
  const mean = tf.div(tf.sum(counted(x), axes), count); // [C]
  const centred = tf.sub(x, mean);
  const variance = tf.div(tf.sum(counted(tf.square(centred)), axes), count); // [C]
  move(mean, variance);
  const scale = tf.mul(gamma, tf.rsqrt(tf.add(variance, epsilon)));
  return tf.add(tf.mul(centred, scale), beta);
}

/**
 * x · kernel + bias.
 * @param learnsBefore whether a gradient goes on to x
 */
export function dense(
  tf: Tf,
  x: Tensor,
  kernel: Variable,
  bias: Variable,
  learnsBefore: boolean,
): Tensor {
  if (!hasFusedKernels(tf) || x.rank !== 2)
    return tf.add(tf.matMul(x as Tensor2D, kernel as unknown as Tensor2D), bias);
  const before = learnsBefore ? [x] : [];
  return withGradient(
    tf,
    [kernel, bias, ...before],
    () => ({
      value: runFused(tf, FUSED.dense, { x, kernel, bias }, {})[0] as Tensor,
      kept: { x },
    }),
    (dy, kept) =>
      runFused(tf, FUSED.denseGradient, { dy, kernel, ...kept }, { withInput: before.length }),
  );
}

/** Layer norm over the last axis. */
export function layerNorm(
  tf: Tf,
  x: Tensor,
  gamma: Variable,
  beta: Variable,
  epsilon: number,
): Tensor {
  if (!hasFusedKernels(tf)) {
    const centred = tf.sub(x, tf.mean(x, -1, true));
    const variance = tf.mean(tf.square(centred), -1, true);
    const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, epsilon)));
    return tf.add(tf.mul(normal, gamma), beta);
  }
  return withGradient(
    tf,
    [x, gamma, beta],
    () => ({
      value: runFused(tf, FUSED.layerNorm, { x, gamma, beta }, { epsilon })[0] as Tensor,
      kept: { x },
    }),
    (dy, kept) => runFused(tf, FUSED.layerNormGradient, { dy, gamma, ...kept }, { epsilon }),
  );
}

/**
 * Dropout in training: zeros at `rate` of the values, the others times 1 / (1 - rate).
 * @param seed 32 bits, which say what is dropped
 */
export function dropout(tf: Tf, x: Tensor, rate: number, seed: number): Tensor {
  if (!hasFusedKernels(tf)) return tf.mul(x, tf.tensor(dropoutMask(x.size, rate, seed), x.shape));
  const settings = { seed, threshold: dropoutThreshold(rate), scale: 1 / (1 - rate) };
  const drop = (values: Tensor): Tensor =>
    runFused(tf, FUSED.dropout, { x: values }, settings)[0] as Tensor;
  return withGradient(
    tf,
    [x],
    () => ({ value: drop(x), kept: {} }),
    (dy) => [drop(dy)],
  );
}

/** max(x, 0) */
export function relu(tf: Tf, x: Tensor): Tensor {
  if (!hasFusedKernels(tf)) return tf.relu(x);
  return withGradient(
    tf,
    [x],
    () => {
      const y = tf.relu(x);
      return { value: y, kept: { y } };
    },
    (dy, kept) => runFused(tf, FUSED.reluGradient, { dy, ...kept }, {}),
  );
}

/** (x - mean) / deviation, and 0 where `present` [B, 1] is 0. No gradient goes through: it is for what is given, not learnt. */
export function standardise(
  tf: Tf,
  x: Tensor,
  mean: Variable,
  deviation: Variable,
  present: Tensor | undefined,
): Tensor {
  if (hasFusedKernels(tf)) {
    const inputs = { x, mean, deviation, ...(present === undefined ? {} : { present }) };
    return runFused(tf, FUSED.standardise, inputs, {})[0] as Tensor;
  }
  const standard = tf.div(tf.sub(x, mean), deviation);
  return present === undefined ? standard : tf.mul(standard, present);
}

/** Rows of x where `present` [B, 1] is 1, else the row `missing` [1, D]. */
export function fillMissing(tf: Tf, x: Tensor, present: Tensor, missing: Variable): Tensor {
  if (!hasFusedKernels(tf)) return tf.add(tf.mul(x, present), tf.mul(tf.sub(1, present), missing));
  return withGradient(
    tf,
    [x, missing],
    () => ({
      value: runFused(tf, FUSED.fillMissing, { x, present, missing }, {})[0] as Tensor,
      kept: { present },
    }),
    (dy, kept) => runFused(tf, FUSED.fillMissingGradient, { dy, ...kept }, {}),
  );
}
