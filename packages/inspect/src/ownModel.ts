import { dirname, join } from "node:path";
import { statOf } from "@emotion-service/core/files/listFiles";
import { AUDIO_CNN } from "@emotion-service/core/model/audioCheckpoint";
import { audioCnnGraph } from "@emotion-service/core/model/audioCnn";
import { FACE_CNN } from "@emotion-service/core/model/faceCheckpoint";
import { faceCnnGraph } from "@emotion-service/core/model/faceCnn";
import { fusionGraph } from "@emotion-service/core/model/fusion";
import { type Graph, type Layer, sizeOf, weightSlots } from "@emotion-service/core/model/graph";
import {
  type Json,
  type LayerFacts,
  type ModelReport,
  type WeightFacts,
  isObject,
  listOf,
  numbersOf,
  product,
  textOf,
  textsOf,
  valuesOf,
} from "./modelReport.ts";

/**
 * A network that train-multimodal wrote.
 * @param jsonPath its model.json
 * @param facts what that says, but for its weights
 * @param entries its weights
 */
export function ownReport(
  path: string,
  jsonPath: string,
  facts: Json,
  entries: readonly unknown[],
): ModelReport {
  const weights = entries.filter(isObject).map((entry): WeightFacts => ({
    name: textOf(entry["name"]),
    shape: numbersOf(entry["shape"]),
    dtype: textOf(entry["dtype"]),
  }));
  const graph = graphOf(facts);
  return {
    path,
    kind: textOf(facts["kind"] ?? facts["format"]),
    facts,
    labels: textsOf(facts["classes"]),
    ...(graph && { layers: graph.layers.map(layerFacts) }),
    weights,
    parameters: valuesOf(weights),
    ...(graph && { trainable: trainableOf(graph) }),
    problems: [
      ...fileProblems(join(dirname(jsonPath), "weights.bin"), bytesNeeded(entries)),
      ...(graph ? weightProblems(graph, weights) : []),
    ],
  };
}

/** The network of a model.json; undefined for a kind that is not known, or sizes that are not there. */
function graphOf(facts: Json): Graph | undefined {
  const classes = listOf(facts["classes"]).length;
  if (facts["kind"] === "fusion") {
    const [image, audio] = [sizeIn(facts["image"], "dim"), sizeIn(facts["audio"], "dim")];
    return image + audio > 0 ? fusionGraph({ image, audio, classes }) : undefined;
  }
  if (facts["kind"] === FACE_CNN) return classes > 0 ? faceCnnGraph(classes) : undefined;
  const mels = sizeIn(facts["features"], "n_mels");
  return facts["kind"] === AUDIO_CNN && mels > 0 ? audioCnnGraph({ mels, classes }) : undefined;
}

/** A whole number of an object, 0 where there is none. */
function sizeIn(value: unknown, key: string): number {
  const size = isObject(value) ? value[key] : 0;
  return Number.isSafeInteger(size) ? Number(size) : 0;
}

function layerFacts(layer: Layer): LayerFacts {
  const { name, op, inputs, shape, weights, ...settings } = layer;
  return {
    name,
    kind: op,
    inputs,
    shape: shape.map((size, axis) => size ?? (axis === 0 ? "batch" : "?")),
    parameters: valuesOf(weights),
    settings,
  };
}

function trainableOf(graph: Graph): number {
  return weightSlots(graph).reduce(
    (sum, { shape, trainable }) => sum + (trainable ? sizeOf(shape) : 0),
    0,
  );
}

/** Weights that the network has and the file has not, or with another shape. */
function weightProblems(graph: Graph, weights: readonly WeightFacts[]): string[] {
  const found = new Map(weights.map(({ name, shape }) => [name, shape.join(", ")]));
  return weightSlots(graph).flatMap(({ name, shape }) => {
    const [wanted, is] = [shape.join(", "), found.get(name)];
    if (is === wanted) return [];
    return [
      `weight ${name} must be [${wanted}], ${is === undefined ? "is missing" : `is [${is}]`}`,
    ];
  });
}

const BYTES: Readonly<Record<string, number>> = {
  float32: 4,
  int32: 4,
  float64: 8,
  bool: 1,
  uint8: 1,
};

/** Where the last weight ends, bytes. */
function bytesNeeded(entries: readonly unknown[]): number {
  const ends = entries.filter(isObject).map((entry) => {
    const bytes = BYTES[textOf(entry["dtype"])] ?? 4;
    return Number(entry["offset"] ?? 0) + bytes * product(numbersOf(entry["shape"]));
  });
  return Math.max(0, ...ends);
}

function fileProblems(path: string, needed: number): string[] {
  const size = statOf(path)?.size;
  if (size === undefined) return [`${path} is missing`];
  if (size < needed) return [`${path} must have at least ${needed} bytes, has ${size}`];
  return [];
}
