import { readFileSync } from "node:fs";
import { type FusionShape, fusionGraph } from "@emotion-service/core/model/fusion";
import { type Weights, sizeOf, weightSlots } from "@emotion-service/core/model/graph";

interface Reference {
  readonly fusion: {
    readonly shape: FusionShape;
    readonly rows: number;
    readonly labels: number[];
    readonly class_weights: number[];
    readonly label_smoothing: number;
    readonly lr: number;
    readonly weight_decay: number;
    readonly grad_clip: number;
    readonly present: { readonly image: number[]; readonly audio: number[] };
    readonly eval_logits: number[];
    readonly train: {
      readonly losses: number[];
      readonly logits: number[];
      readonly running: Record<string, number[]>;
      readonly gradients: Record<string, { readonly norm: number; readonly first: number[] }>;
    };
  };
  readonly adamw: {
    readonly weight_decay: number;
    readonly grad_clip: number;
    readonly start: number[][];
    readonly steps: {
      readonly lr: number;
      readonly norm: number;
      readonly gradients: number[][];
      readonly parameters: number[][];
    }[];
  };
  readonly cross_entropy: {
    readonly logits: number[];
    readonly labels: number[];
    readonly cases: { class_weights: number[]; label_smoothing: number; loss: number }[];
  };
  readonly schedules: {
    readonly steps: number;
    readonly lr: number;
    readonly max_lr: number;
    readonly onecycle: number[];
    readonly cosine: number[];
  };
  readonly metrics: {
    readonly name: string;
    readonly truth: number[];
    readonly predicted: number[];
    readonly accuracy: number;
    readonly recall_macro: number;
    readonly balanced_accuracy: number;
    readonly f1_macro: number;
    readonly confusion: number[][];
  }[];
}

/** What scripts/reference/fusion.py wrote. */
export const reference: Reference = JSON.parse(
  readFileSync(new URL("../reference/fusion.json", import.meta.url), "utf8"),
);

/** `values` of scripts/reference/fusion.py. */
export function hashedValues(seed: number, size: number, low: number, high: number): Float32Array {
  return Float32Array.from({ length: size }, (_, i) => {
    let x = Math.imul(i + 1 + 1_000_003 * seed, 0x9e3779b1);
    x = Math.imul(x ^ (x >>> 15), 0x85ebca77);
    x ^= x >>> 13;
    return low + (high - low) * ((x >>> 0) / 2 ** 32);
  });
}

/** `start_weights` of scripts/reference/fusion.py, whose inputs are standardised already: mean 0, deviation 1. */
export function hashedWeights(shape: FusionShape): Weights {
  const weights: Weights = new Map();
  let seed = 0;
  for (const { name, shape: dims } of weightSlots(fusionGraph(shape))) {
    const standard = /\.(mean|deviation)$/.exec(name)?.[1];
    if (standard !== undefined) {
      const value = standard === "mean" ? 0 : 1;
      weights.set(name, { shape: dims, data: new Float32Array(sizeOf(dims)).fill(value) });
      continue;
    }
    const bound = name.endsWith(".kernel") ? 1 / Math.sqrt(dims[0]!) : 0.3;
    const [low, high] = /\.(gamma|running_variance)$/.test(name) ? [0.5, 1.5] : [-bound, bound];
    weights.set(name, { shape: dims, data: hashedValues(seed, sizeOf(dims), low, high) });
    seed += 1;
  }
  return weights;
}
