import { audioCnnInfo } from "../audio/audioCnnEncoder.ts";
import type { FaceCrop } from "../face/faceCrop.ts";
import { faceCnnInfo } from "../face/faceEncoder.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import type { Classifier } from "../onnx/loadClassifier.ts";
import { readAudioCheckpoint } from "./audioCheckpoint.ts";
import { AUDIO_CLASSES } from "./audioCnn.ts";
import { readFaceCheckpoint } from "./faceCheckpoint.ts";
import { FACE_CLASSES } from "./faceCnn.ts";
import type { Modality } from "./fusion.ts";
import type { Weights } from "./graph.ts";

/**
 * An audio_cnn as a classifier of the embeddings that it makes itself.
 * @throws UserError when the folder is missing, damaged, or another kind of model; `flag` names where it came from
 */
export function loadAudioCnnClassifier(folder: string, flag: string): Classifier {
  const checkpoint = readAudioCheckpoint(folder, flag);
  return lastLayerClassifier(checkpoint, {
    modality: "audio",
    info: audioCnnInfo(checkpoint),
    layer: AUDIO_CLASSES,
    engine: "audio_cnn's last layer",
  });
}

/**
 * A face_cnn likewise.
 * @param crop how the face is found in a picture
 * @throws UserError as above
 */
export function loadFaceCnnClassifier(folder: string, flag: string, crop: FaceCrop): Classifier {
  const checkpoint = readFaceCheckpoint(folder, flag);
  return lastLayerClassifier(checkpoint, {
    modality: "image",
    info: faceCnnInfo(crop, checkpoint),
    layer: FACE_CLASSES,
    engine: "face_cnn's last layer",
  });
}

/** A network that makes embeddings, whose last layer makes scores of them. */
interface LastLayer {
  readonly modality: Modality;
  readonly info: EncoderInfo;
  /** The dense layer's name. */
  readonly layer: string;
  readonly engine: string;
}

/** That layer, a product of an embedding with as many columns as there are classes, and softmax. What comes before, the encoder runs. */
function lastLayerClassifier(
  { classes, weights }: { readonly classes: readonly string[]; readonly weights: Weights },
  { modality, info, layer, engine }: LastLayer,
): Classifier {
  const kernel = weights.get(`${layer}.kernel`)?.data ?? new Float32Array();
  const bias = weights.get(`${layer}.bias`)?.data ?? new Float32Array();
  return {
    checkpoint: { classes, encoders: { [modality]: info }, matchBy: "" },
    engine,
    classify: async ({ rows, parts }) =>
      classProbabilities(kernel, bias, parts[modality]?.values ?? new Float32Array(), rows),
    dispose: () => Promise.resolve(),
  };
}

/** softmax(embedding · kernel + bias), [rows, classes] */
function classProbabilities(
  kernel: Float32Array,
  bias: Float32Array,
  embeddings: Float32Array,
  rows: number,
): Float32Array {
  const classes = bias.length;
  const dim = kernel.length / classes;
  const probabilities = new Float32Array(rows * classes);
  for (let row = 0; row < rows; row += 1) {
    const logits = Float64Array.from(bias, (start, k) => {
      let sum = start;
      for (let i = 0; i < dim; i += 1)
        sum += (embeddings[row * dim + i] ?? NaN) * (kernel[i * classes + k] ?? NaN);
      return sum;
    });
    const largest = Math.max(...logits);
    const powers = logits.map((logit) => Math.exp(logit - largest));
    const total = powers.reduce((a, b) => a + b, 0);
    probabilities.set(
      powers.map((power) => power / total),
      row * classes,
    );
  }
  return probabilities;
}
