import type { NamedTensorMap, Tensor, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import type { KernelHost } from "./kernelHost.ts";
import { type Address, NONE } from "./trainingKernel.ts";

const BETA1 = 0.9;
const BETA2 = 0.999;
const EPSILON = 1e-8;

interface AdamWOptions {
  /** Decoupled weight decay (Loshchilov & Hutter 2019), a step's share of lr. */
  readonly weightDecay: number;
  /** The largest global norm of the gradients; 0: not clipped. */
  readonly gradClip: number;
}

/** The running means of a variable's gradients and of their squares. */
interface Moments {
  readonly first: Float32Array;
  readonly second: Float32Array;
}

/** What an optimiser keeps from step to step. */
export interface AdamWState {
  readonly steps: number;
  /** By the names of the variables; of a variable that no gradient has moved yet there are none. */
  readonly moments: ReadonlyMap<string, Moments>;
}

export interface AdamW {
  /** Moves the variables by their gradients, which go by the same names. */
  step(gradients: NamedTensorMap, learningRate: number): void;
  /** A copy of what it keeps. */
  state(): AdamWState;
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

/** A variable, and the gradient of a step. */
interface Entry {
  readonly name: string;
  readonly variable: Variable;
  readonly gradient: Tensor;
}

/** What keeps the moments and does the arithmetic. `Taken` is an entry as it works on it. */
interface Engine<Taken> {
  /** Takes the gradients of a step over; nothing but the calls below may come in between. */
  take(entries: readonly Entry[]): readonly Taken[];
  /** Σ x² of the gradient */
  sumOfSquares(taken: Taken): number;
  update(taken: Taken, rates: Rates): void;
  /** A copy of all moments. */
  moments(): Map<string, Moments>;
  dispose(): void;
}

/**
 * AdamW as torch.optim.AdamW has it, after clip_grad_norm_.
 * @param host the training kernel, where the backend has one: one pass over the values; else TensorFlow.js composes it of a
 * dozen operations a variable
 * @param from what another one kept, whose work this one goes on with
 */
export function createAdamW(
  tf: Tf,
  variables: ReadonlyMap<string, Variable>,
  { weightDecay, gradClip }: AdamWOptions,
  host?: KernelHost,
  from: AdamWState = { steps: 0, moments: new Map() },
): AdamW {
  const settings = { weightDecay, gradClip };
  return host === undefined
    ? adamWOn(composedEngine(tf, from.moments), variables, settings, from.steps)
    : adamWOn(kernelEngine(host, from.moments), variables, settings, from.steps);
}

function adamWOn<Taken>(
  engine: Engine<Taken>,
  variables: ReadonlyMap<string, Variable>,
  { weightDecay, gradClip }: AdamWOptions,
  stepsBefore: number,
): AdamW {
  let steps = stepsBefore;
  return {
    step: (gradients, learningRate) => {
      steps += 1;
      const taken = engine.take(
        Object.entries(gradients).map(([name, gradient]) => {
          const variable = variables.get(name);
          if (variable === undefined) throw new Error(`no variable for the gradient ${name}`);
          return { name, variable, gradient };
        }),
      );
      const rates: Rates = {
        clip: clipScale(taken, gradClip, engine),
        decay: 1 - learningRate * weightDecay,
        size: learningRate / (1 - BETA1 ** steps),
        correction: 1 / Math.sqrt(1 - BETA2 ** steps),
      };
      for (const each of taken) engine.update(each, rates);
    },
    state: () => ({ steps, moments: engine.moments() }),
    dispose: () => engine.dispose(),
  };
}

function clipScale<Taken>(
  taken: readonly Taken[],
  limit: number,
  engine: Pick<Engine<Taken>, "sumOfSquares">,
): number {
  if (limit === 0) return 1;
  const sum = taken.reduce((total, each) => total + engine.sumOfSquares(each), 0);
  return Math.min(1, limit / (Math.sqrt(sum) + 1e-6));
}

/** What of a variable is in the kernel's memory. */
interface Places {
  readonly name: string;
  readonly variable: Variable;
  /** Where the variable had its values after its last step. */
  dataId: object;
  readonly values: Address;
  readonly first: Address;
  readonly second: Address;
}

function kernelEngine(
  host: KernelHost,
  initial: AdamWState["moments"],
): Engine<{ readonly places: Places; readonly gradient: Address }> {
  const known = new Map<string, Places>();
  const placesOf = ({ name, variable }: Entry): Places => {
    const again = known.get(name);
    if (again !== undefined) return again;
    const bytes = 4 * variable.size;
    const values = host.hold(variable);
    const [first, second] = [host.reserve(bytes), host.reserve(bytes)];
    const before = initial.get(name);
    if (before !== undefined) {
      host.floatsAt(first, variable.size).set(before.first);
      host.floatsAt(second, variable.size).set(before.second);
    }
    const places = { name, variable, dataId: variable.dataId, values, first, second };
    known.set(name, places);
    return places;
  };
  return {
    take: (entries) => {
      const places = entries.map(placesOf); // first: what is reserved would lie where the gradients are staged
      const gradients = host.addressesOf(entries.map(({ gradient }) => gradient));
      return places.map((each, i) => ({ places: each, gradient: gradients[i] ?? NONE }));
    },
    sumOfSquares: ({ places, gradient }) =>
      host.kernel.sumOfSquares(gradient, places.variable.size),
    update: ({ places, gradient }, { clip, decay, size, correction }) => {
      const { name, variable, values, first, second } = places;
      // The memory of its old values is no longer its own.
      if (variable.dataId !== places.dataId)
        throw new Error(`${name} was assigned to between two steps of its optimiser`);
      const n = variable.size;
      host.kernel.adamW(values, gradient, first, second, n, clip, decay, size, correction);
      host.publish(variable, values);
      places.dataId = variable.dataId;
    },
    moments: () => {
      const moments = new Map(initial); // of the variables that are not known yet
      for (const { name, variable, first, second } of known.values())
        moments.set(name, {
          first: host.floatsAt(first, variable.size).slice(),
          second: host.floatsAt(second, variable.size).slice(),
        });
      return moments;
    },
    dispose: () => {
      for (const { variable, values, first, second } of known.values()) {
        host.letGo(variable, values);
        host.release(first);
        host.release(second);
      }
      known.clear();
    },
  };
}

function composedEngine(tf: Tf, initial: AdamWState["moments"]): Engine<Entry> {
  const moments = new Map<string, { readonly first: Variable; readonly second: Variable }>();
  return {
    take: (entries) => entries,
    sumOfSquares: ({ gradient }) => {
      const sum = tf.tidy(() => tf.sum(tf.square(gradient)));
      const [value = NaN] = sum.dataSync();
      sum.dispose();
      return value;
    },
    update: ({ name, variable, gradient }, { clip, decay, size, correction }) => {
      let moment = moments.get(name);
      if (moment === undefined) {
        const start = (values: Float32Array | undefined): Variable =>
          tf.tidy(() =>
            tf.variable(
              values === undefined ? tf.zerosLike(variable) : tf.tensor(values, variable.shape),
              false,
            ),
          );
        const before = initial.get(name);
        moment = { first: start(before?.first), second: start(before?.second) };
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
    moments: () => {
      const copy = ({ first, second }: { first: Variable; second: Variable }): Moments => ({
        first: Float32Array.from(first.dataSync()),
        second: Float32Array.from(second.dataSync()),
      });
      return new Map([...initial, ...[...moments].map(([name, of]) => [name, copy(of)] as const)]);
    },
    dispose: () => {
      for (const { first, second } of moments.values()) tf.dispose([first, second]);
      moments.clear();
    },
  };
}
