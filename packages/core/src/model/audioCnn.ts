import type { Tensor2D } from "@tensorflow/tfjs";
import { type Augmentation, augmentClips } from "./augmentClips.ts";
import type { Tf } from "./backend.ts";
import type { ClipBatch } from "./clips.ts";
import { type Graph, type Weights, createGraphBuilder, initialWeights } from "./graph.ts";
import { createNetwork } from "./network.ts";
import type { Learner } from "./trainClassifier.ts";

/** Filters of each block; a block halves time and frequency. */
const FILTERS = [16, 32, 64, 128];
/** A shorter clip has nothing left behind the last block. */
export const LEAST_FRAMES = 2 ** FILTERS.length;
/** Values of a clip's embedding. */
export const EMBEDDING_DIM = 128;
const DROPOUT = 0.3;
const KERNEL = {
  size: [3, 3],
  strides: [1, 1],
  padding: { top: 1, bottom: 1, left: 1, right: 1 },
} as const;
const HALVE = {
  size: [2, 2],
  strides: [2, 2],
  padding: { top: 0, bottom: 0, left: 0, right: 0 },
} as const;

export interface AudioCnnShape {
  /** Mel bands, a multiple of 16. */
  readonly mels: number;
  readonly classes: number;
}

/** The names of its inputs. */
export const AUDIO_FRAMES = "audio_frames";
export const AUDIO_MASK = "audio_mask";
/** The layer whose values are a clip's embedding, [B, 128]. */
export const AUDIO_EMBEDDING = "embedding.relu";
/** The layer that makes scores of it. */
export const AUDIO_CLASSES = "classes";

/**
 * A convolutional network on log-mel sequences of any length: [B, T, mels] and a mask [B, T] that is 1 within each clip →
 * the scores of the classes before softmax. The mask is honoured at each block and by the mean over time, so that a clip
 * has the same scores however long the padding behind it is.
 */
export function audioCnnGraph({ mels, classes }: AudioCnnShape): Graph {
  const net = createGraphBuilder();
  const mask = net.input(AUDIO_MASK, [null, null]);
  let x = net.standardise("audio", net.input(AUDIO_FRAMES, [null, null, mels])); // [B, T, M]
  x = net.maskTime("audio.mask", x, mask, 1);
  x = net.reshape("audio.picture", x, [null, null, mels, 1]); // [B, T, M, 1]
  let every = 1;
  for (const [i, filters] of FILTERS.entries()) {
    const name = `block${i + 1}`;
    x = net.batchNorm(`${name}.norm`, net.conv2d(`${name}.conv`, x, filters, KERNEL));
    x = net.maxPool2d(`${name}.pool`, net.relu(`${name}.relu`, x), HALVE); // [B, T / 2, M / 2, F]
    every *= 2;
    x = net.maskTime(`${name}.mask`, x, mask, every);
  }
  const left = mels / every;
  x = net.reshape("sequence", x, [null, null, left * (FILTERS.at(-1) ?? 0)]); // [B, T / 16, M / 16 · F]
  x = net.meanTime("mean", x, mask, every); // [B, M / 16 · F]
  x = net.relu(AUDIO_EMBEDDING, net.dense("embedding", x, EMBEDDING_DIM)); // [B, 128]
  x = net.dropout("embedding.dropout", x, DROPOUT);
  return net.build(net.dense(AUDIO_CLASSES, x, classes));
}

/** The weights before the first step; the bands are standardised by `statistics`, [mels] each. */
export function initialAudioCnn(
  shape: AudioCnnShape,
  statistics: Readonly<Record<"mean" | "deviation", Float32Array>>,
  random: () => number,
): Weights {
  const weights = initialWeights(audioCnnGraph(shape), random);
  for (const name of ["mean", "deviation"] as const)
    weights.set(`audio.${name}`, { shape: [shape.mels], data: statistics[name] });
  return weights;
}

/** What a training changes its clips by, measured on CREMA-D with speakers apart. */
export const AUGMENTATION: Augmentation = {
  timeMasks: 2,
  timeMaskFrames: 12,
  frequencyMasks: 2,
  frequencyMaskMels: 10,
  gain: 3,
  noise: 0,
  shift: 15,
  mixup: 0.3,
};

/** {@link audioCnnGraph}, ready to run and to be trained. */
export interface AudioCnn extends Learner<ClipBatch> {
  dispose(): void;
}

export function createAudioCnn(
  tf: Tf,
  shape: AudioCnnShape,
  weights: Weights,
  augmentation: Augmentation = AUGMENTATION,
): AudioCnn {
  const network = createNetwork(tf, audioCnnGraph(shape), weights);
  const mean = weights.get("audio.mean")?.data ?? new Float32Array(shape.mels);
  return {
    trainable: network.trainable,
    weights: () => network.weights(),
    dispose: () => network.dispose(),
    scores: ({ rows, frames, mels, values, mask }, mode) =>
      network.forward(
        {
          [AUDIO_FRAMES]: tf.tensor3d(values, [rows, frames, mels]),
          [AUDIO_MASK]: tf.tensor2d(mask, [rows, frames]),
        },
        mode,
      ) as Tensor2D,
    augment: (batch, targets, random) => augmentClips(batch, targets, mean, augmentation, random),
  };
}
