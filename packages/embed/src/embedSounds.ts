import type { OnnxAudio } from "@emotion-service/core/audio/audioEncoder";
import {
  type SoundEncoder,
  loadOnnxSoundEncoder,
} from "@emotion-service/core/audio/onnxSoundEncoder";
import type { PreparedSound } from "@emotion-service/core/audio/prepareSound";
import { UserError, causeOf } from "@emotion-service/core/errors";
import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import { type Begin, type EmbedRun, SILENT } from "./embedRows.ts";
import { type EmbedInput, type EmbedWork, deviceSetting, fileInputs } from "./embedWork.ts";
import type { SoundSettings } from "./soundWorker.ts";

/** Clips that may be decoded and wait, for each worker: the network never waits for them, and memory stays bounded. */
const AHEAD_PER_WORKER = 4;

/**
 * Audio files (relative paths) → embeddings by an .onnx file: worker threads decode and resample while this one runs the network,
 * which has threads of its own, over one clip after another.
 */
export async function embedSounds(
  { file, flag, device, settings }: OnnxAudio,
  folder: string,
  paths: readonly string[],
  options: EmbedRun,
  begin: Begin,
): Promise<void> {
  const { onNotice } = options;
  const encoder = await loadOnnxSoundEncoder(file, flag, { device, settings, onNotice });
  try {
    const work = begin({
      encoder: encoder.info,
      inputs: fileInputs(folder, paths),
      settings: deviceSetting(device),
      unit: "files",
    });
    const { pending } = work;
    const sounds: SoundSettings = { folder, input: encoder.input };
    const outcomes = mapInWorkers<string, PreparedSound>(
      pending.map(({ path }) => path),
      {
        script: new URL("soundWorker.js", import.meta.url),
        settings: sounds,
        workers: options.workers,
        ahead: AHEAD_PER_WORKER * options.workers,
        signal: options.signal,
      },
    );
    let n = 0;
    for await (const outcome of outcomes) {
      await embedSound(encoder, outcome, pending[n]!, work);
      n += 1;
    }
  } finally {
    await encoder.dispose();
  }
}

/** A clip that the network does not run on costs that clip alone. */
async function embedSound(
  encoder: SoundEncoder,
  outcome: Outcome<PreparedSound>,
  input: EmbedInput,
  work: EmbedWork,
): Promise<void> {
  if (!outcome.ok) return work.fail(input, outcome.cause);
  const { values, steps, silent } = outcome.value;
  try {
    work.keep(input, silent ? SILENT : await encoder.embed(values, steps));
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "E_INPUT_BROKEN") throw error;
    work.fail(input, causeOf(error));
  }
}
