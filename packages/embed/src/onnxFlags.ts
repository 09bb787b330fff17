import type { AudioInput, OnnxSoundSettings } from "@emotion-service/core/audio/onnxSoundInput";
import { UserError } from "@emotion-service/core/errors";
import { extensionOf } from "@emotion-service/core/files/listFiles";
import type { OnnxSettings } from "@emotion-service/core/image/onnxPicture";

export const ONNX_LAYOUTS = ["nchw", "nhwc", "nct", "ntc"] as const;

/** What an .onnx file may not say of itself; undefined where the flag was not given. */
export interface OnnxFlags {
  /** Pixels a side. */
  readonly inputSize: number | undefined;
  /** One number or three. */
  readonly mean: readonly number[] | undefined;
  readonly std: readonly number[] | undefined;
  readonly layout: (typeof ONNX_LAYOUTS)[number] | undefined;
  readonly output: string | undefined;
  /** Hz */
  readonly sr: number | undefined;
  readonly audioInput: AudioInput | undefined;
  readonly doNormalize: "on" | "off" | undefined;
}

export function isOnnx(model: string): boolean {
  return extensionOf(model) === ".onnx";
}

/** A flag that a model does not heed must not look as if it did. */
export function refuseOnnxFlags(flags: OnnxFlags, model: string): void {
  refuseGiven({ ...pictureFlags(flags), ...soundFlags(flags) }, unless("--model", model));
}

/**
 * Videos have a model for their pictures and one for their sound: flags that either kind of file has are for the pictures.
 * @param model of the sound
 * @throws UserError E_FLAG for flags of sound that it does not heed
 */
export function videoSoundSettings(flags: OnnxFlags, model: string): OnnxSoundSettings {
  if (model !== "onnx") refuseGiven(soundFlags(flags), unless("--audio_model", model));
  const { sr, audioInput } = flags;
  return { sr, audioInput, doNormalize: isOn(flags.doNormalize) };
}

/** The flags of the pictures of videos. */
export function withoutSound(flags: OnnxFlags): OnnxFlags {
  return { ...flags, sr: undefined, audioInput: undefined, doNormalize: undefined };
}

/** @throws UserError E_FLAG for flags that are for sound */
export function pictureSettings(flags: OnnxFlags): OnnxSettings {
  const { inputSize, mean, std, layout, output } = flags;
  refuseGiven(soundFlags(flags), "is not for an .onnx file that takes pictures");
  if (layout === "nct" || layout === "ntc") throw otherLayout(layout, "pictures", "nchw or nhwc");
  const size = inputSize === undefined ? undefined : ([inputSize, inputSize] as const);
  return { size, mean, std, layout, output };
}

/** @throws UserError E_FLAG for flags that are for pictures */
export function soundSettings(flags: OnnxFlags): OnnxSoundSettings {
  const { inputSize, mean, std, layout, output, sr, audioInput } = flags;
  refuseGiven({ "--input_size": inputSize }, "is not for an .onnx file that takes sound");
  if (layout === "nchw" || layout === "nhwc") throw otherLayout(layout, "sound", "nct or ntc");
  for (const [flag, values] of Object.entries({ "--mean": mean, "--std": std }))
    if ((values?.length ?? 1) !== 1)
      throw new UserError(
        "E_FLAG",
        `${flag}: must be one number for sound, has ${values?.length}`,
        {
          hint: `give ${flag} one number`,
        },
      );
  return {
    sr,
    audioInput,
    layout,
    output,
    mean: mean?.[0],
    std: std?.[0],
    doNormalize: isOn(flags.doNormalize),
  };
}

function isOn(rule: OnnxFlags["doNormalize"]): boolean | undefined {
  return rule === undefined ? undefined : rule === "on";
}

type Given = Readonly<Record<string, unknown>>;

/** Those of pictures, some of which sound has too. */
function pictureFlags({ inputSize, mean, std, layout, output }: OnnxFlags): Given {
  return {
    "--input_size": inputSize,
    "--mean": mean,
    "--std": std,
    "--layout": layout,
    "--output": output,
  };
}

function soundFlags({ sr, audioInput, doNormalize }: OnnxFlags): Given {
  return { "--sr": sr, "--audio_input": audioInput, "--do_normalize": doNormalize };
}

function unless(flag: string, model: string): string {
  return `is for ${flag} FILE.onnx, the model is ${model}`;
}

function refuseGiven(flags: Given, reason: string): void {
  for (const [flag, value] of Object.entries(flags))
    if (value !== undefined)
      throw new UserError("E_FLAG", `${flag}: ${reason}`, {
        hint: "leave the flag out, or name such a model",
      });
}

function otherLayout(layout: string, input: string, layouts: string): UserError {
  return new UserError("E_FLAG", `--layout ${layout}: must be ${layouts} for ${input}`, {
    hint: "where the shape of the file's input tells its axes, leave it out",
  });
}
