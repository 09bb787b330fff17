import type { LayerOf, Weight } from "../model/graph.ts";

export type WeightOf = (name: string) => Weight;

/** x · scale + shift, a channel. */
interface Affine {
  readonly scale: Float64Array;
  readonly shift: Float64Array;
}

/** Batch norm by its running statistics. */
export function batchNormAffine(
  { name, epsilon }: LayerOf<"batchNorm">,
  weightOf: WeightOf,
): Affine {
  const [gamma, beta, mean, variance] = (
    ["gamma", "beta", "running_mean", "running_variance"] as const
  ).map((weight) => weightOf(`${name}.${weight}`).data) as [
    Float32Array,
    Float32Array,
    Float32Array,
    Float32Array,
  ];
  const scale = Float64Array.from(
    gamma,
    (value, c) => value / Math.sqrt((variance[c] ?? 0) + epsilon),
  );
  const shift = Float64Array.from(beta, (value, c) => value - (mean[c] ?? 0) * (scale[c] ?? 0));
  return { scale, shift };
}

/** A kernel whose last axis, or last but one before an axis of one, is the channels; bias undefined: none. */
interface LayerWeights {
  readonly kernel: Weight;
  readonly bias: Float32Array | undefined;
}

/** The weights of a layer that is followed by an affine step, which they take over. */
export function withAffine({ kernel, bias }: LayerWeights, { scale, shift }: Affine): LayerWeights {
  const channels = scale.length;
  const data = kernel.data.slice();
  for (let start = 0; start < data.length; start += channels)
    for (let c = 0; c < channels; c += 1)
      data[start + c] = (data[start + c] ?? 0) * (scale[c] ?? 0);
  return {
    kernel: { shape: kernel.shape, data },
    bias: Float32Array.from(shift, (value, c) => (bias?.[c] ?? 0) * (scale[c] ?? 0) + value),
  };
}

/** A kernel [height, width, in, out] → [out, in, height, width]. */
export function planesKernel({ shape, data }: Weight): Weight {
  const [height = 1, width = 1, inputs = 1, outputs = 1] = shape;
  const cells = height * width;
  const turned = new Float32Array(data.length);
  for (let i = 0; i < inputs; i += 1)
    for (let o = 0; o < outputs; o += 1)
      for (let cell = 0; cell < cells; cell += 1)
        turned[(o * inputs + i) * cells + cell] = data[(cell * inputs + i) * outputs + o] ?? 0;
  return { shape: [outputs, inputs, height, width], data: turned };
}
