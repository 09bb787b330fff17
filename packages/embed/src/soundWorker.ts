import { join } from "node:path";
import { openSound } from "@emotion-service/core/audio/decode";
import {
  type PreparedSound,
  type SoundInput,
  createSoundPreparer,
} from "@emotion-service/core/audio/prepareSound";
import { serveJobs } from "@emotion-service/core/workers/serve";

export interface SoundSettings {
  readonly folder: string;
  readonly input: SoundInput;
}

serveJobs<SoundSettings, string, PreparedSound>(
  ({ folder, input }) => {
    const prepare = createSoundPreparer(input);
    return async (path) => prepare(await openSound(join(folder, path)));
  },
  ({ values }) => [values.buffer as ArrayBuffer],
);
