import { readFileSync, writeFileSync } from "node:fs";
import { UserError, causeOf } from "../errors.ts";
import { requireFile } from "../files/listFiles.ts";
import {
  type EncoderInfo,
  type EncoderJson,
  encoderFromJson,
  encoderToJson,
} from "../hdf5/encoder.ts";
import { CREATED_BY, FORMAT_VERSION } from "../hdf5/format.ts";
import type { Modality } from "../model/fusion.ts";
import type { Contamination, IsolationForest } from "./forest.ts";
import { type Tree, isTree } from "./tree.ts";

/** The names that train-anomaly gives the model. */
export const MODEL_FILE = "isolation_forest.json";
export const ONNX_FILE = "isolation_forest.onnx";
const FORMAT = "emotion-service isolation forest";
const CURE = "make it again with train-anomaly";

/** A fitted forest with what a later step must know to give it the rows it was trained on. */
export interface AnomalyModel {
  readonly forest: IsolationForest;
  /** null where it is not known, of a forest that was not fitted here. */
  readonly seed: number | null;
  readonly trainingRows: number | null;
  /** Of a forest that was not fitted here: the program and its version. */
  readonly importedFrom?: string;
  /** undefined: the forest does not use the modality. */
  readonly imageEncoder: EncoderInfo | undefined;
  readonly audioEncoder: EncoderInfo | undefined;
  /** What a missing modality is filled with, [Di + Da], image first; of those that the forest uses. */
  readonly means: Float32Array;
}

/** The modalities that a forest was trained on, in the order of its columns; one of no values is none. */
export function modalitiesOf({
  imageEncoder: image,
  audioEncoder: audio,
}: AnomalyModel): (readonly [Modality, EncoderInfo])[] {
  const all = [["image", image] as const, ["audio", audio] as const];
  return all.flatMap(([modality, encoder]) =>
    encoder === undefined || encoder.dim === 0 ? [] : [[modality, encoder] as const],
  );
}

/** Writes a model as JSON at `path` (a staged output's temporary path); numbers keep every digit. */
export function saveAnomalyModel(path: string, model: AnomalyModel): void {
  const { forest } = model;
  const content = {
    format: FORMAT,
    format_version: FORMAT_VERSION,
    created_by: CREATED_BY,
    n_estimators: forest.trees.length,
    n_features: forest.nFeatures,
    max_samples: forest.maxSamples,
    contamination: forest.contamination,
    offset: forest.offset,
    seed: model.seed,
    training_rows: model.trainingRows,
    ...(model.importedFrom !== undefined && { imported_from: model.importedFrom }),
    image_encoder: encoderOrNull(model.imageEncoder),
    audio_encoder: encoderOrNull(model.audioEncoder),
    training_means: Array.from(model.means),
    trees: forest.trees.map((tree) => ({
      feature: Array.from(tree.feature),
      threshold: Array.from(tree.threshold),
      left: Array.from(tree.left),
      right: Array.from(tree.right),
      n_node_samples: Array.from(tree.nNodeSamples),
    })),
  };
  writeFileSync(path, `${JSON.stringify(content)}\n`);
}

function encoderOrNull(encoder: EncoderInfo | undefined): EncoderJson | null {
  return encoder === undefined ? null : encoderToJson(encoder);
}

/**
 * Reads a model written by {@link saveAnomalyModel}; `flag` names where the path came from.
 * @throws UserError when the file is missing, is not such a model, or is damaged.
 */
export function loadAnomalyModel(path: string, flag: string): AnomalyModel {
  requireFile(path, flag);
  const name = `${flag} ${path}`;
  const json = parseJson(readFileSync(path, "utf8"), name);
  if (json["format"] !== FORMAT)
    throw new UserError(
      "E_LAYOUT",
      `${name}: must be an isolation forest of train-anomaly, is not`,
      {
        hint: `name the ${MODEL_FILE} that train-anomaly wrote`,
      },
    );
  if (json["format_version"] !== FORMAT_VERSION)
    throw new UserError(
      "E_LAYOUT",
      `${name}: format_version must be ${FORMAT_VERSION}, is ${String(json["format_version"])}`,
      { hint: CURE },
    );
  try {
    return modelFromJson(json);
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${name}: is damaged (${causeOf(error)})`, {
      hint: CURE,
      cause: error,
    });
  }
}

type Json = Readonly<Record<string, unknown>>;

function parseJson(text: string, name: string): Json {
  try {
    return objectOf(JSON.parse(text), "the file");
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${name}: cannot be read as JSON (${causeOf(error)})`, {
      hint: `name the ${MODEL_FILE} that train-anomaly wrote`,
      cause: error,
    });
  }
}

function modelFromJson(json: Json): AnomalyModel {
  const nFeatures = numberOf(json["n_features"], "n_features");
  const trees = listOf(json["trees"], "trees").map((tree, t) =>
    treeFromJson(objectOf(tree, `trees[${t}]`), `trees[${t}]`, nFeatures),
  );
  const contamination: Contamination =
    json["contamination"] === "auto" ? "auto" : numberOf(json["contamination"], "contamination");
  const means = Float32Array.from(numbersOf(json["training_means"], "training_means"));
  const encoder = (name: string): EncoderInfo | undefined =>
    json[name] === null ? undefined : encoderFromJson(json[name], name);
  const [imageEncoder, audioEncoder] = [encoder("image_encoder"), encoder("audio_encoder")];
  if (
    trees.length === 0 ||
    means.length !== nFeatures ||
    (imageEncoder?.dim ?? 0) + (audioEncoder?.dim ?? 0) !== nFeatures
  )
    throw new Error("its trees, means and encoders do not fit together");
  return {
    forest: {
      trees,
      nFeatures,
      maxSamples: numberOf(json["max_samples"], "max_samples"),
      contamination,
      offset: numberOf(json["offset"], "offset"),
    },
    seed: numberOrNull(json["seed"], "seed"),
    trainingRows: numberOrNull(json["training_rows"], "training_rows"),
    ...(typeof json["imported_from"] === "string" && { importedFrom: json["imported_from"] }),
    imageEncoder,
    audioEncoder,
    means,
  };
}

/** Checks what scoring trusts. */
function treeFromJson(json: Json, name: string, nFeatures: number): Tree {
  const integers = (key: string): Int32Array =>
    Int32Array.from(numbersOf(json[key], `${name}.${key}`));
  const feature = integers("feature");
  const threshold = Float64Array.from(numbersOf(json["threshold"], `${name}.threshold`));
  const [left, right, nNodeSamples] = [
    integers("left"),
    integers("right"),
    integers("n_node_samples"),
  ];
  const tree = { feature, threshold, left, right, nNodeSamples };
  if (!isTree(tree, nFeatures)) throw new Error(`${name} is no tree`);
  return tree;
}

function objectOf(value: unknown, name: string): Json {
  if (!isObject(value)) throw new Error(`${name} must be an object`);
  return value;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function listOf(value: unknown, name: string): unknown[] {
  if (!Array.isArray(value)) throw new Error(`${name} must be a list`);
  return value;
}

function numberOf(value: unknown, name: string): number {
  if (typeof value !== "number") throw new Error(`${name} must be a number`);
  return value;
}

function numberOrNull(value: unknown, name: string): number | null {
  return value === null ? null : numberOf(value, name);
}

function numbersOf(value: unknown, name: string): number[] {
  return listOf(value, name).map((item) => numberOf(item, name));
}
