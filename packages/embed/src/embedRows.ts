import { audioStats, audioStatsEncoder } from "@emotion-service/core/audio/audioStats";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { throwIfAborted } from "@emotion-service/core/errors";
import type { FaceCrop } from "@emotion-service/core/face/faceCrop";
import { faceEncoderInfo } from "@emotion-service/core/face/faceEncoder";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import { readPreprocessedAudio } from "@emotion-service/core/hdf5/preprocessedAudio";
import { factsOf } from "@emotion-service/core/labels";
import { mapInWorkers } from "@emotion-service/core/workers/pool";
import type { AudioSettings } from "./audioWorker.ts";
import type { FaceBatch, FaceSettings } from "./faceWorker.ts";

/** How inputs are embedded, whatever they are. */
export interface EmbedRun {
  readonly faceCrop: FaceCrop;
  /** Pictures a forward pass. */
  readonly batchSize: number;
  readonly workers: number;
  readonly onNotice?: (line: string) => void;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/** What became of one input. */
export interface EmbeddedRow {
  readonly path: string;
  readonly label: string;
  /** [D]; undefined when the input has none, for the cause given. */
  readonly embedding: Float32Array | undefined;
  readonly cause: string;
}

export interface Embedded {
  readonly encoder: EncoderInfo;
  /** In the order of the inputs. */
  readonly rows: readonly EmbeddedRow[];
}

/** A clip of zeros has no voice: a missing modality, here as at prediction. */
const SILENT = "silent: every sample is zero";

/** Pictures (relative paths) → face embeddings, in worker threads. */
export async function embedImages(
  folder: string,
  paths: readonly string[],
  options: EmbedRun,
): Promise<Embedded> {
  const encoder = faceEncoderInfo(options.faceCrop);
  const batches: string[][] = [];
  for (let start = 0; start < paths.length; start += options.batchSize)
    batches.push(paths.slice(start, start + options.batchSize));
  const settings: FaceSettings = { folder, crop: options.faceCrop };
  const outcomes = mapInWorkers<readonly string[], FaceBatch>(batches, {
    script: new URL("faceWorker.js", import.meta.url),
    settings,
    workers: options.workers,
    signal: options.signal,
    nativeCode: true,
  });
  const rows: EmbeddedRow[] = [];
  const notices = new Set<string>(); // every worker says the same
  let batch = 0;
  for await (const outcome of outcomes) {
    for (const line of outcome.ok ? outcome.value.notices : []) {
      if (!notices.has(line)) options.onNotice?.(line);
      notices.add(line);
    }
    let at = 0;
    for (const [i, path] of (batches[batch] ?? []).entries()) {
      const cause = outcome.ok ? (outcome.value.causes[i] ?? "") : outcome.cause;
      const embedding =
        outcome.ok && cause === ""
          ? outcome.value.embeddings.slice(at, (at += encoder.dim))
          : undefined;
      rows.push({ path, label: factsOf(path).label, embedding, cause });
    }
    batch += 1;
    options.onProgress?.(rows.length, paths.length, "pictures");
  }
  return { encoder, rows };
}

/** Audio files (relative paths) → audio_stats at the default feature settings, in worker threads. */
export async function embedAudioFiles(
  folder: string,
  paths: readonly string[],
  options: EmbedRun,
): Promise<Embedded> {
  const settings: AudioSettings = { folder, config: DEFAULT_LOG_MEL };
  const outcomes = mapInWorkers<string, Float32Array | undefined>(paths, {
    script: new URL("audioWorker.js", import.meta.url),
    settings,
    workers: options.workers,
    signal: options.signal,
  });
  const rows: EmbeddedRow[] = [];
  for await (const outcome of outcomes) {
    const path = paths[rows.length] ?? "";
    rows.push({
      path,
      label: factsOf(path).label,
      embedding: outcome.ok ? outcome.value : undefined,
      cause: outcome.ok ? (outcome.value === undefined ? SILENT : "") : outcome.cause,
    });
    options.onProgress?.(rows.length, paths.length, "files");
  }
  return { encoder: audioStatsEncoder(DEFAULT_LOG_MEL), rows };
}

/** Preprocessed audio → audio_stats; labels are the file's own. */
export async function embedAudioFeatures(file: string, options: EmbedRun): Promise<Embedded> {
  return readPreprocessedAudio(file, "--audio_h5", ({ config, paths }, features) => {
    const rows: EmbeddedRow[] = [];
    for (const row of features) {
      throwIfAborted(options.signal);
      const { features: cells, frames, path, label } = row;
      const silent = cells.every((decibels) => decibels === 0);
      const embedding = silent
        ? undefined
        : audioStats(cells, config.n_mels, frames, config.hop_length / config.sr);
      rows.push({ path, label, embedding, cause: silent ? SILENT : "" });
      options.onProgress?.(rows.length, paths.length, "clips");
    }
    return { encoder: audioStatsEncoder(config), rows };
  });
}
