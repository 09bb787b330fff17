import { isSklearnFile } from "../anomaly/sklearnFiles.ts";
import { type AnomalyModel, loadAnomalyModel, modalitiesOf } from "../anomaly/modelFile.ts";
import { type Scorer, createScorer } from "../anomaly/scorer.ts";
import { averageClassifiers } from "../model/averageClassifier.ts";
import { loadAudioCnnClassifier, loadFaceCnnClassifier } from "../model/lastLayerClassifier.ts";
import { SHIPPED, SHIPPED_AUDIO_CNN, SHIPPED_FACE_CNN } from "../model/shippedModels.ts";
import { requireSameEncoder } from "../hdf5/encoder.ts";
import { AUDIO_CNN } from "../model/audioCheckpoint.ts";
import { readCheckpoint } from "../model/checkpoint.ts";
import { FACE_CNN } from "../model/faceCheckpoint.ts";
import { MODALITIES, type Modality } from "../model/fusion.ts";
import { readPythonFusion } from "../interop/pythonFusion.ts";
import { kindOfModel } from "../model/modelFolder.ts";
import { type Classifier, loadClassifier } from "../onnx/loadClassifier.ts";
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

/** A forest that lies ready to score. */
export interface Detector extends AnomalyModel {
  readonly scorer: Scorer;
}

export interface Models {
  readonly classifier: Classifier | undefined;
  readonly detector: Detector | undefined;
  /** What an input of each modality must be embedded by; undefined where no model uses the modality. */
  readonly encoders: Encoders;
  /** The folder of the face_cnn or the audio_cnn that the classifier is, where it is one. */
  readonly ownWeights: Partial<Record<Modality, string>>;
  /** What one should know of every prediction. */
  readonly notes: readonly string[];
}

/** The classifier's path, or those that come along, by what they look at. */
export type ClassifierChoice = string | readonly Modality[] | undefined;

/**
 * Loads the models that were named and sees that they were trained on the same features. `named`: what embeds for those that
 * do not say it.
 * @throws UserError when one cannot be read, or they do not fit
 */
export async function loadModels(
  multimodal: ClassifierChoice,
  isolation: string | undefined,
  named: Named,
  onNotice: (line: string) => void,
): Promise<Models> {
  const classifier =
    multimodal === undefined ? undefined : await readClassifier(multimodal, onNotice);
  try {
    const ofClassifier = classifier?.checkpoint.encoders ?? {};
    const detector =
      isolation === undefined ? undefined : loadDetector(isolation, ofClassifier, named);
    const ofDetector = encodersOf(detector);
    const actual = `--isolation ${isolation ?? ""}`;
    requireSameEncoders(
      ofClassifier,
      ofDetector,
      () => `--multimodal ${String(multimodal)}`,
      actual,
    );
    const encoders = resolveEncoders({ ...ofDetector, ...ofClassifier }, named);
    // Of a classifier that does not say it, the user may have named another one than the detector's.
    requireSameEncoders(encoders, ofDetector, (modality) => `--${modality}_encoder`, actual);
    const ownWeights = typeof multimodal === "string" ? ownWeightsOf(multimodal) : {};
    return {
      classifier,
      ownWeights,
      detector: detector && { ...detector, scorer: createScorer(detector.forest) },
      encoders,
      notes: notesOnNamed(named),
    };
  } catch (error) {
    await classifier?.dispose();
    throw error;
  }
}

/** Throws E_SETTINGS unless the detector's rows were embedded as `expected` says, where both use a modality. */
function requireSameEncoders(
  expected: Encoders,
  ofDetector: Encoders,
  nameOf: (modality: Modality) => string,
  detector: string,
): void {
  for (const modality of MODALITIES) {
    const [wanted, found] = [expected[modality], ofDetector[modality]];
    if (wanted !== undefined && found !== undefined)
      requireSameEncoder(wanted, found, {
        expected: nameOf(modality),
        actual: `${detector} (${modality})`,
      });
  }
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

function ownWeightsOf(folder: string): Models["ownWeights"] {
  const kind = kindOfModel(folder);
  return {
    ...(kind === FACE_CNN && { image: folder }),
    ...(kind === AUDIO_CNN && { audio: folder }),
  };
}

async function readClassifier(
  folder: string | readonly Modality[],
  onNotice: (line: string) => void,
): Promise<Classifier> {
  if (typeof folder !== "string") return averageClassifiers(folder.map(shippedClassifier));
  if (isPythonFusion(folder))
    return loadClassifier(folder, await readPythonFusion(folder, "--multimodal"), {
      threads: THREADS,
      onNotice,
    });
  const kind = kindOfModel(folder);
  if (kind === AUDIO_CNN) return loadAudioCnnClassifier(folder, "--multimodal");
  if (kind === FACE_CNN) return loadFaceCnnClassifier(folder, "--multimodal", "auto");
  const checkpoint = readCheckpoint(folder, "--multimodal");
  return loadClassifier(folder, checkpoint, { threads: THREADS, onNotice });
}

function shippedClassifier(modality: Modality): Classifier {
  return modality === "image"
    ? loadFaceCnnClassifier(SHIPPED_FACE_CNN, SHIPPED, "auto")
    : loadAudioCnnClassifier(SHIPPED_AUDIO_CNN, SHIPPED);
}

/** What the classifiers that come along are, and learnt from. */
const SHIPPED_FACTS: Readonly<Record<Modality, string>> = {
  image: "face_cnn (faces of FER2013)",
  audio: "audio_cnn (acted English speech)",
};

/**
 * The classifier that was named; where no model is named at all, those that come along.
 * @param seen the modalities that the inputs may have
 */
export function chooseClassifier(
  named: { readonly multimodal: string | undefined; readonly isolation: string | undefined },
  seen: readonly Modality[],
  onNotice: (line: string) => void,
): ClassifierChoice {
  if (named.multimodal !== undefined || named.isolation !== undefined) return named.multimodal;
  const facts = seen.map((modality) => SHIPPED_FACTS[modality]);
  onNotice(
    `no --multimodal: what comes along tells the emotion: ${facts.join(" and ")}${seen.length > 1 ? ", the mean of both" : ""}`,
  );
  return seen;
}
