import { decodeAudio } from "@emotion-service/core/audio/decode";
import { type LogMelConfig, createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { serveJobs } from "@emotion-service/core/workers/serve";

/** What a worker finds in one file. */
export interface ClipFeatures {
  /** dB, [n_mels, frames] */
  readonly features: Float32Array;
  readonly frames: number;
  readonly silent: boolean;
  /** Of the file, before trimming and cropping. */
  readonly durationSeconds: number;
  readonly sampleRateHz: number;
  readonly channels: number;
}

serveJobs<LogMelConfig, string, ClipFeatures>(
  (config) => {
    const extract = createLogMelExtractor(config);
    return async (path) => {
      const sound = await decodeAudio(path);
      const { features, frames, silent } = extract(sound);
      return {
        features,
        frames,
        silent,
        durationSeconds: sound.samples.length / sound.sampleRateHz,
        sampleRateHz: sound.sampleRateHz,
        channels: sound.channels,
      };
    };
  },
  ({ features }) => [features.buffer as ArrayBuffer],
);
