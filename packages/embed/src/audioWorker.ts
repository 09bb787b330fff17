import { join } from "node:path";
import { audioStats } from "@emotion-service/core/audio/audioStats";
import { openSound } from "@emotion-service/core/audio/decode";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { serveJobs } from "@emotion-service/core/workers/serve";

export interface AudioSettings {
  readonly folder: string;
  readonly config: LogMelConfig;
}

serveJobs<AudioSettings, string, Float32Array | undefined>(
  ({ folder, config }) => {
    const extract = createLogMelExtractor(config);
    return async (path) => {
      const { features, frames, silent } = await extract(await openSound(join(folder, path)));
      if (silent) return undefined;
      return audioStats(features, config.n_mels, frames, config.hop_length / config.sr);
    };
  },
  (embedding) => (embedding === undefined ? [] : [embedding.buffer as ArrayBuffer]),
);
