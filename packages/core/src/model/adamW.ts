import type { NamedTensorMap, Tensor, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import type { KernelHost } from "./kernelHost.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

interface AdamWOptions {
  /** Decoupled weight decay (Loshchilov & Hutter 2019), a step's share of lr. */
  readonly weightDecay: number;
  /** The largest global norm of the gradients; 0: not clipped. */
  readonly gradClip: number;
}

export interface AdamW {
  /** Moves the variables by their gradients, which go by the same names. */
  step(gradients: NamedTensorMap, learningRate: number): void;
  dispose(): void;
}

/** How one step moves a variable. */
interface Rates {
  /** What the gradients are multiplied by first. */
  readonly clip: number;
  /** What the values are multiplied by first. */
  readonly decay: number;
  /** The learning rate over the first moment's bias correction. */
  readonly size: number;
  /** What the root of the second moment is multiplied by. */
  readonly correction: number;
}

/** What keeps the moments and does the arithmetic. */
interface Engine {
  /** Σ x² */
  sumOfSquares(gradient: Tensor): number;
  update(name: string, variable: Variable, gradient: Tensor, rates: Rates): void;
  dispose(): void;
}

/**
 * AdamW as torch.optim.AdamW has it, after clip_grad_norm_.
 * @param host the training kernel, where the backend has one: one pass over the values; else TensorFlow.js composes it of a
 * dozen operations a variable
 */
export function createAdamW(
  tf: Tf,
  variables: ReadonlyMap<string, Variable>,
  { weightDecay, gradClip }: AdamWOptions,
  host?: KernelHost,
): AdamW {
  const engine = host === undefined ? composedEngine(tf) : kernelEngine(host);
  let steps = 0;
  return {
    step: (gradients, learningRate) => {
      steps += 1;
      const entries = Object.entries(gradients);
      const rates: Rates = {
        clip: clipScale(
          entries.map(([, gradient]) => gradient),
          gradClip,
          engine,
        ),
        decay: 1 - learningRate * weightDecay,
        size: learningRate / (1 - BETA1 ** steps),
        correction: 1 / Math.sqrt(1 - BETA2 ** steps),
      };
      for (const [name, gradient] of entries) {
        const variable = variables.get(name);
        if (variable === undefined) throw new Error(`no variable for the gradient ${name}`);
        engine.update(name, variable, gradient, rates);
      }
    },
    dispose: () => engine.dispose(),
  };
}

function clipScale(gradients: readonly Tensor[], limit: number, engine: Engine): number {
  if (limit === 0) return 1;
  const sum = gradients.reduce((total, gradient) => total + engine.sumOfSquares(gradient), 0);
  return Math.min(1, limit / (Math.sqrt(sum) + 1e-6));
}

function kernelEngine(host: KernelHost): Engine {
  interface Places {
    readonly variable: Variable;
    /** Where the variable had its values after its last step. */
    dataId: object;
    readonly values: number;
    readonly first: number;
    readonly second: number;
  }
  const places = new Map<string, Places>();
  const placeOf = (name: string, variable: Variable): Places => {
    const known = places.get(name);
    if (known !== undefined) return known;
    const bytes = 4 * variable.size;
    const values = host.hold(variable);
    const [first, second] = [host.reserve(bytes), host.reserve(bytes)];
    const place = { variable, dataId: variable.dataId, values, first, second };
    places.set(name, place);
    return place;
  };
  return {
    sumOfSquares: (gradient) => host.kernel.sumOfSquares(host.addressOf(gradient), gradient.size),
    update: (name, variable, gradient, { clip, decay, size, correction }) => {
      const place = placeOf(name, variable);
      const { values, first, second } = place;
      // The memory of its old values is no longer its own.
      if (variable.dataId !== place.dataId)
        throw new Error(`${name} was assigned to between two steps of its optimiser`);
      const at = host.addressOf(gradient);
      host.kernel.adamW(values, at, first, second, variable.size, clip, decay, size, correction);
      host.publish(variable, values);
      place.dataId = variable.dataId;
    },
    dispose: () => {
      for (const { variable, values, first, second } of places.values()) {
        host.letGo(variable, values);
        host.release(first);
        host.release(second);
      }
      places.clear();
    },
  };
}

function composedEngine(tf: Tf): Engine {
  const moments = new Map<string, { readonly first: Variable; readonly second: Variable }>();
  return {
    sumOfSquares: (gradient) => {
      const sum = tf.tidy(() => tf.sum(tf.square(gradient)));
      const [value = NaN] = sum.dataSync();
      sum.dispose();
      return value;
    },
    update: (name, variable, gradient, { clip, decay, size, correction }) => {
      let moment = moments.get(name);
      if (moment === undefined) {
        const zeros = (): Variable => tf.tidy(() => tf.variable(tf.zerosLike(variable), false));
        moment = { first: zeros(), second: zeros() };
        moments.set(name, moment);
      }
      const { first, second } = moment;
      tf.tidy(() => {
        const g = tf.mul(gradient, clip);
        first.assign(tf.add(tf.mul(first, BETA1), tf.mul(g, 1 - BETA1)));
        second.assign(tf.add(tf.mul(second, BETA2), tf.mul(tf.square(g), 1 - BETA2)));
        const root = tf.add(tf.mul(tf.sqrt(second), correction), EPSILON);
        const move = tf.div(tf.mul(first, size), root);
        variable.assign(tf.sub(tf.mul(variable, decay), move));
      });
    },
    dispose: () => {
      for (const { first, second } of moments.values()) tf.dispose([first, second]);
      moments.clear();
    },
  };
}
