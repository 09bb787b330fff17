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
  const moments = new Map<string, { m: Float32Array; v: Float32Array }>();
  let step = 0;
  return (gradients, learningRate) => {
    step += 1;
    const entries = Object.entries(gradients).map(
      ([name, gradient]) => [name, gradient.dataSync() as Float32Array] as const,
    );
    const scale = clipScale(entries.map(([, gradient]) => gradient), gradClip);
    const size = learningRate / (1 - BETA1 ** step);
    const correction = Math.sqrt(1 - BETA2 ** step);
    for (const [name, gradient] of entries) {
      const variable = variables.get(name);
      if (variable === undefined) throw new Error(`no variable for the gradient ${name}`);
      let moment = moments.get(name);
      if (moment === undefined) {
        moment = { m: new Float32Array(gradient.length), v: new Float32Array(gradient.length) };
        moments.set(name, moment);
      }
      const { m, v } = moment;
      const values = Float32Array.from(variable.dataSync());
      for (let i = 0; i < values.length; i += 1) {
        const g = (gradient[i] ?? 0) * scale;
        const first = (m[i] = BETA1 * (m[i] ?? 0) + (1 - BETA1) * g);
        const second = (v[i] = BETA2 * (v[i] ?? 0) + (1 - BETA2) * g * g);
        const decayed = (values[i] ?? 0) * (1 - learningRate * weightDecay);
        values[i] = decayed - (size * first) / (Math.sqrt(second) / correction + EPSILON);
      }
      const updated = tf.tensor(values, variable.shape);
      variable.assign(updated);
      updated.dispose();
    }
  };
}

function clipScale(gradients: readonly Float32Array[], limit: number): number {
  if (limit === 0) return 1;
  let sum = 0;
  for (const gradient of gradients)
    for (let i = 0; i < gradient.length; i += 1) sum += (gradient[i] ?? 0) ** 2;
  return Math.min(1, limit / (Math.sqrt(sum) + 1e-6));
}
