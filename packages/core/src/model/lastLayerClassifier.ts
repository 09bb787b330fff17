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
import { softmaxRows } from "./softmax.ts";

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

/** What of a checkpoint the last layer needs. */
interface LastLayerModel {
  readonly classes: readonly string[];
  readonly weights: Weights;
  /** Of its softmax; 1 unless said. */
  readonly temperature?: number;
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
  { classes, weights, temperature }: LastLayerModel,
  { modality, info, layer, engine }: LastLayer,
): Classifier {
  const kernel = weights.get(`${layer}.kernel`)?.data ?? new Float32Array();
  const bias = weights.get(`${layer}.bias`)?.data ?? new Float32Array();
  return {
    checkpoint: { classes, encoders: { [modality]: info }, matchBy: "" },
    engine,
    classify: async ({ rows, parts }) => {
      const scores = classScores(kernel, bias, parts[modality]?.values ?? new Float32Array(), rows);
      return softmaxRows(scores, classes.length, temperature);
    },
    dispose: () => Promise.resolve(),
  };
}

/** embedding · kernel + bias, [rows, classes] */
function classScores(
  kernel: Float32Array,
  bias: Float32Array,
  embeddings: Float32Array,
  rows: number,
): Float64Array {
  const classes = bias.length;
  const dim = kernel.length / classes;
  return Float64Array.from({ length: rows * classes }, (_, at) => {
    const [row, k] = [Math.floor(at / classes), at % classes];
    let sum = bias[k] ?? NaN;
    for (let i = 0; i < dim; i += 1)
      sum += (embeddings[row * dim + i] ?? NaN) * (kernel[i * classes + k] ?? NaN);
    return sum;
  });
}
