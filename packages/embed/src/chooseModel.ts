import { UserError } from "@emotion-service/core/errors";
import type { TrainedModel } from "@emotion-service/core/model/modelFolder";
import { SHIPPED_AUDIO_CNN, SHIPPED_FACE_CNN } from "@emotion-service/core/model/shippedModels";

const SHIPPED = { audio_cnn: SHIPPED_AUDIO_CNN, face_cnn: SHIPPED_FACE_CNN } as const;

/** The trained network of a kind that was named, or the one that comes along. */
export function trainedModel(
  kind: keyof typeof SHIPPED,
  weights: string | undefined,
  flag = "--weights",
): TrainedModel {
  return weights === undefined
    ? { folder: SHIPPED[kind], flag: "the model that comes along," }
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
