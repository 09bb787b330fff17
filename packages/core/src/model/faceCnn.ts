import type { Tensor2D } from "@tensorflow/tfjs";
import { FACE_MAPS } from "../face/faceExpression.ts";
import { beta } from "../random.ts";
import type { Tf } from "./backend.ts";
import { type Graph, type Weights, createGraphBuilder, padAll, padSame } from "./graph.ts";
import type { SoftTargets } from "./loss.ts";
import { createNetwork } from "./network.ts";
import type { LabelledBatch } from "./rowSource.ts";
import type { Learner } from "./trainClassifier.ts";

const FILTERS = 48;
const DROPOUT = 0.5;
/** α of the Beta(α, α) that faces and their targets are mixed by in training (mixup, Zhang et al. 2018). */
const MIXUP = 0.3;

/** Values of a face's embedding. */
export const FACE_EMBEDDING_DIM = 128;
/** The name of its input. */
export const FACE_MAPS_INPUT = "maps";
/** The layer whose values are a face's embedding, [B, 128]. */
export const FACE_EMBEDDING = "embedding.relu";
/** The layer that makes scores of it. */
export const FACE_CLASSES = "classes";

/**
 * What tells the emotion from a face's maps [B, 7, 7, 384] (face/faceExpression.ts): the places keep their order, as a mouth's
 * corners say another thing than a brow. → the scores of the classes before softmax.
 */
export function faceCnnGraph(classes: number): Graph {
  const net = createGraphBuilder();
  const { side, channels } = FACE_MAPS;
  let x = net.input(FACE_MAPS_INPUT, [null, side, side, channels]); // [B, 7, 7, 384]
  x = net.batchNorm("maps.norm", x);
  const window = { size: [3, 3], strides: [1, 1], padding: padAll(1) } as const;
  x = net.batchNorm("conv.norm", net.conv2d("conv", x, FILTERS, window));
  x = net.relu("conv.relu", x); // [B, 7, 7, F]
  const halve = { size: [2, 2], strides: [2, 2] } as const;
  const padding = padSame([side, side], halve.size, halve.strides);
  x = net.maxPool2d("pool", x, { ...halve, padding }); // [B, 4, 4, F]
  const left = Math.ceil(side / 2);
  x = net.dropout(
    "places.dropout",
    net.reshape("places", x, [null, left * left * FILTERS]),
    DROPOUT,
  );
  x = net.batchNorm("embedding.norm", net.dense("embedding", x, FACE_EMBEDDING_DIM));
  x = net.dropout("embedding.dropout", net.relu(FACE_EMBEDDING, x), DROPOUT); // [B, 128]
  return net.build(net.dense(FACE_CLASSES, x, classes));
}

/** Faces of one step. */
export interface FaceBatch extends LabelledBatch {
  /** [B, 7, 7, 384] row-major */
  readonly maps: Float32Array;
}

/** {@link faceCnnGraph}, ready to run and to be trained. */
export interface FaceCnn extends Learner<FaceBatch> {
  dispose(): void;
}

/** @param weights of {@link faceCnnGraph}; what it holds must be disposed of */
export function createFaceCnn(tf: Tf, classes: number, weights: Weights): FaceCnn {
  const network = createNetwork(tf, faceCnnGraph(classes), weights);
  const { side, channels } = FACE_MAPS;
  return {
    trainable: network.trainable,
    weights: () => network.weights(),
    dispose: () => network.dispose(),
    scores: ({ rows, maps }, mode) =>
      network.forward(
        { [FACE_MAPS_INPUT]: tf.tensor4d(maps, [rows, side, side, channels]) },
        mode,
      ) as Tensor2D,
    augment: mixFaces,
  };
}

/** Mixes each face and what it should be told as with another of the batch, by one share of the batch, the larger one its own. */
function mixFaces({ rows, maps }: FaceBatch, { targets }: SoftTargets, random: () => number): void {
  const drawn = beta(MIXUP, random);
  const share = Math.max(drawn, 1 - drawn);
  const step = 1 + Math.floor(random() * (rows - 1)); // each row's other one
  for (const values of [maps, targets]) {
    const before = values.slice();
    const size = values.length / rows;
    const away = step * size;
    for (let i = 0; i < values.length; i += 1)
      values[i] =
        share * (before[i] ?? 0) + (1 - share) * (before[(i + away) % values.length] ?? 0);
  }
}
