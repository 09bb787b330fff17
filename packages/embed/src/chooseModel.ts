import type { TrainedAudio } from "@emotion-service/core/audio/audioEncoder";
import { SHIPPED_AUDIO_CNN } from "@emotion-service/core/model/shippedModels";
import { UserError } from "@emotion-service/core/errors";

/** The trained audio_cnn that was named, or the one that comes along. */
export function trainedAudio(weights: string | undefined, flag = "--weights"): TrainedAudio {
  return weights === undefined
    ? { folder: SHIPPED_AUDIO_CNN, flag: "the model that comes along," }
    : { folder: weights, flag };
}

/** The model asked for, of those for this input; auto is the first. */
export function chooseModel(
  model: string,
  models: readonly [string, ...string[]],
  input: string,
  flag = "--model",
): string {
  if (model === "auto") return models[0];
  if (models.includes(model)) return model;
  throw new UserError(
    "E_FLAG",
    `${flag} ${model}: must be ${models.join(" or ")} (or auto) for ${input}${input === "pictures" || input === "sound" ? ", or an .onnx file" : ""}`,
  );
}
