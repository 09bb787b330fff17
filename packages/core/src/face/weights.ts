import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { type Weights, sizeOf } from "../model/graph.ts";

/** The package that carries the weights of the three networks. */
const PACKAGE = "@vladmandic/face-api";
const MODELS = [
  "tiny_face_detector_model",
  "face_landmark_68_model",
  "face_expression_model",
] as const;
export type FaceModel = (typeof MODELS)[number];

/** A weight as a manifest states it; a quantised value q stands for q · scale + min. */
interface ManifestEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "float32";
  readonly quantization?: {
    readonly dtype: "uint8";
    readonly scale: number;
    readonly min: number;
  };
}
type Manifest = readonly {
  readonly weights: readonly ManifestEntry[];
  readonly paths: readonly string[];
}[];

const require = createRequire(import.meta.url);

/** "@vladmandic/face-api 1.7.15" */
export function facePackage(): string {
  const { version } = require(`${PACKAGE}/package.json`) as { version: string };
  return `${PACKAGE} ${version}`;
}

function modelFile(name: string): string {
  return join(dirname(require.resolve(`${PACKAGE}/package.json`)), "model", name);
}

/** SHA-256 over the weights of the three networks, hex. */
export function faceWeightsSha256(): string {
  const hash = createHash("sha256");
  for (const model of MODELS) hash.update(readFileSync(modelFile(`${model}.bin`)));
  return hash.digest("hex");
}

/**
 * Reads the weights of a network: as the layers of its graph name them, dequantised to float32.
 * @throws Error when the file does not hold what its manifest states
 */
export function readFaceWeights(model: FaceModel): Weights {
  const weights: Weights = new Map();
  const manifest = JSON.parse(
    readFileSync(modelFile(`${model}-weights_manifest.json`), "utf8"),
  ) as Manifest;
  for (const { weights: entries, paths } of manifest) {
    const bytes = Buffer.concat(paths.map((path) => readFileSync(modelFile(path))));
    let offset = 0;
    for (const entry of entries) {
      const size = sizeOf(entry.shape) * (entry.quantization === undefined ? 4 : 1);
      if (offset + size > bytes.length)
        throw new Error(`${model}: its file ends before ${entry.name}`);
      const data = decodeWeight(entry, bytes.subarray(offset, offset + size));
      weights.set(layerWeight(entry.name), { shape: entry.shape, data });
      offset += size;
    }
    if (offset !== bytes.length) throw new Error(`${model}: its file is longer than its manifest`);
  }
  return weights;
}

function decodeWeight({ quantization }: ManifestEntry, bytes: Uint8Array): Float32Array {
  if (quantization === undefined) return new Float32Array(Uint8Array.from(bytes).buffer); // little-endian, as Node is everywhere
  const { scale, min } = quantization;
  const data = new Float32Array(bytes.length);
  for (let i = 0; i < data.length; i += 1) data[i] = (bytes[i] ?? 0) * scale + min;
  return data;
}

/**
 * A weight's name in the graph: "conv0/filters" → "conv0.kernel". A separable convolution "conv1" is two layers,
 * "conv1/depthwise" and then "conv1", which mixes the channels and adds the bias.
 */
function layerWeight(name: string): string {
  return name
    .replace(/\/depthwise_filter$/, "/depthwise.kernel")
    .replace(/\/(filters|pointwise_filter|weights)$/, ".kernel")
    .replace(/\/bias$/, ".bias");
}
