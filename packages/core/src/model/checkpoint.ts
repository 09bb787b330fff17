import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import type { Standardisation } from "./dataset.ts";
import { MODALITIES, type Modality, type Weights } from "./fusion.ts";

export const MODEL_FORMAT = "emotion-service model";
export const MODEL_FORMAT_VERSION = 1;

/** A trained fusion classifier as it is saved: a folder of model.json and weights.bin. */
export interface Checkpoint {
  /** In the order of the model's outputs. */
  readonly classes: readonly string[];
  readonly encoders: Partial<Record<Modality, EncoderInfo>>;
  readonly standardisation: Partial<Record<Modality, Standardisation>>;
  readonly weights: Weights;
  /** How the training pairs were matched; "label": of different people. */
  readonly matchBy: string;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

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
  readonly kind: "fusion";
  readonly classes: readonly string[];
  readonly image: EncoderInfo | null;
  readonly audio: EncoderInfo | null;
  readonly match_by: string;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
  readonly weights: readonly WeightEntry[];
}

/** Writes a checkpoint into a folder that it makes at `folder` (a staged output's temporary path). */
export function writeCheckpoint(folder: string, checkpoint: Checkpoint): void {
  const entries: WeightEntry[] = [];
  const chunks: Float32Array[] = [];
  let offset = 0;
  const add = (name: string, shape: readonly number[], data: Float32Array): void => {
    entries.push({ name, shape, dtype: "float32", offset });
    chunks.push(data);
    offset += data.byteLength;
  };
  for (const modality of MODALITIES) {
    const standard = checkpoint.standardisation[modality];
    if (standard === undefined) continue;
    add(`${modality}.mean`, [standard.mean.length], standard.mean);
    add(`${modality}.deviation`, [standard.deviation.length], standard.deviation);
  }
  for (const [name, { shape, data }] of checkpoint.weights) add(name, shape, data);
  const json: ModelJson = {
    format: MODEL_FORMAT,
    format_version: MODEL_FORMAT_VERSION,
    created_by: CREATED_BY,
    kind: "fusion",
    classes: checkpoint.classes,
    image: checkpoint.encoders.image ?? null,
    audio: checkpoint.encoders.audio ?? null,
    match_by: checkpoint.matchBy,
    epoch: checkpoint.epoch,
    settings: checkpoint.settings,
    metrics: checkpoint.metrics,
    weights: entries,
  };
  mkdirSync(folder);
  writeFileSync(join(folder, "model.json"), `${JSON.stringify(json, null, 2)}\n`);
  writeFileSync(
    join(folder, "weights.bin"),
    Buffer.concat(chunks.map((data) => Buffer.from(data.buffer, data.byteOffset, data.byteLength))),
  );
}

/**
 * Reads a checkpoint folder.
 * @throws UserError when it is missing, of another format, or damaged; `flag` names where the path came from
 */
export function readCheckpoint(folder: string, flag: string): Checkpoint {
  const json = readModelJson(folder, flag);
  const bytes = readFileSync(join(folder, "weights.bin"));
  const arrays = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  for (const { name, shape, offset } of json.weights) {
    const length = shape.reduce((a, b) => a * b, 1);
    if (offset + 4 * length > bytes.length)
      throw new UserError("E_INPUT_BROKEN", `${flag} ${folder}: weights.bin ends before the weight '${name}'`, {
        hint: "the model is damaged; train it again or copy it whole",
      });
    const at = bytes.byteOffset + offset;
    const data = new Float32Array(bytes.buffer.slice(at, at + 4 * length) as ArrayBuffer);
    arrays.set(name, { shape, data });
  }
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  const standardisation: Partial<Record<Modality, Standardisation>> = {};
  for (const modality of MODALITIES) {
    const encoder = json[modality];
    const [mean, deviation] = [arrays.get(`${modality}.mean`), arrays.get(`${modality}.deviation`)];
    arrays.delete(`${modality}.mean`);
    arrays.delete(`${modality}.deviation`);
    if (encoder === null || mean === undefined || deviation === undefined) continue;
    encoders[modality] = encoder;
    standardisation[modality] = { mean: mean.data, deviation: deviation.data };
  }
  return {
    classes: json.classes,
    encoders,
    standardisation,
    weights: arrays,
    matchBy: json.match_by,
    epoch: json.epoch,
    settings: json.settings,
    metrics: json.metrics,
  };
}

function readModelJson(folder: string, flag: string): ModelJson {
  const stat = statSync(folder, { throwIfNoEntry: false });
  if (stat === undefined)
    throw new UserError("E_INPUT_MISSING", `${flag} ${folder}: no such model`, {
      hint: "name the folder that train-multimodal wrote, such as saved_models/multimodal_best",
    });
  if (!stat.isDirectory())
    throw new UserError("E_LAYOUT", `${flag} ${folder}: must be a model folder, is a file`, {
      hint: "name the folder that train-multimodal wrote; files of the Python service cannot be read yet",
    });
  let json: ModelJson;
  try {
    json = JSON.parse(readFileSync(join(folder, "model.json"), "utf8")) as ModelJson;
    statSync(join(folder, "weights.bin"));
  } catch (error) {
    throw new UserError("E_INPUT_BROKEN", `${flag} ${folder}: is not a whole model (${causeOf(error)})`, {
      hint: "a model is a folder with model.json and weights.bin, as train-multimodal writes it",
      cause: error,
    });
  }
  if (json.format !== MODEL_FORMAT || json.format_version > MODEL_FORMAT_VERSION || json.kind !== "fusion")
    throw new UserError(
      "E_LAYOUT",
      `${flag} ${folder}: must be a fusion model of '${MODEL_FORMAT}' version ${MODEL_FORMAT_VERSION} at most, is '${json.format}' version ${json.format_version}, kind '${json.kind}'`,
    );
  return json;
}
