import { openSound } from "@emotion-service/core/audio/decode";
import {
  type LogMel,
  type LogMelConfig,
  createLogMelExtractor,
} from "@emotion-service/core/audio/logMel";
import { serveJobs } from "@emotion-service/core/workers/serve";

/** What a worker finds in one file. */
export interface ClipFeatures extends LogMel {
  readonly sampleRateHz: number;
  readonly channels: number;
}

serveJobs<LogMelConfig, string, ClipFeatures>(
  (config) => {
    const extract = createLogMelExtractor(config);
    return async (path) => {
      const sound = await openSound(path);
      return {
        ...(await extract(sound)),
        sampleRateHz: sound.sampleRateHz,
        channels: sound.channels,
      };
    };
  },
  ({ features }) => [features.buffer as ArrayBuffer],
);
