import { UserError, causeOf } from "../errors.ts";
import { type EncoderFile, inputsAsText, knownSize } from "../onnx/encoderFile.ts";
import type { OnnxInfoValue } from "../onnx/readInfo.ts";
import type { StatedSettings } from "../onnx/statedSettings.ts";
import { DEFAULT_LOG_MEL, type LogMelConfig, PAD_MODES, fixedFrames } from "./logMelConfig.ts";

export type AudioInput = "waveform" | "logmel";
const LOG_MEL_LAYOUTS = ["nct", "ntc"] as const;
type Layout = (typeof LOG_MEL_LAYOUTS)[number];

/** What a file may not say of its encoder; what its input's shape does say, a setting may not contradict. */
export interface OnnxSoundSettings {
  /** Hz; 16,000 unless said. */
  readonly sr?: number | undefined;
  readonly audioInput?: AudioInput | undefined;
  /** Of a waveform: zero mean and unit variance; as it is unless said. */
  readonly doNormalize?: boolean | undefined;
  /** Of log-mel: nct has the mel bands before time, ntc behind it. */
  readonly layout?: Layout | undefined;
  /** Of log-mel: (dB - mean) / std; as it is unless said. */
  readonly mean?: number | undefined;
  readonly std?: number | undefined;
  /** The name of the output that is the embedding; the first unless said. */
  readonly output?: string | undefined;
}

/** What an .onnx encoder takes, and how it is made. */
export type OnnxSoundInput = {
  readonly name: string;
  /** Axes of the input. */
  readonly rank: number;
  /** A second input, 1 for each step of the clip and 0 for padding. */
  readonly mask: { readonly name: string; readonly type: "int64" | "int32" } | undefined;
  /** Samples or frames that it takes; undefined for any number. */
  readonly steps: number | undefined;
} & (
  | { readonly kind: "waveform"; readonly sr: number; readonly doNormalize: boolean }
  | {
      readonly kind: "logmel";
      readonly config: LogMelConfig;
      readonly layout: Layout;
      /** Whether the layout was told, as the shape leaves it open. */
      readonly isLayoutTold: boolean;
      readonly mean: number;
      readonly std: number;
    }
);

const USUAL_RATE_HZ = 16_000;
/** Fewer samples, or mel bands beyond these, are something else: an embedding, say, or channels. */
const FEWEST_SAMPLES = 1000;
const [FEWEST_MELS, MOST_MELS] = [8, 512];
/** More are a mistake in the file. */
const MOST_STEPS = 2 ** 25;
/** As Hugging Face's exporters call it. */
const MASK = "attention_mask";

interface Context {
  readonly file: EncoderFile;
  readonly settings: OnnxSoundSettings;
  /** What the file says beside its shapes; undefined where the settings are whole. */
  readonly stated: StatedSettings | undefined;
  /** How log-mel is made that the file does not tell of; the defaults of audio-preprocess unless said. */
  readonly features: LogMelConfig | undefined;
}

/** @throws UserError E_LAYOUT for a file that takes no sound, or when it does not tell how and nothing else does */
export function soundInputOf(context: Context): OnnxSoundInput {
  const { file } = context;
  const { mask, clip } = inputsOf(file);
  const { name, type, dims } = clip;
  const kind = kindOf(context, dims);
  const batch = dims.length === 1 ? 1 : (knownSize(dims[0]) ?? 1);
  if (type !== "float32" || batch !== 1) throw notSound(file);
  const common = { name, rank: dims.length, mask };
  const [before, last] = [knownSize(dims.at(-2)), knownSize(dims.at(-1))];
  if (Math.max(before ?? 0, last ?? 0) > MOST_STEPS) throw notSound(file);
  return kind === "waveform"
    ? { ...common, ...waveformInput(context, last) }
    : { ...common, ...logMelInput(context, [before, last]) };
}

function inputsOf(file: EncoderFile): {
  readonly clip: OnnxInfoValue;
  readonly mask: OnnxSoundInput["mask"];
} {
  const masks = file.info.inputs.flatMap(maskOf);
  const [clip, ...others] = file.info.inputs.filter(({ name }) => name !== masks[0]?.name);
  if (clip === undefined || others.length > 0) throw notSound(file);
  return { clip, mask: masks[0] };
}

function maskOf({ name, type, dims }: OnnxInfoValue): NonNullable<OnnxSoundInput["mask"]>[] {
  const isMask = name === MASK && dims.length === 2 && (type === "int64" || type === "int32");
  return isMask ? [{ name, type }] : [];
}

function kindOf({ file, settings }: Context, dims: OnnxInfoValue["dims"]): AudioInput {
  const told = settings.audioInput;
  const axes = dims.slice(1);
  const [first, second] = axes.map(knownSize);
  const possible: Readonly<Record<AudioInput, boolean>> = {
    waveform: dims.length === 1 || axes.length === 1 || (axes.length === 2 && (first ?? 1) === 1),
    logmel: axes.length === 2 || (axes.length === 3 && (first ?? 1) === 1),
  };
  if (told !== undefined) {
    if (possible[told]) return told;
    throw new UserError(
      "E_LAYOUT",
      `--audio_input ${told}: ${file.path} takes ${inputsAsText(file)}`,
      { hint: "leave --audio_input out" },
    );
  }
  if (!possible.waveform && !possible.logmel) throw notSound(file);
  if (!possible.logmel || first === 1) return possible.waveform ? "waveform" : "logmel";
  if (!possible.waveform || isMels(first) || isMels(second)) return "logmel";
  throw new UserError(
    "E_LAYOUT",
    `${file.path}: its input ${inputsAsText(file)} may be a waveform or log-mel`,
    { hint: "say which: --audio_input waveform or --audio_input logmel" },
  );
}

function isMels(size: number | undefined): boolean {
  return size !== undefined && size >= FEWEST_MELS && size <= MOST_MELS;
}

function waveformInput({ file, settings, stated }: Context, steps: number | undefined) {
  const { path } = file;
  for (const flag of ["layout", "mean", "std"] as const)
    if (settings[flag] !== undefined) throw unheeded(path, flag, "waveforms");
  if (steps !== undefined && steps < FEWEST_SAMPLES) throw notSound(file);
  const sr = settings.sr ?? stated?.sampleRateHz() ?? USUAL_RATE_HZ;
  const doNormalize = settings.doNormalize ?? stated?.doNormalize() ?? false;
  return { kind: "waveform", sr, doNormalize, steps } as const;
}

function logMelInput(context: Context, axes: readonly [number | undefined, number | undefined]) {
  const { file, settings, stated, features } = context;
  if (settings.doNormalize !== undefined) throw unheeded(file.path, "do_normalize", "log-mel");
  const maker = stated?.featureExtractor();
  if (maker !== undefined)
    throw new UserError(
      "E_LAYOUT",
      `${file.path}: takes the features of ${maker}, as the preprocessor_config.json beside it says, and not log-mel of audio-preprocess`,
      {
        hint: "take an encoder of waveforms, or one that was trained on what audio-preprocess writes",
      },
    );
  const said = parseConfig(stated?.featureConfig(), file.path);
  const base = said ?? features ?? DEFAULT_LOG_MEL;
  const told = settings.layout ?? LOG_MEL_LAYOUTS.find((name) => name === stated?.layout());
  const layout = told ?? layoutOf(file, axes, base.n_mels);
  const [mels = base.n_mels, steps] = layout === "nct" ? axes : [axes[1], axes[0]];
  if (!isMels(mels) || (said !== undefined && mels !== said.n_mels))
    throw new UserError(
      "E_LAYOUT",
      `${file.path}: takes ${inputsAsText(file)}, ${mels} mel bands, must be ${said === undefined ? `from ${FEWEST_MELS} to ${MOST_MELS}` : `the ${said.n_mels} of its metadata`}`,
      { hint: "say where the bands are, --layout nct or --layout ntc, or that it takes waveforms, --audio_input waveform" }, // prettier-ignore
    );
  const sr = settings.sr ?? said?.sr ?? stated?.sampleRateHz() ?? base.sr;
  const config = { ...base, sr, n_mels: mels };
  return {
    kind: "logmel",
    config: base === DEFAULT_LOG_MEL ? lasting(steps, config) : config,
    layout,
    isLayoutTold: told !== undefined,
    mean: settings.mean ?? stated?.decibels("mean") ?? 0,
    std: settings.std ?? stated?.decibels("std") ?? 1,
    steps,
  } as const;
}

/** The bands are the axis that is fixed while the other is open, else the one that is of the number expected. */
function layoutOf(
  file: EncoderFile,
  [first, second]: readonly [number | undefined, number | undefined],
  mels: number,
): Layout {
  if (first !== undefined && second === undefined) return "nct";
  if (first === undefined && second !== undefined) return "ntc";
  if (first === mels && second !== mels) return "nct";
  if (first !== mels && second === mels) return "ntc";
  throw new UserError(
    "E_LAYOUT",
    `${file.path}: its input ${inputsAsText(file)} does not tell which axis are the mel bands, of which ${mels} are expected`,
    { hint: "say it: --layout nct where they come before time, --layout ntc where behind" },
  );
}

/** With the fixed duration that gives so many frames. */
function lasting(frames: number | undefined, config: LogMelConfig): LogMelConfig {
  if (frames === undefined || frames === fixedFrames(config)) return config;
  return { ...config, fixed_duration: ((frames - 1) * config.hop_length) / config.sr };
}

function parseConfig(json: string | undefined, path: string): LogMelConfig | undefined {
  if (json === undefined) return undefined;
  try {
    const config = JSON.parse(json) as LogMelConfig;
    const { sr, n_fft, hop_length, n_mels, fixed_duration, top_db, pad_mode } = config;
    for (const [name, value] of Object.entries({ sr, n_fft, hop_length, n_mels }))
      if (!Number.isInteger(value) || value <= 0) throw new Error(`${name} is ${value}`);
    for (const [name, value] of Object.entries({ fixed_duration, top_db }))
      if (!Number.isFinite(value) || value < 0) throw new Error(`${name} is ${value}`);
    if (!PAD_MODES.includes(pad_mode)) throw new Error(`pad_mode is ${pad_mode}`);
    return { sr, n_fft, hop_length, n_mels, fixed_duration, top_db, pad_mode };
  } catch (error) {
    throw new UserError(
      "E_LAYOUT",
      `${path}: its metadata 'feature_config' must be that of a file of audio-preprocess (${causeOf(error)})`,
      { hint: "copy the attribute feature_config of the file that the network was trained on" },
    );
  }
}

function unheeded(path: string, flag: string, taken: string): UserError {
  return new UserError("E_LAYOUT", `--${flag}: ${path} takes ${taken}, which it is not for`, {
    hint: `leave --${flag} out`,
  });
}

function notSound(file: EncoderFile): UserError {
  return new UserError(
    "E_LAYOUT",
    `${file.path}: must take one clip, float32, as a waveform ([batch,samples], [batch,1,samples], [samples]) or log-mel ([batch,n_mels,frames], [batch,frames,n_mels], [batch,1,n_mels,frames]), beside it at most ${MASK} [batch,steps] of int64; takes ${inputsAsText(file)}`,
    {
      hint: "export the encoder alone, for a batch of any size or of one; one that takes pictures is for --images_dir",
    },
  );
}
