import type { OnnxAudio } from "@emotion-service/core/audio/audioEncoder";
import {
  type SoundEncoder,
  loadOnnxSoundEncoder,
} from "@emotion-service/core/audio/onnxSoundEncoder";
import type { PreparedSound } from "@emotion-service/core/audio/prepareSound";
import { UserError, causeOf } from "@emotion-service/core/errors";
import { causeOfRow } from "@emotion-service/core/image/pictureEncoder";
import { factsOf } from "@emotion-service/core/labels";
import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import { type Embedded, type EmbedRun, type EmbeddedRow, SILENT } from "./embedRows.ts";
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
): Promise<Embedded> {
  const { onNotice } = options;
  const encoder = await loadOnnxSoundEncoder(file, flag, { device, settings, onNotice });
  try {
    const sounds: SoundSettings = { folder, input: encoder.input };
    const outcomes = mapInWorkers<string, PreparedSound>(paths, {
      script: new URL("soundWorker.js", import.meta.url),
      settings: sounds,
      workers: options.workers,
      ahead: AHEAD_PER_WORKER * options.workers,
      signal: options.signal,
    });
    const rows: EmbeddedRow[] = [];
    for await (const outcome of outcomes) {
      const path = paths[rows.length] ?? "";
      rows.push({ path, label: factsOf(path).label, ...(await embedSound(encoder, outcome)) });
      options.onProgress?.(rows.length, paths.length, "files");
    }
    return { encoder: encoder.info, rows };
  } finally {
    await encoder.dispose();
  }
}

/** A clip that the network does not run on costs that clip alone. */
async function embedSound(
  encoder: SoundEncoder,
  outcome: Outcome<PreparedSound>,
): Promise<Pick<EmbeddedRow, "embedding" | "cause">> {
  const without = (cause: string) => ({ embedding: undefined, cause });
  if (!outcome.ok) return without(outcome.cause);
  const { values, steps, silent } = outcome.value;
  if (silent) return without(SILENT);
  try {
    const embedding = await encoder.embed(values, steps);
    const cause = causeOfRow(embedding);
    return cause === "" ? { embedding, cause } : without(cause);
  } catch (error) {
    if (error instanceof UserError && error.code === "E_INPUT_BROKEN")
      return without(causeOf(error));
    throw error;
  }
}
