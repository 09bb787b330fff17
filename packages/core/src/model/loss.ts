import type { Scalar, Tensor2D } from "@tensorflow/tfjs";
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

/** Class-weighted cross entropy of logits [B, classes], nats: a mean weighted by the rows' class weights. */
export function crossEntropy(tf: Tf, logits: Tensor2D, { targets, total }: SoftTargets): Scalar {
  const weighted = tf.tensor2d(targets, logits.shape);
  return tf.div(tf.neg(tf.sum(tf.mul(weighted, tf.logSoftmax(logits)))), total);
}
