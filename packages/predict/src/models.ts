import { isSklearnFile } from "@emotion-service/core/anomaly/sklearnFiles";
import {
  type AnomalyModel,
  loadAnomalyModel,
  modalitiesOf,
} from "@emotion-service/core/anomaly/modelFile";
import { loadAudioCnnClassifier } from "@emotion-service/core/model/lastLayerClassifier";
import { SHIPPED_AUDIO_CNN } from "@emotion-service/core/model/shippedModels";
import { UserError } from "@emotion-service/core/errors";
import { requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import { AUDIO_CNN } from "@emotion-service/core/model/audioCheckpoint";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { MODALITIES } from "@emotion-service/core/model/fusion";
import { readPythonFusion } from "@emotion-service/core/interop/pythonFusion";
import { kindOfModel } from "@emotion-service/core/model/modelFolder";
import { type Classifier, loadClassifier } from "@emotion-service/core/onnx/loadClassifier";
import {
  type Encoders,
  type Named,
  namedDim,
  notesOnNamed,
  resolveEncoders,
} from "./namedEncoders.ts";
import { isPythonFusion, loadSklearnDetector } from "./oldModels.ts";

/** One row through a small network: a second thread takes longer to start than it saves. */
const THREADS = 1;

export interface Models {
  readonly classifier: Classifier | undefined;
  readonly detector: AnomalyModel | undefined;
  /** What an input of each modality must be embedded by; undefined where no model uses the modality. */
  readonly encoders: Encoders;
  /** The folder of the audio_cnn that the classifier is, where it is one. */
  readonly audioWeights: string | undefined;
  /** What one should know of every prediction. */
  readonly notes: readonly string[];
}

/**
 * Loads the models that were named and sees that they were trained on the same features. `named`: what embeds for those that
 * do not say it.
 * @throws UserError when one cannot be read, or they do not fit
 */
export async function loadModels(
  multimodal: string | undefined,
  isolation: string | undefined,
  named: Named,
  onNotice: (line: string) => void,
): Promise<Models> {
  const classifier =
    multimodal === undefined ? undefined : await readClassifier(multimodal, onNotice);
  const detector =
    isolation === undefined
      ? undefined
      : loadDetector(isolation, classifier?.checkpoint.encoders ?? {}, named);
  const detectorEncoders = encodersOf(detector);
  if (classifier !== undefined)
    for (const modality of MODALITIES) {
      const { encoders } = classifier.checkpoint;
      const [expected, actual] = [encoders[modality], detectorEncoders[modality]];
      if (expected !== undefined && actual !== undefined)
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
    encoders: resolveEncoders({ ...detectorEncoders, ...classifier?.checkpoint.encoders }, named),
    notes: notesOnNamed(named),
  };
}

/** Those of which a row has values: a forest of another program may have one modality alone. */
function encodersOf(detector: AnomalyModel | undefined): Encoders {
  return Object.fromEntries(detector === undefined ? [] : modalitiesOf(detector));
}

function loadDetector(path: string, encoders: Encoders, named: Named): AnomalyModel {
  if (!isSklearnFile(path)) return loadAnomalyModel(path, "--isolation");
  const [image, audio] = MODALITIES.map(
    (modality) => encoders[modality]?.dim ?? namedDim(named, modality),
  );
  return loadSklearnDetector(path, { image, audio });
}

async function readClassifier(
  folder: string,
  onNotice: (line: string) => void,
): Promise<Classifier> {
  if (isPythonFusion(folder))
    return loadClassifier(folder, await readPythonFusion(folder, "--multimodal"), {
      threads: THREADS,
      onNotice,
    });
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
