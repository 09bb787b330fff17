import { UserError } from "@emotion-service/core/errors";

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
