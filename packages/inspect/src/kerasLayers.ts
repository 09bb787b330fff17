import { type Json, type ModelShape, isObject, listOf, textOf } from "./modelReport.ts";

/** A layer of a Keras topology, before its output and weights are known. */
export interface KerasLayer {
  /** With the names of the models around it: "features/conv1". */
  readonly name: string;
  readonly kind: string;
  readonly inputs: readonly string[];
  /** Of an input. */
  readonly shape: ModelShape | null;
  readonly settings: Json;
}

interface Flat {
  readonly layers: readonly KerasLayer[];
  /** Names of the layers that give its outputs, in order. */
  readonly outputs: readonly string[];
}

/** Settings that say how weights began, or what stands in the table already. */
const LEFT_OUT =
  /_(initializer|regularizer|constraint)$|^(name|dtype|trainable|batch_(input_)?shape)$/;

/**
 * The layers of a Keras model (`{class_name, config}`, as Keras 2, Keras 3 and TensorFlow.js write it), models within it
 * taken apart; inputs of a sequential model as Keras names them: "dense_input".
 */
export function kerasLayers(model: Json): readonly KerasLayer[] {
  return flatten(model, "", undefined).layers;
}

/** @param given names of what the model around gives to this one; undefined: nothing is around */
function flatten(model: Json, prefix: string, given: readonly string[] | undefined): Flat {
  const config = model["config"];
  const layers = listOf(isObject(config) ? config["layers"] : config).filter(isObject);
  return model["class_name"] === "Sequential"
    ? flattenSequence(layers, prefix, given)
    : flattenGraph(layers, isObject(config) ? config : {}, prefix, given);
}

function flattenSequence(
  layers: readonly Json[],
  prefix: string,
  given: readonly string[] | undefined,
): Flat {
  const found: KerasLayer[] = [];
  let outputs = given ?? [];
  for (const [index, layer] of layers.entries()) {
    const isFirst = index === 0 && given === undefined;
    if (isFirst && !isModel(layer) && !isInput(layer)) {
      const name = `${prefix}${nameOf(layer)}_input`;
      found.push({ ...layerOf(layer, name, []), kind: "InputLayer", settings: {} });
      outputs = [name];
    }
    if (isInput(layer) && given !== undefined) continue;
    const inner = flattenLayer(layer, prefix, isFirst && isModel(layer) ? undefined : outputs);
    found.push(...inner.layers);
    outputs = inner.outputs;
  }
  return { layers: found, outputs };
}

function flattenGraph(
  layers: readonly Json[],
  config: Json,
  prefix: string,
  given: readonly string[] | undefined,
): Flat {
  const found: KerasLayer[] = [];
  const inputNames = references(config["input_layers"]).map(([name]) => name);
  const outputsOf = new Map<string, readonly string[]>();
  const sourcesOf = (value: unknown): string[] =>
    references(value).map(([name, tensor]) => {
      const outputs = outputsOf.get(name) ?? [];
      return outputs[tensor] ?? outputs[0] ?? `${prefix}${name}`;
    });
  for (const layer of layers) {
    const name = nameOf(layer);
    const outer = given?.[inputNames.indexOf(name)];
    if (isInput(layer) && outer !== undefined) outputsOf.set(name, [outer]);
    else {
      const inner = flattenLayer(layer, prefix, sourcesOf(layer["inbound_nodes"]));
      found.push(...inner.layers);
      outputsOf.set(name, inner.outputs);
    }
  }
  return { layers: found, outputs: sourcesOf(config["output_layers"]) };
}

function flattenLayer(layer: Json, prefix: string, sources: readonly string[] | undefined): Flat {
  const name = `${prefix}${nameOf(layer)}`;
  if (isModel(layer)) return flatten(layer, `${name}/`, sources);
  return { layers: [layerOf(layer, name, [...new Set(sources)])], outputs: [name] };
}

function layerOf(layer: Json, name: string, inputs: readonly string[]): KerasLayer {
  const config = configOf(layer);
  const wrapped = isObject(config["layer"]) ? `(${textOf(config["layer"]["class_name"])})` : "";
  const shape = config["batch_input_shape"] ?? config["batch_shape"];
  return {
    name,
    kind: `${textOf(layer["class_name"])}${wrapped}`,
    inputs,
    shape: Array.isArray(shape) ? kerasShape(shape) : null,
    settings: Object.fromEntries(
      Object.entries(config).filter(([key, value]) => !LEFT_OUT.test(key) && value !== null),
    ),
  };
}

/** Sizes as Keras has them: null for any. */
export function kerasShape(shape: readonly unknown[]): ModelShape {
  return shape.map((size, axis) => (typeof size === "number" ? size : axis === 0 ? "batch" : "?"));
}

function configOf(layer: Json): Json {
  return isObject(layer["config"]) ? layer["config"] : {};
}

function nameOf(layer: Json): string {
  return textOf(configOf(layer)["name"] ?? layer["name"]);
}

function isInput(layer: Json): boolean {
  return layer["class_name"] === "InputLayer";
}

function isModel(layer: Json): boolean {
  const { config } = layer;
  return isObject(config) ? Array.isArray(config["layers"]) : Array.isArray(config);
}

/**
 * The tensors that a value names, each [layer, call, tensor, …], wherever in it: Keras 2 has lists of calls with lists of
 * them and more among keyword arguments, Keras 3 has `keras_history` in objects.
 */
function references(value: unknown): (readonly [layer: string, tensor: number])[] {
  if (isObject(value)) return Object.values(value).flatMap(references);
  if (!Array.isArray(value)) return [];
  const [layer, call, tensor, ...rest] = value as unknown[];
  if (typeof layer === "string" && typeof call === "number" && typeof tensor === "number")
    return [[layer, tensor], ...rest.flatMap(references)];
  return value.flatMap(references);
}
