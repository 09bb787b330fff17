import type { Tensor, Tensor2D, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";

/** The sizes of design section 5. */
const ENCODER_HIDDEN = 512;
const ENCODER_OUT = 256;
const HEAD_HIDDEN = 256;
const ENCODER_DROPOUT = 0.2;
const HEAD_DROPOUT = 0.3;
/** PyTorch's defaults: the share of a new batch in the running statistics, and what keeps a division finite. */
const BATCH_NORM_MOMENTUM = 0.1;
const EPSILON = 1e-5;

export const MODALITIES = ["image", "audio"] as const;
export type Modality = (typeof MODALITIES)[number];

export interface FusionShape {
  /** Values of an input embedding; 0: the model does not have the modality. */
  readonly image: number;
  readonly audio: number;
  readonly classes: number;
}

/** One modality of a batch. */
export interface ModalityBatch {
  /** [B, D], standardised; the rows that lack the modality are zeros. */
  readonly values: Tensor2D;
  /** [B, 1]: 1 where the modality is there, 0 where it is missing. */
  readonly present: Tensor2D;
}
export type FusionBatch = Partial<Record<Modality, ModalityBatch>>;

/** A plain array of a weight, row-major. */
export interface Weight {
  readonly shape: readonly number[];
  readonly data: Float32Array;
}
export type Weights = Map<string, Weight>;

/** The weights that a gradient moves; the others are running statistics. */
export function isTrainable(name: string): boolean {
  return !name.includes(".running_");
}

/** A weight before it has values. */
export interface WeightSlot {
  readonly name: string;
  readonly shape: readonly number[];
  /** Fresh values are drawn from [low, high). */
  readonly low: number;
  readonly high: number;
}

/** Every weight that a model of this shape has, in order; linear layers start as PyTorch's, U(-1/√in, 1/√in). */
export function fusionLayout(shape: FusionShape): WeightSlot[] {
  const slots: WeightSlot[] = [];
  const constant = (name: string, size: readonly number[], value: number): void => {
    slots.push({ name, shape: size, low: value, high: value });
  };
  const linear = (name: string, inputs: number, outputs: number): void => {
    const high = 1 / Math.sqrt(inputs);
    slots.push({ name: `${name}.kernel`, shape: [inputs, outputs], low: -high, high });
    slots.push({ name: `${name}.bias`, shape: [outputs], low: -high, high });
  };
  let fused = 0;
  for (const modality of MODALITIES) {
    if (shape[modality] === 0) continue;
    const name = `${modality}_encoder`;
    linear(`${name}.dense1`, shape[modality], ENCODER_HIDDEN);
    constant(`${name}.norm.gamma`, [ENCODER_HIDDEN], 1);
    constant(`${name}.norm.beta`, [ENCODER_HIDDEN], 0);
    constant(`${name}.norm.running_mean`, [ENCODER_HIDDEN], 0);
    constant(`${name}.norm.running_variance`, [ENCODER_HIDDEN], 1);
    linear(`${name}.dense2`, ENCODER_HIDDEN, ENCODER_OUT);
    constant(`${name}.missing`, [1, ENCODER_OUT], 0);
    fused += ENCODER_OUT;
  }
  constant("fusion_norm.gamma", [fused], 1);
  constant("fusion_norm.beta", [fused], 0);
  linear("fusion.dense1", fused, HEAD_HIDDEN);
  linear("fusion.dense2", HEAD_HIDDEN, shape.classes);
  return slots;
}

export function initialWeights(shape: FusionShape, random: () => number): Weights {
  const fresh = ({ shape: dims, low, high }: WeightSlot): Weight => {
    const data = new Float32Array(dims.reduce((a, b) => a * b, 1));
    for (let i = 0; i < data.length; i += 1)
      data[i] = low === high ? low : low + (high - low) * random();
    return { shape: dims, data };
  };
  return new Map(fusionLayout(shape).map((slot) => [slot.name, fresh(slot)]));
}

/** How a batch goes through: in training, dropout draws from `random` and batch norm uses the batch's statistics. */
export type ForwardMode =
  | { readonly training: false }
  | { readonly training: true; readonly random: () => number };

export interface FusionModel {
  readonly shape: FusionShape;
  readonly variables: ReadonlyMap<string, Variable>;
  /** Class scores before softmax, [B, classes]. Call it inside tf.tidy or a gradient. */
  forward(batch: FusionBatch, mode: ForwardMode): Tensor2D;
  /** A copy of every weight. */
  weights(): Weights;
  dispose(): void;
}

/**
 * The fusion classifier: an encoder for each modality (dense 512, batch norm, ReLU, dropout, dense 256, ReLU), their
 * outputs side by side, layer norm, dense 256, ReLU, dropout, classes. A row without a modality gets a learnt vector in
 * place of that encoder's output, and has no part in its batch statistics.
 */
export function createFusion(tf: Tf, shape: FusionShape, weights: Weights): FusionModel {
  const variables = new Map(
    [...weights].map(([name, { shape: dims, data }]) => {
      const initial = tf.tensor(data, [...dims]);
      const variable = tf.variable(initial, isTrainable(name));
      initial.dispose(); // the variable holds the values by itself
      return [name, variable];
    }),
  );
  const w = (name: string): Variable => {
    const variable = variables.get(name);
    if (variable === undefined) throw new Error(`the model lacks the weight ${name}`);
    return variable;
  };
  const linear = (x: Tensor2D, name: string): Tensor2D =>
    tf.add(tf.matMul(x, w(`${name}.kernel`) as unknown as Tensor2D), w(`${name}.bias`));

  const dropout = (x: Tensor2D, rate: number, mode: ForwardMode): Tensor2D => {
    if (!mode.training) return x;
    const { random } = mode;
    const scale = 1 / (1 - rate);
    const keep = new Float32Array(x.size);
    for (let i = 0; i < keep.length; i += 1) keep[i] = random() < rate ? 0 : scale;
    return tf.mul(x, tf.tensor2d(keep, x.shape));
  };

  /** Batch norm whose statistics count only the rows where `present` is 1. */
  const batchNorm = (x: Tensor2D, present: Tensor2D, name: string, mode: ForwardMode): Tensor2D => {
    const [runningMean, runningVariance] = [
      w(`${name}.running_mean`),
      w(`${name}.running_variance`),
    ];
    if (!mode.training) {
      const scale = tf.mul(w(`${name}.gamma`), tf.rsqrt(tf.add(runningVariance, EPSILON)));
      return tf.add(tf.mul(tf.sub(x, runningMean), scale), w(`${name}.beta`));
    }
    const count = tf.sum(present);
    const rows = tf.maximum(count, 1);
    const mean = tf.div(tf.sum(tf.mul(x, present), 0), rows); // [512]
    const centred = tf.sub(x, mean);
    const variance = tf.div(tf.sum(tf.mul(tf.square(centred), present), 0), rows); // [512]
    const unbiased = tf.mul(variance, tf.div(rows, tf.maximum(tf.sub(rows, 1), 1)));
    // One row has no deviation, and none has no mean either: they move nothing.
    const share = tf.mul(tf.cast(tf.greater(count, 1), "float32"), BATCH_NORM_MOMENTUM);
    move(runningMean, mean, share);
    move(runningVariance, unbiased, share);
    const scale = tf.mul(w(`${name}.gamma`), tf.rsqrt(tf.add(variance, EPSILON)));
    return tf.add<Tensor2D>(tf.mul(centred, scale), w(`${name}.beta`));
  };
  const move = (running: Variable, value: Tensor, share: Tensor): void =>
    running.assign(tf.add(running, tf.mul(tf.sub(value, running), share)));

  const encode = (
    { values, present }: ModalityBatch,
    name: string,
    mode: ForwardMode,
  ): Tensor2D => {
    let x = linear(values, `${name}.dense1`); // [B, 512]
    x = dropout(tf.relu(batchNorm(x, present, `${name}.norm`, mode)), ENCODER_DROPOUT, mode);
    x = tf.relu(linear(x, `${name}.dense2`)); // [B, 256]
    const missing = tf.mul(tf.sub(1, present), w(`${name}.missing`));
    return tf.add(tf.mul(x, present), missing);
  };

  const layerNorm = (x: Tensor2D, name: string): Tensor2D => {
    const mean = tf.mean(x, 1, true);
    const centred = tf.sub(x, mean);
    const variance = tf.mean(tf.square(centred), 1, true);
    const normal = tf.mul(centred, tf.rsqrt(tf.add(variance, EPSILON)));
    return tf.add(tf.mul(normal, w(`${name}.gamma`)), w(`${name}.beta`));
  };

  const forward = (batch: FusionBatch, mode: ForwardMode): Tensor2D => {
    const encoded: Tensor2D[] = [];
    for (const modality of MODALITIES) {
      const input = batch[modality];
      if (input !== undefined && shape[modality] > 0)
        encoded.push(encode(input, `${modality}_encoder`, mode));
    }
    let x = layerNorm(tf.concat(encoded, 1), "fusion_norm"); // [B, 256 a modality]
    x = dropout(tf.relu(linear(x, "fusion.dense1")), HEAD_DROPOUT, mode); // [B, 256]
    return linear(x, "fusion.dense2"); // [B, classes]
  };

  return {
    shape,
    variables,
    forward,
    weights: () =>
      new Map(
        [...variables].map(([name, variable]) => [
          name,
          { shape: variable.shape, data: Float32Array.from(variable.dataSync()) },
        ]),
      ),
    dispose: () => {
      for (const variable of variables.values()) variable.dispose();
    },
  };
}
