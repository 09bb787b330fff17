import type { Scalar, Tensor, Tensor2D } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";

/** What a batch's loss is measured against. */
export interface SoftTargets {
  /** Targets times class weights, [B, classes] row-major. */
  readonly targets: Float32Array;
  /** The sum of the class weights of the rows' labels: what the loss is divided by. */
  readonly total: number;
}

/**
 * Targets of torch.nn.CrossEntropyLoss(weight, label_smoothing).
 * @param classIds the label of each row, [B]
 * @param classWeights [classes]
 * @param smoothing share of a target that is spread over all classes, [0, 1)
 */
export function softTargets(
  classIds: ArrayLike<number>,
  classWeights: Float32Array,
  smoothing: number,
): SoftTargets {
  const classes = classWeights.length;
  const targets = new Float32Array(classIds.length * classes);
  let total = 0;
  for (let row = 0; row < classIds.length; row += 1) {
    const id = classIds[row] ?? 0;
    total += classWeights[id] ?? 0;
    for (let k = 0; k < classes; k += 1) {
      const target = smoothing / classes + (k === id ? 1 - smoothing : 0);
      targets[row * classes + k] = target * (classWeights[k] ?? 0);
    }
  }
  return { targets, total };
}

/**
 * Class-weighted cross entropy of logits [B, classes], nats: a mean weighted by the rows' class weights. It and its gradient
 * are computed here: a batch's scores are few, and as a dozen operations they would take longer than a layer.
 */
export function crossEntropy(tf: Tf, logits: Tensor2D, { targets, total }: SoftTargets): Scalar {
  const run = tf.customGrad((...args) => {
    const scores = args[0] as Tensor2D;
    const { loss, gradient } = lossAndGradient(
      scores.dataSync() as Float32Array,
      scores.shape[1],
      targets,
      total,
    );
    const gradFunc = (dy: Tensor): Tensor => tf.mul(tf.tensor2d(gradient, scores.shape), dy);
    return { value: tf.scalar(loss), gradFunc };
  });
  return run(logits);
}

/** -Σ target · log softmax / total, and its gradient: (softmax · Σ target - target) / total. */
function lossAndGradient(
  logits: Float32Array,
  classes: number,
  targets: Float32Array,
  total: number,
): { loss: number; gradient: Float32Array } {
  const gradient = new Float32Array(logits.length);
  let loss = 0;
  for (let start = 0; start < logits.length; start += classes) {
    const row = logits.subarray(start, start + classes);
    const most = row.reduce((a, b) => Math.max(a, b), -Infinity);
    const sum = row.reduce((all, score) => all + Math.exp(score - most), 0);
    const target = targets.subarray(start, start + classes);
    const weight = target.reduce((a, b) => a + b, 0);
    for (let k = 0; k < classes; k += 1) {
      const logarithm = (row[k] ?? 0) - most - Math.log(sum);
      loss -= (target[k] ?? 0) * logarithm;
      gradient[start + k] = (Math.exp(logarithm) * weight - (target[k] ?? 0)) / total;
    }
  }
  return { loss: loss / total, gradient };
}
