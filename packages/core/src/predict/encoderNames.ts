import { UserError } from "../errors.ts";

/** What --image_encoder and --audio_encoder may say; "none": inputs are taken for such without that modality. */
export const IMAGE_ENCODERS = ["face", "face_cnn", "resnet18", "onnx", "none"] as const;
export const AUDIO_ENCODERS = ["audio_stats", "audio_cnn", "none"] as const;

/** What made the embeddings of models that do not say it, as the user says. */
export interface NamedEncoders {
  readonly imageEncoder?: (typeof IMAGE_ENCODERS)[number] | undefined;
  readonly audioEncoder?: (typeof AUDIO_ENCODERS)[number] | undefined;
}

/**
 * Checks the flags against one another, before any file is opened.
 * @throws UserError E_FLAG
 */
export function requireNamedFlags(
  { imageEncoder, audioEncoder }: NamedEncoders,
  flags: {
    readonly multimodal: string | undefined;
    readonly isolation: string | undefined;
    readonly weights: string | undefined;
    readonly audioWeights: string | undefined;
  },
): void {
  const refuse = (rule: string, hint: string): never => {
    throw new UserError("E_FLAG", rule, { hint });
  };
  if (imageEncoder === undefined && audioEncoder === undefined) return;
  if (flags.multimodal === undefined && flags.isolation === undefined)
    refuse(
      "--image_encoder, --audio_encoder: are for a model that is named, --multimodal or --isolation",
      "the model that comes along says itself what embeds",
    );
  if (imageEncoder === "onnx" && flags.weights === undefined)
    refuse("--image_encoder onnx: needs the .onnx file", "name it with --weights");
  if ((imageEncoder === "face" || imageEncoder === "none") && flags.weights !== undefined)
    refuse(`--weights: --image_encoder ${imageEncoder} takes none`, "leave --weights out");
  const isOther = audioEncoder === "audio_stats" || audioEncoder === "none";
  if (isOther && flags.audioWeights !== undefined)
    refuse(`--audio_weights: --audio_encoder ${audioEncoder} takes none`, "leave it out");
}
