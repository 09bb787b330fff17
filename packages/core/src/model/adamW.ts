import type { NamedTensorMap, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

interface AdamWOptions {
  /** Decoupled weight decay (Loshchilov & Hutter 2019), a step's share of lr. */
  readonly weightDecay: number;
  /** The largest global norm of the gradients; 0: not clipped. */
  readonly gradClip: number;
}

/** Running means of a variable's gradient and of its square. */
interface Moments {
  readonly m: Float32Array;
  readonly v: Float32Array;
}

/**
 * AdamW as torch.optim.AdamW has it, after clip_grad_norm_. One pass over plain arrays: on tfjs each variable would cost a
 * dozen small kernels a step.
 * @returns a function that takes the gradients by variable name and the learning rate, and updates the variables
 */
export function createAdamW(
  tf: Tf,
  variables: ReadonlyMap<string, Variable>,
  { weightDecay, gradClip }: AdamWOptions,
): (gradients: NamedTensorMap, learningRate: number) => void {
  const moments = new Map<string, Moments>();
  let step = 0;
  return (gradients, learningRate) => {
    step += 1;
    const entries = Object.entries(gradients).map(
      ([name, gradient]) => [name, gradient.dataSync() as Float32Array] as const,
    );
    const rates = {
      clip: clipScale(
        entries.map(([, gradient]) => gradient),
        gradClip,
      ),
      decay: 1 - learningRate * weightDecay,
      size: learningRate / (1 - BETA1 ** step),
      correction: 1 / Math.sqrt(1 - BETA2 ** step),
    };
    for (const [name, gradient] of entries) {
      const variable = variables.get(name);
      if (variable === undefined) throw new Error(`no variable for the gradient ${name}`);
      let moment = moments.get(name);
      if (moment === undefined) {
        moment = { m: new Float32Array(gradient.length), v: new Float32Array(gradient.length) };
        moments.set(name, moment);
      }
      const values = (variable.dataSync() as Float32Array).slice();
      updateValues(values, gradient, moment, rates);
      const updated = tf.tensor(values, variable.shape);
      variable.assign(updated);
      updated.dispose();
    }
  };
}

interface Rates {
  /** What the gradients are multiplied by first. */
  readonly clip: number;
  readonly decay: number;
  /** The learning rate over the first moment's bias correction. */
  readonly size: number;
  /** What the root of the second moment is multiplied by. */
  readonly correction: number;
}

/** One step of one variable, in place. */
function updateValues(
  values: Float32Array,
  gradient: Float32Array,
  { m, v }: Moments,
  { clip, decay, size, correction }: Rates,
): void {
  for (let i = 0; i < values.length; i += 1) {
    const g = gradient[i]! * clip;
    const first = BETA1 * m[i]! + (1 - BETA1) * g;
    const second = BETA2 * v[i]! + (1 - BETA2) * g * g;
    m[i] = first;
    v[i] = second;
    values[i] = values[i]! * decay - (size * first) / (Math.sqrt(second) * correction + EPSILON);
  }
}

function clipScale(gradients: readonly Float32Array[], limit: number): number {
  if (limit === 0) return 1;
  let sum = 0;
  for (const gradient of gradients) sum += sumOfSquares(gradient);
  return Math.min(1, limit / (Math.sqrt(sum) + 1e-6));
}

function sumOfSquares(values: Float32Array): number {
  let sum = 0;
  for (let i = 0; i < values.length; i += 1) sum += values[i]! * values[i]!;
  return sum;
}
