import { type AudioCheckpoint, readAudioCheckpoint } from "../model/audioCheckpoint.ts";
import { AUDIO_CLASSES } from "../model/audioCnn.ts";
import type { Classifier } from "../onnx/loadClassifier.ts";
import { audioCnnInfo } from "./audioCnnEncoder.ts";

/**
 * An audio_cnn as a classifier of the embeddings that it makes itself: its last layer, which is a product of 128 values with as
 * many columns as there are classes, and softmax. What comes before, the encoder runs.
 * @throws UserError when the folder is missing, damaged, or another kind of model; `flag` names where it came from
 */
export function loadAudioCnnClassifier(folder: string, flag: string): Classifier {
  const checkpoint = readAudioCheckpoint(folder, flag);
  return {
    checkpoint: {
      classes: checkpoint.classes,
      encoders: { audio: audioCnnInfo(checkpoint) },
      matchBy: "",
    },
    engine: "audio_cnn's last layer",
    classify: async ({ rows, parts }) =>
      classProbabilities(checkpoint, parts.audio?.values ?? new Float32Array(), rows),
    dispose: () => Promise.resolve(),
  };
}

/** softmax(embedding · kernel + bias), [rows, classes] */
function classProbabilities(
  { classes, weights }: AudioCheckpoint,
  embeddings: Float32Array,
  rows: number,
): Float32Array {
  const kernel = weights.get(`${AUDIO_CLASSES}.kernel`)?.data ?? new Float32Array();
  const bias = weights.get(`${AUDIO_CLASSES}.bias`)?.data ?? new Float32Array();
  const dim = kernel.length / classes.length;
  const probabilities = new Float32Array(rows * classes.length);
  for (let row = 0; row < rows; row += 1) {
    const logits = Float64Array.from(classes, (_, k) => {
      let sum = bias[k] ?? NaN;
      for (let i = 0; i < dim; i += 1)
        sum += (embeddings[row * dim + i] ?? NaN) * (kernel[i * classes.length + k] ?? NaN);
      return sum;
    });
    const largest = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - largest));
    const total = powers.reduce((a, b) => a + b, 0);
    probabilities.set(
      powers.map((power) => power / total),
      row * classes.length,
    );
  }
  return probabilities;
}
