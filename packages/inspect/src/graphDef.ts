import {
  type Json,
  type LayerFacts,
  type ModelShape,
  isObject,
  listOf,
  product,
  textOf,
  textsOf,
} from "./modelReport.ts";
import type { StoredWeight } from "./weightsManifest.ts";

/**
 * The nodes of a TensorFlow graph (GraphDef as JSON, `{node: [...]}`) but for its constants, in the file's order; shapes where
 * nodes state them. A node's parameters are the values of the constants that it takes.
 */
export function graphDefLayers(topology: Json, weights: readonly StoredWeight[]): LayerFacts[] {
  const nodes = listOf(topology["node"]).filter(isObject);
  const sizes = new Map(weights.map(({ name, shape }) => [name, product(shape)]));
  const constants = new Set(
    nodes.filter(({ op }) => op === "Const").map(({ name }) => textOf(name)),
  );
  return nodes
    .filter(({ op }) => op !== "Const")
    .map((node): LayerFacts => {
      const inputs = [...new Set(textsOf(node["input"]).map(nodeOf))];
      const attributes = isObject(node["attr"]) ? node["attr"] : {};
      return {
        name: textOf(node["name"]),
        kind: textOf(node["op"]),
        inputs: inputs.filter((input) => !constants.has(input)),
        shape: shapeOf(attributes),
        parameters: inputs.reduce((sum, input) => sum + (sizes.get(input) ?? 0), 0),
        settings: settingsOf(attributes),
      };
    });
}

/** "conv:1" → "conv", "^conv" (only an order) → "conv" */
function nodeOf(input: string): string {
  return input.replace(/^\^/, "").replace(/:\d+$/, "");
}

function shapeOf(attributes: Json): ModelShape | null {
  const { _output_shapes: outputs, shape } = attributes;
  const list = isObject(outputs) && isObject(outputs["list"]) ? outputs["list"]["shape"] : [];
  const stated = listOf(list)[0] ?? (isObject(shape) ? shape["shape"] : undefined);
  return tensorShape(stated);
}

/** TensorShapeProto: sizes are numbers or texts of them, -1 is any. */
export function tensorShape(value: unknown): ModelShape | null {
  if (!isObject(value) || value["unknownRank"] === true) return null;
  return listOf(value["dim"]).map((dim, axis) => {
    const size = isObject(dim) ? Number(dim["size"] ?? 0) : -1;
    return size >= 0 ? size : axis === 0 ? "batch" : "?";
  });
}

/** Plain attributes; texts are base64 of bytes, numbers may be texts. */
function settingsOf(attributes: Json): Json {
  const entries = Object.entries(attributes).flatMap(([key, value]): [string, unknown][] => {
    if (!isObject(value) || key === "T" || key.startsWith("_")) return [];
    const { s, i, f, b, list } = value;
    if (typeof s === "string") return [[key, Buffer.from(s, "base64").toString("utf8")]];
    if (typeof b === "boolean") return [[key, b]];
    if (i !== undefined || f !== undefined) return [[key, Number(i ?? f)]];
    const ints = isObject(list) ? listOf(list["i"]) : [];
    return ints.length > 0 ? [[key, ints.map(Number)]] : [];
  });
  return Object.fromEntries(entries);
}
