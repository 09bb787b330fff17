import type { Device } from "../devices.ts";
import { UserError } from "../errors.ts";
import type { EncoderInfo } from "../hdf5/encoder.ts";
import type { TrainedModel } from "../model/modelFolder.ts";
import { audioStats, audioStatsEncoder } from "./audioStats.ts";
import type { LogMelConfig } from "./logMelConfig.ts";
import type { OnnxSoundSettings } from "./onnxSoundInput.ts";

/** What turns log-mel into embeddings. */
export interface AudioEncoder {
  readonly info: EncoderInfo;
  /** How the log-mel that it takes is made. */
  readonly config: LogMelConfig;
  /** @param features [n_mels, frames] row-major, dB */
  embed(features: Float32Array, frames: number): Float32Array | Promise<Float32Array>;
  dispose(): Promise<void>;
}

/** An .onnx file that takes sound. */
export interface OnnxAudio {
  readonly file: string;
  readonly flag: string;
  readonly device: Device;
  readonly settings: OnnxSoundSettings;
}

export interface AudioEncoderOptions {
  /** A trained audio_cnn, or an .onnx file; undefined: audio_stats. */
  readonly trained: TrainedModel | OnnxAudio | undefined;
  /** Of audio_stats; a trained network has its own, an .onnx file may have. */
  readonly config: LogMelConfig;
  /** Of a run of the network: as many as the machine has cores unless said. */
  readonly threads?: number;
  readonly onNotice?: ((line: string) => void) | undefined;
}

/** @throws UserError when the trained network's folder is missing, damaged, or another kind of model; E_LAYOUT for an .onnx file of waveforms */
export async function loadAudioEncoder({
  trained,
  config,
  ...options
}: AudioEncoderOptions): Promise<AudioEncoder> {
  if (trained !== undefined && "file" in trained) return loadOnnxLogMel(trained, config, options);
  if (trained !== undefined) {
    const { loadAudioCnnEncoder } = await import("./audioCnnEncoder.ts");
    return loadAudioCnnEncoder(trained.folder, trained.flag, options);
  }
  const secondsPerFrame = config.hop_length / config.sr;
  return {
    info: audioStatsEncoder(config),
    config,
    embed: (features, frames) => audioStats(features, config.n_mels, frames, secondsPerFrame),
    dispose: () => Promise.resolve(),
  };
}

async function loadOnnxLogMel(
  { file, flag, device, settings }: OnnxAudio,
  features: LogMelConfig,
  { onNotice }: Pick<AudioEncoderOptions, "onNotice">,
): Promise<AudioEncoder> {
  const { loadOnnxSoundEncoder } = await import("./onnxSoundEncoder.ts");
  const loading = loadOnnxSoundEncoder(file, flag, { device, settings, features, onNotice });
  const { input, ...encoder } = await loading;
  if (input.kind === "logmel") return { ...encoder, config: input.config };
  await encoder.dispose();
  throw new UserError("E_LAYOUT", `${flag} ${file}: takes waveforms, --audio_h5 holds log-mel`, {
    hint: "name the folder of the sound files with --audio_dir",
  });
}
