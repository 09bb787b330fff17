import type { Tensor, Tensor2D, Tensor4D, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import {
  type Graph,
  type LayerOf,
  type OperationName,
  type Padding,
  type Window,
  padSame,
} from "./graph.ts";
import {
  dense,
  dropout,
  fillMissing,
  layerNorm,
  relu,
  standardise,
  trainBatchNorm,
} from "./trainingLayers.ts";

/**
 * How a batch goes through: in training, batch norm uses the batch's statistics and each dropout layer draws what it drops
 * by a seed of its own, a whole number below 2^32.
 */
export type RunMode =
  | { readonly training: false }
  | { readonly training: true; readonly dropoutSeed: () => number };

/** What a layer is run with. */
interface Run {
  readonly tf: Tf;
  readonly mode: RunMode;
  /** The weight `layer.name` of the network. */
  readonly weight: (name: string) => Variable;
  /** Whether something that is learnt lies before the output of the layer named. */
  readonly learnsBefore: (name: string) => boolean;
}

type RunLayer<Name extends OperationName> = (
  run: Run,
  layer: LayerOf<Name>,
  inputs: readonly Tensor[],
) => Tensor;

/**
 * The output of a network for a batch. Call it inside tf.tidy or a gradient.
 * @param weights by name, `layer.kernel` and so on
 * @param inputs by the names of the input layers
 */
export function runGraph(
  tf: Tf,
  { layers, output }: Graph,
  weights: ReadonlyMap<string, Variable>,
  inputs: Readonly<Record<string, Tensor>>,
  mode: RunMode,
): Tensor {
  const named = <T>(found: T | undefined, name: string): T => {
    if (found === undefined) throw new Error(`the network lacks '${name}'`);
    return found;
  };
  const learnt = new Set<string>();
  const run: Run = {
    tf,
    mode,
    weight: (name) => named(weights.get(name), name),
    learnsBefore: (name) => learnt.has(name),
  };
  const values = new Map<string, Tensor>();
  for (const layer of layers) {
    const taken = layer.inputs.map((name) => named(values.get(name), name));
    const value =
      layer.op === "input"
        ? named(inputs[layer.name], layer.name)
        : (RUN[layer.op] as RunLayer<OperationName>)(run, layer, taken);
    values.set(layer.name, value);
    if (layer.inputs.some(run.learnsBefore) || layer.weights.some(({ trainable }) => trainable))
      learnt.add(layer.name);
  }
  return named(values.get(output), output);
}

const RUN: { readonly [Name in Exclude<OperationName, "input">]: RunLayer<Name> } = {
  dense: ({ tf, weight, learnsBefore }, { name, inputs }, [x]) =>
    dense(
      tf,
      x as Tensor,
      weight(`${name}.kernel`),
      weight(`${name}.bias`),
      inputs.some(learnsBefore),
    ),
  conv2d: ({ tf, weight }, layer, [x]) => {
    const [padded, pad] = padPicture(tf, x as Tensor4D, layer, 0);
    const kernel = weight(`${layer.name}.kernel`) as unknown as Tensor4D;
    const y = tf.conv2d(padded, kernel, [...layer.strides], pad);
    return layer.bias ? tf.add(y, weight(`${layer.name}.bias`)) : y;
  },
  depthwiseConv2d: ({ tf, weight }, layer, [x]) => {
    const [padded, pad] = padPicture(tf, x as Tensor4D, layer, 0);
    const kernel = weight(`${layer.name}.kernel`) as unknown as Tensor4D;
    return tf.depthwiseConv2d(padded, kernel, [...layer.strides], pad);
  },
  maxPool2d: ({ tf }, layer, [x]) => {
    const [padded, pad] = padPicture(tf, x as Tensor4D, layer, -Infinity);
    return tf.maxPool(padded, [...layer.size], [...layer.strides], pad);
  },
  globalAveragePool2d: ({ tf }, _layer, [x]) => tf.mean(x as Tensor4D, [1, 2]),
  batchNorm: ({ tf, weight, mode }, { name, epsilon, momentum }, [x, present]) => {
    const [gamma, beta] = [weight(`${name}.gamma`), weight(`${name}.beta`)];
    const runningMean = weight(`${name}.running_mean`);
    const runningVariance = weight(`${name}.running_variance`);
    if (mode.training) {
      const weights = { gamma, beta, runningMean, runningVariance };
      return trainBatchNorm(tf, x as Tensor, present, weights, { epsilon, momentum });
    }
    const scale = tf.mul(gamma, tf.rsqrt(tf.add(runningVariance, epsilon)));
    return tf.add(tf.mul(tf.sub(x as Tensor, runningMean), scale), beta);
  },
  layerNorm: ({ tf, weight }, { name, epsilon }, [x]) =>
    layerNorm(tf, x as Tensor, weight(`${name}.gamma`), weight(`${name}.beta`), epsilon),
  relu: ({ tf }, _layer, [x]) => relu(tf, x as Tensor),
  leakyRelu: ({ tf }, { alpha }, [x]) => tf.leakyRelu(x as Tensor, alpha),
  softmax: ({ tf }, _layer, [x]) => tf.softmax(x as Tensor),
  dropout: ({ tf, mode }, { rate }, [x]) =>
    mode.training ? dropout(tf, x as Tensor, rate, mode.dropoutSeed()) : (x as Tensor),
  add: ({ tf }, _layer, inputs) => tf.addN([...inputs]),
  concat: ({ tf }, _layer, inputs) => tf.concat([...inputs], -1),
  standardise: ({ tf, weight }, { name }, [x, present]) =>
    standardise(tf, x as Tensor, weight(`${name}.mean`), weight(`${name}.deviation`), present),
  fillMissing: ({ tf, weight }, { name }, [x, present]) =>
    fillMissing(tf, x as Tensor, present as Tensor, weight(`${name}.missing`)),
  reshape: ({ tf }, { shape }, [x]) =>
    tf.reshape(x as Tensor, [(x as Tensor).shape[0] ?? 0, ...shape.slice(1).map((n) => n ?? -1)]),
  maskTime: ({ tf }, { every }, [x, mask]) => tf.mul(x as Tensor, within(tf, x, mask, every)),
  meanTime: ({ tf }, { every }, [x, mask]) => {
    const inside = within(tf, x, mask, every); // [B, T, 1]
    const frames = tf.maximum(tf.sum(inside, 1), 1); // [B, 1]
    return tf.div(tf.sum(tf.mul(x as Tensor, inside), 1), frames);
  },
};

/** The mask [B, T · every] at the last of each `every` frames, of the rank of x: [B, T, 1, …]. */
function within(tf: Tf, x: Tensor | undefined, mask: Tensor | undefined, every: number): Tensor {
  const [batch = 0, frames = 0] = (x as Tensor).shape;
  const seen = tf.stridedSlice(
    mask as Tensor2D,
    [0, every - 1],
    [batch, frames * every],
    [1, every],
  );
  return tf.reshape(seen, [
    batch,
    frames,
    ...Array.from({ length: (x as Tensor).rank - 2 }, () => 1),
  ]);
}

/** The picture and the padding that TensorFlow is told: its own kinds where they fit, else pixels put around here. */
function padPicture(
  tf: Tf,
  x: Tensor4D,
  { size, strides, padding }: Window,
  value: number,
): [Tensor4D, "valid" | "same"] {
  const { top, bottom, left, right } = padding;
  if (top + bottom + left + right === 0) return [x, "valid"];
  const [, height, width] = x.shape;
  if (samePadding(padding, padSame([height, width], size, strides))) return [x, "same"];
  return [
    tf.pad(
      x,
      [
        [0, 0],
        [top, bottom],
        [left, right],
        [0, 0],
      ],
      value,
    ),
    "valid",
  ];
}

function samePadding(a: Padding, b: Padding): boolean {
  return a.top === b.top && a.bottom === b.bottom && a.left === b.left && a.right === b.right;
}
