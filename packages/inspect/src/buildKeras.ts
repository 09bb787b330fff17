import { causeOf } from "@emotion-service/core/errors";
import { loadTensorFlow } from "@emotion-service/core/model/backend";
import { kerasShape } from "./kerasLayers.ts";
import { type Json, type ModelShape, isObject, valuesOf } from "./modelReport.ts";

/** What TensorFlow.js says of a layer. */
interface BuiltLayer {
  readonly shape: ModelShape | null;
  readonly parameters: number;
}

export interface BuiltKeras {
  /** By the layer's name with the models around it. */
  readonly layers: ReadonlyMap<string, BuiltLayer>;
  readonly parameters: number;
  readonly trainable: number;
}

/** The part of TensorFlow.js's Layer and LayersModel that is looked at. */
interface TfLayer {
  readonly name: string;
  readonly outputShape: unknown;
  readonly trainableWeights: readonly { readonly shape: readonly (number | null)[] }[];
  readonly layers?: readonly TfLayer[];
  countParams(): number;
}

/**
 * Lets TensorFlow.js build a Keras topology, since the topology does not state output shapes. Weights begin as zeros, and none
 * are read.
 * @returns what it built, or why it could not: a layer that it does not know, a newer Keras
 */
export async function buildKeras(topology: Json): Promise<BuiltKeras | { readonly cause: string }> {
  const { tf } = await loadTensorFlow("cpu");
  try {
    const model = await tf.loadLayersModel({
      load: () => Promise.resolve({ modelTopology: withoutDraws(topology) as object }),
    });
    try {
      const layers = new Map<string, BuiltLayer>();
      addLayers(layers, model, "");
      return { layers, parameters: model.countParams(), trainable: trainableOf(model) };
    } finally {
      model.dispose();
    }
  } catch (error) {
    return { cause: causeOf(error) };
  }
}

function addLayers(found: Map<string, BuiltLayer>, model: TfLayer, prefix: string): void {
  for (const layer of model.layers ?? []) {
    const name = `${prefix}${layer.name}`;
    if (layer.layers !== undefined) addLayers(found, layer, `${name}/`);
    else found.set(name, { shape: shapeOf(layer), parameters: layer.countParams() });
  }
}

/** Of the first output; null where a layer that is called more than once gives several. */
function shapeOf(layer: TfLayer): ModelShape | null {
  try {
    const shape = layer.outputShape;
    if (!Array.isArray(shape)) return null;
    return kerasShape(Array.isArray(shape[0]) ? (shape[0] as unknown[]) : shape);
  } catch {
    return null; // it throws for those
  }
}

function trainableOf({ trainableWeights }: Pick<TfLayer, "trainableWeights">): number {
  return valuesOf(trainableWeights.map(({ shape }) => ({ shape: shape.map(Number) })));
}

/** The same topology with every initializer zeros: to draw orthogonal matrices takes minutes. */
function withoutDraws(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutDraws);
  if (!isObject(value)) return value;
  const entries = Object.entries(value).map(([key, inner]) => [
    key,
    key.endsWith("_initializer") && isObject(inner)
      ? { class_name: "Zeros", config: {} }
      : withoutDraws(inner),
  ]);
  return Object.fromEntries(entries);
}
