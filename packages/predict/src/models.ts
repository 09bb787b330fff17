import { type AnomalyModel, loadAnomalyModel } from "@emotion-service/core/anomaly/modelFile";
import { UserError } from "@emotion-service/core/errors";
import { type EncoderInfo, requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { MODALITIES, type Modality } from "@emotion-service/core/model/fusion";
import { type Classifier, loadClassifier } from "@emotion-service/core/onnx/loadClassifier";

/** One row through a small network: a second thread takes longer to start than it saves. */
const THREADS = 1;

export interface Models {
  readonly classifier: Classifier | undefined;
  readonly detector: AnomalyModel | undefined;
  /** What an input of each modality must be embedded by; undefined where no model uses the modality. */
  readonly encoders: Partial<Record<Modality, EncoderInfo>>;
}

/**
 * Loads the models that were named and sees that they were trained on the same features.
 * @throws UserError when none is named, one cannot be read, or they do not fit
 */
export async function loadModels(
  multimodal: string | undefined,
  isolation: string | undefined,
  onNotice: (line: string) => void,
): Promise<Models> {
  if (multimodal === undefined && isolation === undefined)
    throw new UserError("E_FLAG", "a model is needed: --multimodal, --isolation or both", {
      hint: "train one with train-multimodal or train-anomaly",
    });
  const checkpoint =
    multimodal === undefined ? undefined : readCheckpoint(multimodal, "--multimodal");
  const detector = isolation === undefined ? undefined : loadAnomalyModel(isolation, "--isolation");
  const detectorEncoders = detector && {
    image: detector.imageEncoder,
    audio: detector.audioEncoder,
  };
  if (checkpoint !== undefined && detectorEncoders !== undefined)
    for (const modality of MODALITIES) {
      const [expected, actual] = [checkpoint.encoders[modality], detectorEncoders[modality]];
      if (expected !== undefined)
        requireSameEncoder(expected, actual, {
          expected: `--multimodal ${multimodal ?? ""}`,
          actual: `--isolation ${isolation ?? ""} (${modality})`,
        });
    }
  const classifier =
    checkpoint &&
    (await loadClassifier(multimodal ?? "", checkpoint, { threads: THREADS, onNotice }));
  return {
    classifier,
    detector,
    encoders: { ...detectorEncoders, ...checkpoint?.encoders },
  };
}
