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
  for (const [flag, value] of flagsGiven(flags))
    if (value !== undefined)
      throw new UserError("E_FLAG", `${flag}: is for --model FILE.onnx, the model is ${model}`, {
        hint: "leave the flag out, or name that model",
      });
}

/** @throws UserError E_FLAG for flags that are for sound */
export function pictureSettings(flags: OnnxFlags): OnnxSettings {
  const { inputSize, mean, std, layout, output, sr, audioInput, doNormalize } = flags;
  refuseGiven("pictures", {
    "--sr": sr,
    "--audio_input": audioInput,
    "--do_normalize": doNormalize,
  });
  if (layout === "nct" || layout === "ntc") throw otherLayout(layout, "pictures", "nchw or nhwc");
  const size = inputSize === undefined ? undefined : ([inputSize, inputSize] as const);
  return { size, mean, std, layout, output };
}

/** @throws UserError E_FLAG for flags that are for pictures */
export function soundSettings(flags: OnnxFlags): OnnxSoundSettings {
  const { inputSize, mean, std, layout, output, sr, audioInput, doNormalize } = flags;
  refuseGiven("sound", { "--input_size": inputSize });
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
    doNormalize: doNormalize === undefined ? undefined : doNormalize === "on",
  };
}

function flagsGiven(flags: OnnxFlags): [flag: string, value: unknown][] {
  return Object.entries({
    "--input_size": flags.inputSize,
    "--mean": flags.mean,
    "--std": flags.std,
    "--layout": flags.layout,
    "--output": flags.output,
    "--sr": flags.sr,
    "--audio_input": flags.audioInput,
    "--do_normalize": flags.doNormalize,
  });
}

function refuseGiven(input: string, flags: Readonly<Record<string, unknown>>): void {
  for (const [flag, value] of Object.entries(flags))
    if (value !== undefined)
      throw new UserError("E_FLAG", `${flag}: is not for an .onnx file that takes ${input}`, {
        hint: "leave the flag out",
      });
}

function otherLayout(layout: string, input: string, layouts: string): UserError {
  return new UserError("E_FLAG", `--layout ${layout}: must be ${layouts} for ${input}`, {
    hint: "where the shape of the file's input tells its axes, leave it out",
  });
}
