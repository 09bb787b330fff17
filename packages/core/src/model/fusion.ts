import type { Tensor2D, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import { type Graph, type GraphBuilder, type Weights, createGraphBuilder } from "./graph.ts";
import type { RunMode } from "./layers.ts";
import { createNetwork } from "./network.ts";

/** Units of the dense layers but the last. */
export interface FusionUnits {
  readonly encoderHidden: number;
  readonly encoderOut: number;
  readonly headHidden: number;
}

/** Those of every model that is trained here; a file of the Python service may have others. */
const FUSION_UNITS: FusionUnits = { encoderHidden: 512, encoderOut: 256, headHidden: 256 };
const ENCODER_DROPOUT = 0.2;
const HEAD_DROPOUT = 0.3;

export const MODALITIES = ["image", "audio"] as const;
export type Modality = (typeof MODALITIES)[number];

export interface FusionShape {
  /** Values of an input embedding; 0: the model does not have the modality. */
  readonly image: number;
  readonly audio: number;
  readonly classes: number;
  /** undefined: those of every model that is trained here */
  readonly units?: FusionUnits | undefined;
}

/** One modality of a batch. */
export interface ModalityBatch {
  /** [B, D], as the encoder gave it; what stands in the rows that lack the modality does not matter, but is finite. */
  readonly values: Tensor2D;
  /** [B, 1]: 1 where the modality is there, 0 where it is missing. */
  readonly present: Tensor2D;
}
export type FusionBatch = Partial<Record<Modality, ModalityBatch>>;

/** The inputs of the network that are one modality's. */
export function inputNames(modality: Modality): {
  readonly values: string;
  readonly present: string;
} {
  return { values: `${modality}_embeddings`, present: `${modality}_present` };
}

/**
 * The fusion classifier: an encoder for each modality (standardise, dense 512, batch norm, ReLU, dropout, dense 256, ReLU),
 * their outputs side by side, layer norm, dense 256, ReLU, dropout, classes. A row without a modality gets a learnt vector
 * in place of that encoder's output, and has no part in its batch statistics. The output is the scores before softmax,
 * [B, classes].
 */
export function fusionGraph(shape: FusionShape): Graph {
  const net = createGraphBuilder();
  const { units = FUSION_UNITS } = shape;
  const encoded = MODALITIES.filter((modality) => shape[modality] > 0).map((modality) =>
    addEncoder(net, modality, shape[modality], units),
  );
  let x = net.layerNorm("fusion_norm", net.concat("fusion_input", encoded)); // [B, 256 a modality]
  x = net.relu("fusion.relu", net.dense("fusion.dense1", x, units.headHidden)); // [B, 256]
  x = net.dropout("fusion.dropout", x, HEAD_DROPOUT);
  return net.build(net.dense("fusion.dense2", x, shape.classes));
}

/** One modality's part; returns the name of its output, [B, 256]. */
function addEncoder(
  net: GraphBuilder,
  modality: Modality,
  dim: number,
  { encoderHidden, encoderOut }: FusionUnits,
): string {
  const names = inputNames(modality);
  const present = net.input(names.present, [null, 1]);
  const name = `${modality}_encoder`;
  let x = net.standardise(modality, net.input(names.values, [null, dim]), present);
  x = net.batchNorm(`${name}.norm`, net.dense(`${name}.dense1`, x, encoderHidden), present);
  x = net.dropout(`${name}.dropout`, net.relu(`${name}.relu1`, x), ENCODER_DROPOUT); // [B, 512]
  x = net.relu(`${name}.relu2`, net.dense(`${name}.dense2`, x, encoderOut)); // [B, 256]
  return net.fillMissing(name, x, present);
}

export interface FusionModel {
  readonly shape: FusionShape;
  readonly variables: ReadonlyMap<string, Variable>;
  /** Those that a gradient moves. */
  readonly trainable: ReadonlyMap<string, Variable>;
  /** Class scores before softmax, [B, classes]. Call it inside tf.tidy or a gradient. */
  forward(batch: FusionBatch, mode: RunMode): Tensor2D;
  /** A copy of every weight. */
  weights(): Weights;
  dispose(): void;
}

/** The classifier of {@link fusionGraph}, ready to run and to be trained. */
export function createFusion(tf: Tf, shape: FusionShape, weights: Weights): FusionModel {
  const network = createNetwork(tf, fusionGraph(shape), weights);
  return {
    ...network,
    shape,
    forward: (batch, mode) => {
      const inputs: Record<string, Tensor2D> = {};
      for (const modality of MODALITIES) {
        const names = inputNames(modality);
        const { values, present } = batch[modality] ?? {};
        if (values !== undefined) inputs[names.values] = values;
        if (present !== undefined) inputs[names.present] = present;
      }
      return network.forward(inputs, mode) as Tensor2D;
    },
  };
}
