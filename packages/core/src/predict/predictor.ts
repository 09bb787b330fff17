import { UserError } from "../errors.ts";
import type { Modality } from "../model/fusion.ts";
import { type InputLimits, createInputEncoders } from "./embedInput.ts";
import type { NamedEncoders } from "./encoderNames.ts";
import { WEIGHTED_ENCODERS } from "./imageEncoder.ts";
import { type Models, chooseClassifier, loadModels } from "./models.ts";
import { loadNamedEncoders } from "./namedEncoders.ts";
import { type FailedInput, type InputOptions, predictInput } from "./predictInput.ts";
import type { Input, Prediction } from "./scoreInput.ts";

/** Which models, and what embeds for them. */
export interface PredictorOptions extends NamedEncoders {
  /** The classifier's path; undefined with `isolation` for none, without it for those that come along. */
  readonly multimodal: string | undefined;
  readonly isolation: string | undefined;
  /** The resnet18 or .onnx file that made the embeddings; undefined where it can be found, or is not needed. */
  readonly weights: string | undefined;
  /** The folder of the audio_cnn, or the .onnx file, that made the embeddings; undefined where none did, or it can be found. */
  readonly audioWeights: string | undefined;
  /** What an input may hold at most; all that there is, unless said. */
  readonly limits?: InputLimits;
  /** Where caches of weights lie is in the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Told once, when it differs from what one would expect: what runs the models, and why. */
  readonly onNotice: (line: string) => void;
}

/** Models that are loaded, and what embeds for them, which loads with the first input that needs it. */
export interface Predictor {
  readonly models: Models;
  /** An input's prediction, or why there is none. */
  predict(input: Input, options: InputOptions): Promise<Prediction | FailedInput>;
  /** Closes what was loaded. */
  dispose(): Promise<void>;
}

/**
 * Loads models to predict with.
 * @param seen the modalities that the inputs may have
 * @throws UserError when one cannot be read, or they do not fit; E_FLAG where weights are named that none of them uses
 */
export async function openPredictor(
  options: PredictorOptions,
  seen: readonly Modality[],
): Promise<Predictor> {
  const onNotice = onceEach(options.onNotice);
  const multimodal = chooseClassifier(options, seen, onNotice);
  const named = await loadNamedEncoders(options, { ...options, onNotice });
  const models = await loadModels(multimodal, options.isolation, named, onNotice);
  const weights = options.weights ?? models.ownWeights.image;
  const audioWeights = options.audioWeights ?? models.ownWeights.audio;
  const { env, limits } = options;
  const loading = { env, weights, audioWeights, limits, onNotice };
  const encoders = createInputEncoders(models.encoders, loading);
  const dispose = async (): Promise<void> => {
    await encoders.dispose();
    await models.classifier?.dispose();
    models.detector?.scorer.dispose();
  };
  try {
    refuseUnusedWeights(options, models);
  } catch (error) {
    await dispose();
    throw error;
  }
  return {
    models,
    predict: (input, look) => predictInput(input, models, encoders, look),
    dispose,
  };
}

/** A named encoder is loaded twice, to know what it is and to run; it says its notices once. */
function onceEach(tell: (line: string) => void): (line: string) => void {
  const told = new Set<string>();
  return (line) => {
    if (!told.has(line)) tell(line);
    told.add(line);
  };
}

/** A flag that the models do not heed must not look as if it did. */
function refuseUnusedWeights(
  { weights, audioWeights }: Pick<PredictorOptions, "weights" | "audioWeights">,
  { encoders }: Models,
): void {
  const refused = (flag: string, models: string, kind: string, used: string | undefined) =>
    new UserError(
      "E_FLAG",
      `${flag}: is for models trained on ${models} embeddings, the encoder of ${kind} is ${used ?? "none"}`,
      { hint: "leave the flag out" },
    );
  const [image, audio] = [encoders.image?.model, encoders.audio?.model];
  if (weights !== undefined && !(image !== undefined && WEIGHTED_ENCODERS.includes(image)))
    throw refused("--weights", "resnet18, face_cnn or .onnx", "pictures", image);
  if (audioWeights !== undefined && audio !== "audio_cnn" && audio !== "onnx")
    throw refused("--audio_weights", "audio_cnn or .onnx", "sound", audio);
}
