import { join } from "node:path";
import { loadAudioEncoder } from "@emotion-service/core/audio/audioEncoder";
import type { TrainedModel } from "@emotion-service/core/model/modelFolder";
import { openSound } from "@emotion-service/core/audio/decode";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { serveJobs } from "@emotion-service/core/workers/serve";

export interface AudioSettings {
  readonly folder: string;
  /** undefined: audio_stats, at the default feature settings */
  readonly trained: TrainedModel | undefined;
}

/** Each worker has a core of its own. */
const THREADS = 1;

serveJobs<AudioSettings, string, Float32Array | undefined>(
  ({ folder, trained }) => {
    const options = { trained, config: DEFAULT_LOG_MEL, threads: THREADS };
    const loaded = loadAudioEncoder(options).then((encoder) => ({
      encoder,
      extract: createLogMelExtractor(encoder.config),
    }));
    return async (path) => {
      const { encoder, extract } = await loaded;
      const { features, frames, silent } = await extract(await openSound(join(folder, path)));
      return silent ? undefined : encoder.embed(features, frames);
    };
  },
  (embedding) => (embedding === undefined ? [] : [embedding.buffer as ArrayBuffer]),
);
