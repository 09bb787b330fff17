import {
  type ClipFeatures,
  createFeatureExtractor,
} from "@emotion-service/core/audio/clipFeatures";
import { openSound } from "@emotion-service/core/audio/decode";
import type { FrameFeature } from "@emotion-service/core/audio/frameFeatures";
import type { LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { serveJobs } from "@emotion-service/core/workers/serve";

export interface FeatureWorkerSettings {
  readonly config: LogMelConfig;
  readonly extras: readonly FrameFeature[];
  /** Time that a file may take, milliseconds. */
  readonly limitMs: number;
}

/** What a worker finds in one file. */
export interface FileFeatures extends ClipFeatures {
  readonly sampleRateHz: number;
  readonly channels: number;
}

serveJobs<FeatureWorkerSettings, string, FileFeatures>(
  ({ config, extras, limitMs }) => {
    const extract = createFeatureExtractor(config, extras);
    return async (path) => {
      const sound = await openSound(path, limitMs);
      const { sampleRateHz, channels } = sound;
      return { ...(await extract(sound)), sampleRateHz, channels };
    };
  },
  ({ features }) => [features.buffer as ArrayBuffer],
);
