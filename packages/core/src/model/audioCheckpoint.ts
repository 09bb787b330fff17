import type { LogMelConfig } from "../audio/logMelConfig.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import { stableJson } from "../hdf5/encoder.ts";
import { exportGraph } from "../onnx/exportGraph.ts";
import { classifierMetadata } from "../onnx/metadata.ts";
import { AUDIO_EMBEDDING, audioCnnGraph } from "./audioCnn.ts";
import type { Graph, Weights } from "./graph.ts";
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
export const AUDIO_CNN = "audio_cnn";

/** A trained audio_cnn as it is saved: a folder of model.json, weights.bin and, made of them, model.onnx. */
export interface AudioCheckpoint {
  /** In the order of the model's outputs. */
  readonly classes: readonly string[];
  /** How the log-mel that it was trained on was made. */
  readonly features: LogMelConfig;
  readonly weights: Weights;
  /** What scores are divided by before the softmax; 1 where it is not known. */
  readonly temperature?: number;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

type AudioJson = Omit<AudioCheckpoint, "weights">;

/** Writes a checkpoint into a folder that it makes at `folder` (a staged output's temporary path). */
export function writeAudioCheckpoint(folder: string, checkpoint: AudioCheckpoint): void {
  const { weights, ...facts } = checkpoint;
  writeModelFolder(
    folder,
    AUDIO_CNN,
    facts satisfies AudioJson,
    weights,
    exportAudioCnn(checkpoint),
  );
}

/**
 * Reads a checkpoint folder.
 * @throws UserError when it is missing, of another format, or damaged; `flag` names where the path came from
 */
export function readAudioCheckpoint(folder: string, flag: string): AudioCheckpoint {
  return readModelFolder(folder, flag, AUDIO_CNN, checkpointFrom);
}

function checkpointFrom(facts: ModelFacts): AudioCheckpoint {
  const json = facts.json as unknown as AudioJson;
  const classes = classesFrom(facts);
  if (!Number.isSafeInteger(json.features?.n_mels))
    throw new Error("model.json: features.n_mels must be a whole number");
  const { features, epoch, settings, metrics } = json;
  const weights = takeWeights(facts, graphOf({ classes, features }));
  const temperature = temperatureFrom(facts);
  return { classes, features, temperature, epoch, settings, metrics, weights };
}

function graphOf({ classes, features }: Pick<AudioCheckpoint, "classes" | "features">): Graph {
  return audioCnnGraph({ mels: features.n_mels, classes: classes.length });
}

/**
 * As an .onnx file. Inputs: `audio_frames` [batch, frames, mels], dB, and `audio_mask` [batch, frames], 1 within a clip; outputs:
 * `probabilities` and `logits` [batch, classes], `embeddings` [batch, 128].
 */
function exportAudioCnn(checkpoint: AudioCheckpoint): Uint8Array {
  const { classes, features, weights, temperature = 1 } = checkpoint;
  const graph = graphOf(checkpoint);
  const weightsSha256 = hashOfWeights(graph, weights);
  return exportGraph(graph, weights, {
    name: AUDIO_CNN,
    outputs: [
      { name: "probabilities", layer: graph.output, softmax: { temperature } },
      { name: "logits", layer: graph.output },
      { name: "embeddings", layer: AUDIO_EMBEDDING },
    ],
    metadata: classifierMetadata(
      AUDIO_CNN,
      { classes, temperature, weightsSha256 },
      { features: stableJson(features) },
    ),
    createdBy: CREATED_BY,
  });
}
