import {
  type EncoderInfo,
  type EncoderJson,
  encoderFromJson,
  encoderToJson,
} from "../hdf5/encoder.ts";
import { exportFusion } from "../onnx/fusionOnnx.ts";
import {
  type FusionShape,
  type FusionUnits,
  MODALITIES,
  type Modality,
  fusionGraph,
} from "./fusion.ts";
import type { Weights } from "./graph.ts";
import {
  type ModelFacts,
  classesFrom,
  readModelFolder,
  takeWeights,
  temperatureFrom,
  writeModelFolder,
} from "./modelFolder.ts";

/** A trained fusion classifier as it is saved: a folder of model.json, weights.bin and, made of them, model.onnx. */
export interface Checkpoint {
  /** In the order of the model's outputs. */
  readonly classes: readonly string[];
  readonly encoders: Partial<Record<Modality, EncoderInfo>>;
  readonly weights: Weights;
  /** Of a model of the Python service with other layers than ours. */
  readonly units?: FusionUnits;
  /** How the training pairs were matched; "label": of different people. */
  readonly matchBy: string;
  /** What scores are divided by before the softmax; 1 where it is not known. */
  readonly temperature?: number;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

interface FusionJson {
  readonly classes: readonly string[];
  readonly image: EncoderJson | null;
  readonly audio: EncoderJson | null;
  readonly match_by: string;
  readonly temperature?: number;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** Writes a checkpoint into a folder that it makes at `folder` (a staged output's temporary path). */
export function writeCheckpoint(folder: string, checkpoint: Checkpoint): void {
  const facts: FusionJson = {
    classes: checkpoint.classes,
    image: checkpoint.encoders.image ? encoderToJson(checkpoint.encoders.image) : null,
    audio: checkpoint.encoders.audio ? encoderToJson(checkpoint.encoders.audio) : null,
    match_by: checkpoint.matchBy,
    temperature: checkpoint.temperature ?? 1,
    epoch: checkpoint.epoch,
    settings: checkpoint.settings,
    metrics: checkpoint.metrics,
  };
  const onnx = exportFusion(checkpointShape(checkpoint), checkpoint);
  writeModelFolder(folder, "fusion", facts, checkpoint.weights, onnx);
}

/** The sizes of a checkpoint's model. */
export function checkpointShape({
  classes,
  encoders,
  units,
}: Pick<Checkpoint, "classes" | "encoders" | "units">): FusionShape {
  return {
    image: encoders.image?.dim ?? 0,
    audio: encoders.audio?.dim ?? 0,
    classes: classes.length,
    units,
  };
}

/**
 * Reads a checkpoint folder.
 * @throws UserError when it is missing, of another format, or damaged; `flag` names where the path came from
 */
export function readCheckpoint(folder: string, flag: string): Checkpoint {
  return readModelFolder(folder, flag, "fusion", checkpointFrom);
}

/** Checks that model.json states what a model needs, and that weights.bin holds just the weights of that model. */
function checkpointFrom(facts: ModelFacts): Checkpoint {
  const json = facts.json as unknown as FusionJson;
  const classes = classesFrom(facts);
  const encoders: Partial<Record<Modality, EncoderInfo>> = {};
  for (const modality of MODALITIES) {
    const encoder = json[modality];
    if (encoder !== null) encoders[modality] = encoderFromJson(encoder, `model.json: ${modality}`);
  }
  if (Object.keys(encoders).length === 0)
    throw new Error("model.json: must have an image or an audio encoder");
  return {
    classes,
    encoders,
    weights: takeWeights(facts, fusionGraph(checkpointShape({ classes, encoders }))),
    matchBy: json.match_by,
    temperature: temperatureFrom(facts),
    epoch: json.epoch,
    settings: json.settings,
    metrics: json.metrics,
  };
}
