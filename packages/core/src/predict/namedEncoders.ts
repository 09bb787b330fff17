import { audioCnnInfo } from "../audio/audioCnnEncoder.ts";
import { audioStatsEncoder } from "../audio/audioStats.ts";
import { DEFAULT_LOG_MEL } from "../audio/logMelConfig.ts";
import { SHIPPED_AUDIO_CNN } from "../model/shippedModels.ts";
import { UserError } from "../errors.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import { readAudioCheckpoint } from "../model/audioCheckpoint.ts";
import { MODALITIES, type Modality } from "../model/fusion.ts";
import type { InputEncoderOptions } from "./embedInput.ts";
import type { NamedEncoders } from "./encoderNames.ts";
import { chosenImageEncoder } from "./imageEncoder.ts";

/** The encoders that the user named; "none" as said. */
export type Named = Partial<Record<Modality, EncoderInfo | "none">>;

export type Encoders = Partial<Record<Modality, EncoderInfo>>;

/**
 * What the named encoders are.
 * @throws UserError when the weights of one cannot be had
 */
export async function loadNamedEncoders(
  { imageEncoder, audioEncoder }: NamedEncoders,
  options: InputEncoderOptions,
): Promise<Named> {
  return {
    ...(imageEncoder !== undefined && {
      image:
        imageEncoder === "none" ? imageEncoder : await chosenImageEncoder(imageEncoder, options),
    }),
    ...(audioEncoder !== undefined && { audio: audioInfo(audioEncoder, options) }),
  };
}

function audioInfo(
  name: NonNullable<NamedEncoders["audioEncoder"]>,
  { audioWeights }: InputEncoderOptions,
): EncoderInfo | "none" {
  if (name === "none") return name;
  if (name === "audio_stats") return audioStatsEncoder(DEFAULT_LOG_MEL);
  const folder = audioWeights ?? SHIPPED_AUDIO_CNN;
  return audioCnnInfo(readAudioCheckpoint(folder, "--audio_weights"));
}

/** Values of the embeddings that the user named; undefined where nothing was said, or that they are left out. */
export function namedDim(named: Named, modality: Modality): number | undefined {
  const encoder = named[modality];
  return encoder === "none" ? undefined : encoder?.dim;
}

/**
 * What embeds the inputs: what the models say, or, where they do not, what was named. A modality that is left out has none.
 * @throws UserError E_FLAG where a named one is not wanted; E_SETTINGS where it gives another number of values
 */
export function resolveEncoders(encoders: Encoders, named: Named): Encoders {
  const resolved = { ...encoders };
  for (const modality of MODALITIES) {
    const choice = named[modality];
    if (choice === undefined) continue;
    const flag = `--${modality}_encoder`;
    const stated = encoders[modality];
    if (stated?.model !== "unknown")
      throw new UserError(
        "E_FLAG",
        `${flag}: is for models that do not say what embedded ${modality}s, these say ${stated?.model ?? "that they use none"}`,
        { hint: "leave the flag out" },
      );
    if (choice === "none") delete resolved[modality];
    else if (choice.dim === stated.dim) resolved[modality] = choice;
    else
      throw new UserError(
        "E_SETTINGS",
        `${flag} ${choice.model}: must give the ${stated.dim} values that the model takes, gives ${choice.dim}`,
        { hint: `name what embedded the ${modality}s that it was trained on, or 'none'` },
      );
  }
  return resolved;
}

/** What one should know of predictions whose encoders were named. */
export function notesOnNamed(named: Named): string[] {
  return MODALITIES.flatMap((modality) => {
    const choice = named[modality];
    if (choice === undefined) return [];
    const how =
      choice === "none"
        ? `leaves the ${modality} out`
        : `says ${choice.model}; another one gives wrong results`;
    return [
      `the model does not say what embedded its ${modality} rows: --${modality}_encoder ${how}`,
    ];
  });
}
