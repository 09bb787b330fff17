import type { Tensor, Variable } from "@tensorflow/tfjs";
import type { Tf } from "./backend.ts";
import { type Graph, type Weights, weightSlots } from "./graph.ts";
import { type RunMode, runGraph } from "./layers.ts";

/** A network with its weights as variables of TensorFlow.js. */
export interface Network {
  readonly graph: Graph;
  readonly variables: ReadonlyMap<string, Variable>;
  /** Those that a gradient moves. */
  readonly trainable: ReadonlyMap<string, Variable>;
  /** The output for the inputs named. Call it inside tf.tidy or a gradient. */
  forward(inputs: Readonly<Record<string, Tensor>>, mode: RunMode): Tensor;
  /** A copy of every weight. */
  weights(): Weights;
  dispose(): void;
}

export function createNetwork(tf: Tf, graph: Graph, weights: Weights): Network {
  const variables = new Map<string, Variable>();
  const trainable = new Map<string, Variable>();
  for (const slot of weightSlots(graph)) {
    const weight = weights.get(slot.name);
    if (weight === undefined) throw new Error(`the network lacks the weight ${slot.name}`);
    const initial = tf.tensor(weight.data, [...slot.shape]);
    const variable = tf.variable(initial, slot.trainable);
    initial.dispose(); // the variable holds the values by itself
    variables.set(slot.name, variable);
    if (slot.trainable) trainable.set(slot.name, variable);
  }
  return {
    graph,
    variables,
    trainable,
    forward: (inputs, mode) => runGraph(tf, graph, variables, inputs, mode),
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
