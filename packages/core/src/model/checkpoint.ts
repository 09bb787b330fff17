import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import { statOf } from "../files/listFiles.ts";
import {
  type EncoderInfo,
  type EncoderJson,
  encoderFromJson,
  encoderToJson,
} from "../hdf5/encoder.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import { ONNX_FILE, exportFusion } from "../onnx/fusionOnnx.ts";
import { type FusionShape, MODALITIES, type Modality, fusionGraph } from "./fusion.ts";
import { type Weight, type Weights, weightSlots } from "./graph.ts";

export const MODEL_FORMAT = "emotion-service model";
export const MODEL_FORMAT_VERSION = 1;

/** A trained fusion classifier as it is saved: a folder of model.json, weights.bin and, made of them, model.onnx. */
export interface Checkpoint {
  /** In the order of the model's outputs. */
  readonly classes: readonly string[];
  readonly encoders: Partial<Record<Modality, EncoderInfo>>;
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
  readonly image: EncoderJson | null;
  readonly audio: EncoderJson | null;
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
  for (const [name, { shape, data }] of checkpoint.weights) add(name, shape, data);
  const json: ModelJson = {
    format: MODEL_FORMAT,
    format_version: MODEL_FORMAT_VERSION,
    created_by: CREATED_BY,
    kind: "fusion",
    classes: checkpoint.classes,
    image: checkpoint.encoders.image ? encoderToJson(checkpoint.encoders.image) : null,
    audio: checkpoint.encoders.audio ? encoderToJson(checkpoint.encoders.audio) : null,
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
  writeFileSync(join(folder, ONNX_FILE), exportFusion(checkpointShape(checkpoint), checkpoint));
}

/** The sizes of a checkpoint's model. */
export function checkpointShape({
  classes,
  encoders,
}: Pick<Checkpoint, "classes" | "encoders">): FusionShape {
  return {
    image: encoders.image?.dim ?? 0,
    audio: encoders.audio?.dim ?? 0,
    classes: classes.length,
  };
}

/**
 * Reads a checkpoint folder.
 * @throws UserError when it is missing, of another format, or damaged; `flag` names where the path came from
 */
export function readCheckpoint(folder: string, flag: string): Checkpoint {
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
  const { format, format_version: version = NaN, kind } = json ?? {};
  if (format !== MODEL_FORMAT || !(version <= MODEL_FORMAT_VERSION) || kind !== "fusion")
    throw new UserError(
      "E_LAYOUT",
      `${flag} ${folder}: must be a fusion model of '${MODEL_FORMAT}' version ${MODEL_FORMAT_VERSION} at most, is '${format}' version ${version}, kind '${kind}'`,
    );
  try {
    return checkpointFrom(json as ModelJson, bytes);
  } catch (error) {
    throw damaged(error);
  }
}

function requireModelFolder(folder: string, flag: string): void {
  const stat = statOf(folder);
  if (stat === undefined)
    throw new UserError("E_INPUT_MISSING", `${flag} ${folder}: no such model`, {
      hint: "name the folder that train-multimodal wrote, such as saved_models/multimodal_best",
    });
  if (!stat.isDirectory())
    throw new UserError("E_LAYOUT", `${flag} ${folder}: must be a model folder, is a file`, {
      hint: "name the folder that train-multimodal wrote; files of the Python service cannot be read yet",
    });
}

/** Checks that model.json states what a model needs, and that weights.bin holds just the weights of that model. */
function checkpointFrom(json: ModelJson, bytes: Buffer): Checkpoint {
  const { classes } = json;
  if (!Array.isArray(classes) || classes.length < 2)
    throw new Error("model.json: classes must be a list of 2 at least");
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  for (const modality of MODALITIES) {
    const encoder = json[modality];
    if (encoder !== null) encoders[modality] = encoderFromJson(encoder, `model.json: ${modality}`);
  }
  if (Object.keys(encoders).length === 0)
    throw new Error("model.json: must have an image or an audio encoder");
  const take = createWeightReader(json, bytes);
  const slots = weightSlots(fusionGraph(checkpointShape({ classes, encoders })));
  return {
    classes,
    encoders,
    weights: new Map(slots.map(({ name, shape }) => [name, take(name, shape)])),
    matchBy: json.match_by,
    epoch: json.epoch,
    settings: json.settings,
    metrics: json.metrics,
  };
}

function createWeightReader(
  { weights }: ModelJson,
  bytes: Buffer,
): (name: string, shape: readonly number[]) => Weight {
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

/** A plain loop: `every` makes an object of each of a model's hundred thousands of values, at every start. */
function allFinite(data: Float32Array): boolean {
  for (let i = 0; i < data.length; i += 1) if (!Number.isFinite(data[i])) return false;
  return true;
}
