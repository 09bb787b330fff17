import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import { statOf } from "../files/listFiles.ts";
import { allFinite } from "../finite.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import { type Graph, type Weight, type Weights, weightSlots } from "./graph.ts";

const MODEL_FORMAT = "emotion-service model";
const MODEL_FORMAT_VERSION = 1;

/** The file beside a checkpoint's weights. */
export const ONNX_FILE = "model.onnx";
/** All that a model's folder has of the model. */
export const MODEL_FILES = ["model.json", "weights.bin", ONNX_FILE] as const;

interface WeightEntry {
  readonly name: string;
  readonly shape: readonly number[];
  readonly dtype: "float32";
  /** Bytes from the start of weights.bin. */
  readonly offset: number;
}

interface ModelJson {
  readonly format: string;
  readonly format_version: number;
  readonly created_by: string;
  readonly kind: string;
  readonly weights: readonly WeightEntry[];
}

/** A trained model that was asked for: its folder, and the flag that named it. */
export interface TrainedModel {
  readonly folder: string;
  readonly flag: string;
}

/** What a model's folder holds. */
export interface ModelFacts {
  readonly json: Partial<ModelJson>;
  /** weights.bin */
  readonly bytes: Buffer;
}

/** Makes a folder of model.json, weights.bin and model.onnx at `folder` (a staged output's temporary path). */
export function writeModelFolder(
  folder: string,
  kind: string,
  facts: object,
  weights: Weights,
  onnx: Uint8Array,
): void {
  const entries: WeightEntry[] = [];
  const chunks: Buffer[] = [];
  let offset = 0;
  for (const [name, { shape, data }] of weights) {
    entries.push({ name, shape, dtype: "float32", offset });
    chunks.push(Buffer.from(data.buffer, data.byteOffset, data.byteLength));
    offset += data.byteLength;
  }
  const json = {
    format: MODEL_FORMAT,
    format_version: MODEL_FORMAT_VERSION,
    created_by: CREATED_BY,
    kind,
    ...facts,
    weights: entries,
  };
  mkdirSync(folder);
  writeFileSync(join(folder, "model.json"), `${JSON.stringify(json, null, 2)}\n`);
  writeFileSync(join(folder, "weights.bin"), Buffer.concat(chunks));
  writeFileSync(join(folder, ONNX_FILE), onnx);
}

/**
 * Reads a model's folder.
 * @param build makes the model of what is there; throws an Error where that does not fit together
 * @throws UserError when it is missing, of another format or kind, or damaged; `flag` names where the path came from
 */
export function readModelFolder<T>(
  folder: string,
  flag: string,
  kind: string,
  build: (facts: ModelFacts) => T,
): T {
  requireModelFolder(folder, flag);
  const damaged = (error: unknown): UserError =>
    new UserError("E_INPUT_BROKEN", `${flag} ${folder}: is not a whole model (${causeOf(error)})`, {
      hint: "a model is a folder with model.json and weights.bin, as train-multimodal writes it; train it again or copy it whole",
      cause: error,
    });
  let json: Partial<ModelJson> | null;
  let bytes: Buffer;
  try {
    json = JSON.parse(
      readFileSync(join(folder, "model.json"), "utf8"),
    ) as Partial<ModelJson> | null;
    bytes = readFileSync(join(folder, "weights.bin"));
  } catch (error) {
    throw damaged(error);
  }
  const { format, format_version: version = NaN, kind: found } = json ?? {};
  if (format !== MODEL_FORMAT || !(version <= MODEL_FORMAT_VERSION) || found !== kind)
    throw new UserError(
      "E_LAYOUT",
      `${flag} ${folder}: must be a ${kind} model of '${MODEL_FORMAT}' version ${MODEL_FORMAT_VERSION} at most, is '${format}' version ${version}, kind '${found}'`,
    );
  try {
    return build({ json: json ?? {}, bytes });
  } catch (error) {
    throw damaged(error);
  }
}

/** What kind of model a folder says that it holds; undefined where it says nothing that can be read. */
export function kindOfModel(folder: string): string | undefined {
  try {
    const json = readFileSync(join(folder, "model.json"), "utf8");
    return (JSON.parse(json) as Partial<ModelJson> | null)?.kind;
  } catch {
    return undefined; // to read the model will say why
  }
}

/** The classes of a classifier, in the order of its outputs. */
export function classesFrom({ json }: ModelFacts): readonly string[] {
  const { classes } = json as { readonly classes?: unknown };
  if (!Array.isArray(classes) || classes.length < 2)
    throw new Error("model.json: classes must be a list of 2 at least");
  return classes as string[];
}

/** What a classifier's scores are divided by before the softmax; 1 in a folder of an older version, which does not say. */
export function temperatureFrom({ json }: ModelFacts): number {
  const { temperature = 1 } = json as { readonly temperature?: unknown };
  if (typeof temperature !== "number" || !(temperature > 0 && temperature < Infinity))
    throw new Error("model.json: temperature must be a number above 0");
  return temperature;
}

/** The weights of a network, each of the shape that it must have, and finite. */
export function takeWeights(facts: ModelFacts, graph: Graph): Weights {
  const take = createWeightReader(facts);
  return new Map(weightSlots(graph).map(({ name, shape }) => [name, take(name, shape)]));
}

function requireModelFolder(folder: string, flag: string): void {
  const stat = statOf(folder);
  if (stat === undefined)
    throw new UserError("E_INPUT_MISSING", `${flag} ${folder}: no such model`, {
      hint: "name the folder that train-multimodal wrote, such as saved_models/multimodal_best",
    });
  if (!stat.isDirectory())
    throw new UserError("E_LAYOUT", `${flag} ${folder}: must be a model folder, is a file`, {
      hint: "name the folder that train-multimodal wrote, or the Python service's .pth file",
    });
}

function createWeightReader({
  json: { weights },
  bytes,
}: ModelFacts): (name: string, shape: readonly number[]) => Weight {
  if (!Array.isArray(weights)) throw new Error("model.json: weights must be a list");
  const entries = new Map((weights as WeightEntry[]).map((entry) => [entry.name, entry]));
  return (name, shape) => {
    const entry = entries.get(name);
    if (entry === undefined) throw new Error(`model.json: lacks the weight '${name}'`);
    if (JSON.stringify(entry.shape) !== JSON.stringify(shape))
      throw new Error(
        `the weight '${name}' must have shape [${shape.join()}], has [${entry.shape.join()}]`,
      );
    const start = bytes.byteOffset + entry.offset;
    const end = start + 4 * shape.reduce((a, b) => a * b, 1);
    if (!(entry.offset >= 0 && end <= bytes.byteOffset + bytes.length))
      throw new Error(`weights.bin ends before the weight '${name}'`);
    const data = new Float32Array(bytes.buffer.slice(start, end) as ArrayBuffer);
    if (!allFinite(data)) throw new Error(`the weight '${name}' holds NaN or infinity`);
    return { shape, data };
  };
}
