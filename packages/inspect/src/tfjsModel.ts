import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { buildKeras } from "./buildKeras.ts";
import { graphDefLayers, tensorShape } from "./graphDef.ts";
import { kerasLayers } from "./kerasLayers.ts";
import {
  type Json,
  type LayerFacts,
  type ModelReport,
  isObject,
  textOf,
  textsOf,
  valuesOf,
} from "./modelReport.ts";
import { type StoredWeight, manifestProblems, readManifest } from "./weightsManifest.ts";

/**
 * A model of TensorFlow.js: a layers-model (a Keras topology), a graph-model (a TensorFlow graph), or weights alone.
 * @param jsonPath its model.json, beside which the weight files lie
 * @param json what that says
 */
export async function tfjsReport(path: string, jsonPath: string, json: Json): Promise<ModelReport> {
  const groups = readManifest(json["weightsManifest"], jsonPath);
  const weights = groups.flatMap((group) => group.weights).filter((own) => !own.isOptimizers);
  const topology = isObject(json["modelTopology"]) ? json["modelTopology"] : undefined;
  const labels = labelsOf(json, dirname(jsonPath));
  const parts = topology === undefined ? ONLY_WEIGHTS : await partsOf(topology, weights);
  const { trainable } = parts;
  return {
    path,
    kind: parts.kind,
    facts: factsOf(json, topology ?? {}),
    ...(labels.length > 0 && { labels }),
    ...(parts.layers && { layers: parts.layers }),
    weights: weights.map(({ name, shape, dtype }) => ({ name, shape, dtype })),
    parameters: valuesOf(weights),
    ...(trainable !== undefined && { trainable }),
    problems: [...manifestProblems(dirname(jsonPath), groups), ...parts.problems],
  };
}

interface Parts extends Pick<ModelReport, "kind" | "problems"> {
  readonly layers?: readonly LayerFacts[];
  readonly trainable?: number;
}

const ONLY_WEIGHTS: Parts = { kind: "TensorFlow.js weights", problems: [] };

async function partsOf(topology: Json, weights: readonly StoredWeight[]): Promise<Parts> {
  if (!Array.isArray(topology["node"])) return await kerasParts(topology, weights);
  const layers = graphDefLayers(topology, weights);
  return { kind: "TensorFlow.js graph-model", layers, problems: [] };
}

async function kerasParts(topology: Json, weights: readonly StoredWeight[]): Promise<Parts> {
  const model = modelConfig(topology);
  const built = await buildKeras(model);
  const kind = "TensorFlow.js layers-model";
  const known = "cause" in built ? undefined : built;
  const layers = kerasLayers(model).map((layer): LayerFacts => {
    const of = known?.layers.get(layer.name);
    return {
      ...layer,
      shape: of?.shape ?? layer.shape,
      parameters: of?.parameters ?? parametersByName(layer.name, weights),
    };
  });
  if ("cause" in built) {
    const problem = `output shapes are not known: TensorFlow.js cannot build the model (${built.cause})`;
    return { kind, layers, problems: [problem] };
  }
  const stored = valuesOf(weights);
  const problems =
    stored === built.parameters
      ? []
      : [`the layers want ${built.parameters} parameters, the weights are ${stored}`];
  return { kind, layers, trainable: built.trainable, problems };
}

/** The converter from Keras puts the model under `model_config`, some versions as a text of JSON. */
function modelConfig(topology: Json): Json {
  const config = topology["model_config"];
  if (isObject(config)) return config;
  if (typeof config !== "string") return topology;
  try {
    const parsed: unknown = JSON.parse(config);
    return isObject(parsed) ? parsed : topology;
  } catch {
    return topology; // to build it will say what is missing
  }
}

/** Weights go by their layer's name: "conv1/kernel", of a layer within a model likewise. */
function parametersByName(layer: string, weights: readonly StoredWeight[]): number {
  const start = `${layer.slice(layer.lastIndexOf("/") + 1)}/`;
  return valuesOf(weights.filter(({ name }) => name.startsWith(start)));
}

function factsOf(json: Json, topology: Json): Json {
  const { modelTopology: _, weightsManifest: __, signature, ...rest } = json;
  const { keras_version: keras, versions } = topology;
  return {
    ...rest,
    ...(keras !== undefined && { keras_version: keras }),
    ...(isObject(versions) && { versions }),
    ...signatureFacts(signature),
  };
}

/** A signature of TensorFlow: inputs and outputs by name, `{name, dtype, tensorShape}` each. */
function signatureFacts(signature: unknown): Json {
  if (!isObject(signature)) return {};
  const values = (list: unknown): Json =>
    Object.fromEntries(
      Object.entries(isObject(list) ? list : {}).map(([name, value]) => {
        const { dtype, tensorShape: shape } = isObject(value) ? value : {};
        return [name, `${textOf(dtype)} [${tensorShape(shape)?.join(", ") ?? "?"}]`];
      }),
    );
  return { inputs: values(signature["inputs"]), outputs: values(signature["outputs"]) };
}

/** The classes that the model names, or the metadata.json beside it, as Teachable Machine writes one. */
function labelsOf(json: Json, folder: string): string[] {
  const own = json["userDefinedMetadata"];
  for (const facts of [own, readMetadata(join(folder, "metadata.json"))])
    if (isObject(facts))
      for (const key of ["labels", "wordLabels", "classes"])
        if (Array.isArray(facts[key])) return textsOf(facts[key]);
  return [];
}

function readMetadata(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined; // most models have none
  }
}
