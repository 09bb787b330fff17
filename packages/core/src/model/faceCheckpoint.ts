import { facePackage, faceWeightsSha256 } from "../face/weights.ts";
import { UserError } from "../errors.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import { exportGraph } from "../onnx/exportGraph.ts";
import { classifierMetadata } from "../onnx/metadata.ts";
import { FACE_EMBEDDING, faceCnnGraph } from "./faceCnn.ts";
import type { Weights } from "./graph.ts";
import {
  type ModelFacts,
  classesFrom,
  readModelFolder,
  takeWeights,
  temperatureFrom,
  writeModelFolder,
} from "./modelFolder.ts";
import { hashOfWeights } from "./weightsHash.ts";

/** The kind that its model.json names. */
export const FACE_CNN = "face_cnn";

/** A trained face_cnn as it is saved: a folder of model.json, weights.bin and, made of them, model.onnx. */
export interface FaceCheckpoint {
  /** In the order of the model's outputs. */
  readonly classes: readonly string[];
  readonly weights: Weights;
  /** What scores are divided by before the softmax; 1 where it is not known. */
  readonly temperature?: number;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** The networks that it takes its maps from. */
interface FaceJson extends Omit<FaceCheckpoint, "weights"> {
  readonly maps: { readonly package: string; readonly weights_sha256: string };
}

/** Writes a checkpoint into a folder that it makes at `folder` (a staged output's temporary path). */
export function writeFaceCheckpoint(folder: string, checkpoint: FaceCheckpoint): void {
  const { weights, ...facts } = checkpoint;
  const maps = { package: facePackage(), weights_sha256: faceWeightsSha256() };
  const json: FaceJson = { ...facts, maps };
  writeModelFolder(folder, FACE_CNN, json, weights, exportFaceCnn(checkpoint));
}

/**
 * Reads a checkpoint folder.
 * @throws UserError when it is missing, of another format, damaged, or made for other face networks than are installed; `flag`
 * names where the path came from
 */
export function readFaceCheckpoint(folder: string, flag: string): FaceCheckpoint {
  const { maps, ...checkpoint } = readModelFolder(folder, flag, FACE_CNN, checkpointFrom);
  if (maps.weights_sha256 === faceWeightsSha256()) return checkpoint;
  throw new UserError(
    "E_SETTINGS",
    `${flag} ${folder}: was trained on the maps of ${maps.package}, installed is ${facePackage()} with other weights`,
    { hint: "install that version, or train the model again" },
  );
}

function checkpointFrom(facts: ModelFacts): FaceJson & FaceCheckpoint {
  const { maps, epoch, settings, metrics } = facts.json as unknown as FaceJson;
  const classes = classesFrom(facts);
  if (typeof maps?.weights_sha256 !== "string")
    throw new Error("model.json: maps.weights_sha256 must be there");
  const weights = takeWeights(facts, faceCnnGraph(classes.length));
  const temperature = temperatureFrom(facts);
  return { classes, maps, temperature, epoch, settings, metrics, weights };
}

/** As an .onnx file: `maps` [batch, 7, 7, 384] → `probabilities` and `logits` [batch, classes], `embeddings` [batch, 128]. */
function exportFaceCnn({ classes, weights, temperature = 1 }: FaceCheckpoint): Uint8Array {
  const graph = faceCnnGraph(classes.length);
  const weightsSha256 = hashOfWeights(graph, weights);
  return exportGraph(graph, weights, {
    name: FACE_CNN,
    outputs: [
      { name: "probabilities", layer: graph.output, softmax: { temperature } },
      { name: "logits", layer: graph.output },
      { name: "embeddings", layer: FACE_EMBEDDING },
    ],
    metadata: classifierMetadata(FACE_CNN, { classes, temperature, weightsSha256 }),
    createdBy: CREATED_BY,
  });
}
