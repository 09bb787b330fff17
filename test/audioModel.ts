import { DEFAULT_LOG_MEL } from "../packages/core/src/audio/logMelConfig.ts";
import { writeAudioCheckpoint } from "../packages/core/src/model/audioCheckpoint.ts";
import { audioCnnGraph } from "../packages/core/src/model/audioCnn.ts";
import { initialWeights } from "../packages/core/src/model/graph.ts";
import { createRandom } from "../packages/core/src/random.ts";

/** Writes the folder of an audio_cnn with the weights that a seed gives, as if it had been trained. */
export function writeAudioModel(folder: string, seed: number): void {
  const classes = ["angry", "happy", "sad"];
  const graph = audioCnnGraph({ mels: DEFAULT_LOG_MEL.n_mels, classes: classes.length });
  writeAudioCheckpoint(folder, {
    classes,
    features: DEFAULT_LOG_MEL,
    weights: initialWeights(graph, createRandom(seed)),
    epoch: 1,
    settings: {},
    metrics: {},
  });
}
