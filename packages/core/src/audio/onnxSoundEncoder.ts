import { UserError, causeOf } from "../errors.ts";
import type { Device } from "../devices.ts";
import { type EncoderInfo, stableJson } from "../hdf5/encoder.ts";
import { outputOf, readEncoderFile, startEncoder } from "../onnx/encoderFile.ts";
import type { Session, SessionOutput } from "../onnx/session.ts";
import { statedSettings } from "../onnx/statedSettings.ts";
import type { LogMelConfig } from "./logMelConfig.ts";
import { type OnnxSoundInput, type OnnxSoundSettings, soundInputOf } from "./onnxSoundInput.ts";
import type { SoundInput } from "./prepareSound.ts";
import { type SoundTensors, soundTensors } from "./soundTensor.ts";

/** A network that turns clips into embeddings. */
export interface SoundEncoder {
  readonly info: EncoderInfo;
  /** What it takes; createSoundPreparer makes it. */
  readonly input: SoundInput;
  /**
   * What was prepared → [dim].
   * @throws UserError E_INPUT_BROKEN for a clip that it does not run on
   */
  embed(values: Float32Array, steps: number): Promise<Float32Array>;
  dispose(): Promise<void>;
}

export interface OnnxSoundOptions {
  readonly device: Device;
  /** What goes before what the file states of itself. */
  readonly settings?: OnnxSoundSettings | undefined;
  /** The settings of log-mel that is there already, where the file does not tell them. */
  readonly features?: LogMelConfig | undefined;
  /** The feature_config of embeddings that the file made: all settings are from there. */
  readonly featureConfig?: string | undefined;
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** An encoder that is ready to run; `file` is for the messages. */
interface Network {
  readonly file: string;
  readonly session: Session;
  readonly input: OnnxSoundInput;
  readonly output: string;
}

/**
 * Loads a network of any .onnx file that takes a clip, as a waveform or as log-mel, and gives a row of numbers for it, or one for
 * each step of time, which are averaged.
 * @throws UserError E_INPUT_MISSING, E_INPUT_BROKEN, E_LAYOUT for a file that is none; E_UNAVAILABLE without ONNX Runtime or device
 */
export async function loadOnnxSoundEncoder(
  path: string,
  flag: string,
  { device, settings: given = {}, features, featureConfig, onNotice }: OnnxSoundOptions,
): Promise<SoundEncoder> {
  const file = readEncoderFile(path, flag);
  const kept = featureConfig === undefined ? undefined : settingsOf(featureConfig);
  const stated = kept === undefined ? statedSettings(file) : undefined;
  const settings = kept?.settings ?? given;
  const input = soundInputOf({ file, settings, stated, features: kept?.features ?? features });
  const output = outputOf(file, settings.output);
  const config = configOf(input, settings.output);
  const { info, probed } = await startEncoder(
    file,
    { device, featureConfig: config, stated, onNotice },
    async (session) => {
      const started = { file: path, session, input, output };
      return { network: started, ...(await probe(started)) };
    },
  );
  const { network, dim, timeAxis } = probed;
  return {
    info,
    input:
      input.kind === "waveform"
        ? { kind: "waveform", sr: input.sr, samples: input.steps }
        : { kind: "logmel", config: input.config },
    embed: async (values, steps) => {
      const tensors = soundTensors(values, steps, input);
      const found = await run(network, tensors, "E_INPUT_BROKEN");
      const shape = rowShape(found.dims, input);
      const row =
        timeAxis === undefined ? found.data : pooled(found.data, shape, timeAxis, tensors);
      if (row.length === dim) return row;
      throw new UserError("E_INPUT_BROKEN", `${path}: gives ${row.length} values for a clip of ${tensors.steps} ${unitOf(input)}, and ${dim} for others`); // prettier-ignore
    },
    dispose: () => network.session.dispose(),
  };
}

/** What was used, as the embeddings' file and the models keep it; what is as usual of layout and output is left out. */
function configOf(input: OnnxSoundInput, output: string | undefined): string {
  const named = output === undefined ? {} : { output };
  if (input.kind === "waveform")
    return stableJson({
      audio_input: "waveform",
      sr: input.sr,
      do_normalize: input.doNormalize,
      ...named,
    });
  const { config, layout, isLayoutTold, mean, std } = input;
  return stableJson({
    audio_input: "logmel",
    audio: config,
    normalisation: mean === 0 && std === 1 ? "none" : { mean, std },
    ...(isLayoutTold ? { layout } : {}),
    ...named,
  });
}

/** The settings that a feature_config of {@link loadOnnxSoundEncoder} tells. */
function settingsOf(featureConfig: string): {
  readonly settings: OnnxSoundSettings;
  readonly features: LogMelConfig | undefined;
} {
  const kept = JSON.parse(featureConfig) as {
    audio_input?: "waveform" | "logmel";
    sr?: number;
    do_normalize?: boolean;
    audio?: LogMelConfig;
    normalisation?: "none" | { mean: number; std: number };
    layout?: "nct" | "ntc";
    output?: string;
  };
  const scale = typeof kept.normalisation === "object" ? kept.normalisation : {};
  return {
    settings: {
      ...scale,
      sr: kept.sr,
      audioInput: kept.audio_input,
      doNormalize: kept.do_normalize,
      layout: kept.layout,
      output: kept.output,
    },
    features: kept.audio,
  };
}

/** Seconds of the clips that tell the size of an embedding. */
const PROBE_SECONDS = [1, 2] as const;

/**
 * Runs the network on clips of two lengths: the axis that changes with the length is time; where the length is fixed, time is the
 * axis behind the batch.
 * @returns the axis behind the batch that is time; undefined where the output has none
 */
async function probe(
  network: Network,
): Promise<{ readonly dim: number; readonly timeAxis: 0 | 1 | undefined }> {
  const { input, file, output } = network;
  const lengths =
    input.steps === undefined ? PROBE_SECONDS.map((s) => stepsIn(s, input)) : [input.steps];
  const shapes: (readonly number[])[] = [];
  for (const steps of lengths) {
    const rows = input.kind === "waveform" ? 1 : input.config.n_mels;
    const tensors = soundTensors(new Float32Array(rows * steps), steps, input);
    const found = await run(network, tensors, "E_LAYOUT");
    shapes.push(rowShape(found.dims, input));
  }
  const [shape = [], other = shape] = shapes;
  const changes = shape.map((size, axis) => size !== other[axis]);
  const isRow = shape.length === 1 && !changes.includes(true);
  const isSequence = shape.length === 2 && changes.includes(false);
  if (isRow) return { dim: shape[0] ?? 0, timeAxis: undefined };
  const timeAxis = changes[1] === true ? 1 : 0;
  if (isSequence) return { dim: shape[1 - timeAxis] ?? 0, timeAxis };
  throw new UserError(
    "E_LAYOUT",
    `${file}: its output ${output} must be [batch,values] or [batch,time,values], is ${shapes.map((each) => `[1,${each.join(",")}]`).join(" and ")} for ${lengths.join(" and ")} ${unitOf(input)}`,
    { hint: "name another with --output, or export the encoder with its embedding" },
  );
}

function stepsIn(seconds: number, input: OnnxSoundInput): number {
  if (input.kind === "waveform") return seconds * input.sr;
  return Math.ceil((seconds * input.config.sr) / input.config.hop_length);
}

function unitOf({ kind }: OnnxSoundInput): string {
  return kind === "waveform" ? "samples" : "frames";
}

/** Behind the batch of one, which a network of a clip without one may lack. */
function rowShape(dims: readonly number[], { rank }: OnnxSoundInput): readonly number[] {
  return dims[0] === 1 && (rank > 1 || dims.length > 2) ? dims.slice(1) : dims;
}

async function run(
  { file, session, input, output }: Network,
  { inputs, steps }: SoundTensors,
  code: "E_LAYOUT" | "E_INPUT_BROKEN",
): Promise<SessionOutput> {
  const outputs = await session.run(inputs, [output]).catch((error: unknown) => {
    throw new UserError(
      code,
      `${file}: does not run on a clip of ${steps} ${unitOf(input)} (${causeOf(error)})`,
      { hint: "export it for clips of any length (in PyTorch, dynamic_shapes)", cause: error },
    );
  });
  const found = outputs[output];
  if (found === undefined) throw new Error(`the network lacks the output '${output}'`);
  return found;
}

/** The mean over the steps of time whose middle is in the clip, or over the nearest; `data` has the shape [rows, columns]. */
function pooled(
  data: Float32Array,
  [rows = 0, columns = 0]: readonly number[],
  timeAxis: 0 | 1,
  { steps, first, end }: SoundTensors,
): Float32Array {
  const [times, dim] = timeAxis === 0 ? [rows, columns] : [columns, rows];
  const [timeStep, valueStep] = timeAxis === 0 ? [columns, 1] : [1, columns];
  const from = Math.ceil((first * times) / steps - 0.5);
  const to = Math.ceil((end * times) / steps - 0.5);
  const nearest = Math.min(times - 1, Math.floor(((first + end) / 2 / steps) * times));
  const [start, stop] = to > from ? [from, to] : [nearest, nearest + 1];
  return Float32Array.from({ length: dim }, (_, d) => {
    let sum = 0;
    for (let t = start; t < stop; t += 1) sum += data[t * timeStep + d * valueStep] ?? 0;
    return sum / (stop - start);
  });
}
