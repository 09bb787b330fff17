import { type AnomalyModel, loadAnomalyModel } from "@emotion-service/core/anomaly/modelFile";
import { loadAudioCnnClassifier } from "@emotion-service/core/model/lastLayerClassifier";
import { SHIPPED_AUDIO_CNN } from "@emotion-service/core/model/shippedModels";
import { UserError } from "@emotion-service/core/errors";
import { type EncoderInfo, requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import { AUDIO_CNN } from "@emotion-service/core/model/audioCheckpoint";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { MODALITIES, type Modality } from "@emotion-service/core/model/fusion";
import { kindOfModel } from "@emotion-service/core/model/modelFolder";
import { type Classifier, loadClassifier } from "@emotion-service/core/onnx/loadClassifier";

/** One row through a small network: a second thread takes longer to start than it saves. */
const THREADS = 1;

export interface Models {
  readonly classifier: Classifier | undefined;
  readonly detector: AnomalyModel | undefined;
  /** What an input of each modality must be embedded by; undefined where no model uses the modality. */
  readonly encoders: Partial<Record<Modality, EncoderInfo>>;
  /** The folder of the audio_cnn that the classifier is, where it is one. */
  readonly audioWeights: string | undefined;
}

/**
 * Loads the models that were named and sees that they were trained on the same features.
 * @throws UserError when one cannot be read, or they do not fit
 */
export async function loadModels(
  multimodal: string | undefined,
  isolation: string | undefined,
  onNotice: (line: string) => void,
): Promise<Models> {
  const classifier =
    multimodal === undefined ? undefined : await readClassifier(multimodal, onNotice);
  const detector = isolation === undefined ? undefined : loadAnomalyModel(isolation, "--isolation");
  const detectorEncoders = detector && {
    image: detector.imageEncoder,
    audio: detector.audioEncoder,
  };
  if (classifier !== undefined && detectorEncoders !== undefined)
    for (const modality of MODALITIES) {
      const { encoders } = classifier.checkpoint;
      const [expected, actual] = [encoders[modality], detectorEncoders[modality]];
      if (expected !== undefined)
        requireSameEncoder(expected, actual, {
          expected: `--multimodal ${multimodal ?? ""}`,
          actual: `--isolation ${isolation ?? ""} (${modality})`,
        });
    }
  const hears = multimodal !== undefined && kindOfModel(multimodal) === AUDIO_CNN;
  return {
    classifier,
    audioWeights: hears ? multimodal : undefined,
    detector,
    encoders: { ...detectorEncoders, ...classifier?.checkpoint.encoders },
  };
}

async function readClassifier(
  folder: string,
  onNotice: (line: string) => void,
): Promise<Classifier> {
  if (kindOfModel(folder) === AUDIO_CNN) return loadAudioCnnClassifier(folder, "--multimodal");
  const checkpoint = readCheckpoint(folder, "--multimodal");
  return loadClassifier(folder, checkpoint, { threads: THREADS, onNotice });
}

/**
 * The classifier's folder: the one named; where no model is named at all, the audio_cnn that comes along, which hears.
 * @throws UserError where none is named and there is no sound
 */
export function chooseClassifier(
  named: { readonly multimodal: string | undefined; readonly isolation: string | undefined },
  hasSound: boolean,
  onNotice: (line: string) => void,
): string | undefined {
  if (named.multimodal !== undefined || named.isolation !== undefined) return named.multimodal;
  if (!hasSound)
    throw new UserError("E_FLAG", "a model is needed: --multimodal, --isolation or both", {
      hint: "train one with train-multimodal or train-anomaly; the model that comes along knows sound alone",
    });
  onNotice(
    "no --multimodal: the audio_cnn that comes along tells the emotion, from sound alone (acted English speech)",
  );
  return SHIPPED_AUDIO_CNN;
}
