import {
  type OnnxAudio,
  type TrainedAudio,
  loadAudioEncoder,
} from "@emotion-service/core/audio/audioEncoder";
import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import type { FaceCrop } from "@emotion-service/core/face/faceCrop";
import { faceEncoderInfo } from "@emotion-service/core/face/faceEncoder";
import { type EncoderInfo, stableJson } from "@emotion-service/core/hdf5/encoder";
import { readPreprocessedAudio } from "@emotion-service/core/hdf5/preprocessedAudio";
import { causeOfRow } from "@emotion-service/core/image/pictureEncoder";
import { factsOf } from "@emotion-service/core/labels";
import { mapInWorkers } from "@emotion-service/core/workers/pool";
import type { AudioSettings } from "./audioWorker.ts";
import type { FaceBatch, FaceSettings } from "./faceWorker.ts";
import type { VideoFaces, VideoSettings } from "./videoWorker.ts";

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
export const SILENT = "silent: every sample is zero";

/** Passes each line on once: every worker says the same. */
function createTeller(onNotice: EmbedRun["onNotice"]): (lines: readonly string[]) => void {
  const told = new Set<string>();
  return (lines) => {
    for (const line of lines) {
      if (!told.has(line)) onNotice?.(line);
      told.add(line);
    }
  };
}

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
  const tellOnce = createTeller(options.onNotice);
  let batch = 0;
  for await (const outcome of outcomes) {
    if (outcome.ok) tellOnce(outcome.value.notices);
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

/** Videos (relative paths) → the mean of the embeddings of their faces, in worker threads, as predict looks at a video. */
export async function embedVideoFaces(
  folder: string,
  paths: readonly string[],
  fps: number,
  options: EmbedRun,
): Promise<Embedded> {
  const settings: VideoSettings = { folder, crop: options.faceCrop, fps };
  const outcomes = mapInWorkers<string, VideoFaces>(paths, {
    script: new URL("videoWorker.js", import.meta.url),
    settings,
    workers: options.workers,
    signal: options.signal,
    nativeCode: true,
  });
  const rows: EmbeddedRow[] = [];
  const tellOnce = createTeller(options.onNotice);
  for await (const outcome of outcomes) {
    if (outcome.ok) tellOnce(outcome.value.notices);
    const path = paths[rows.length] ?? "";
    const embedding = outcome.ok ? outcome.value.embedding : undefined;
    const causeOfNone = outcome.ok
      ? `no face found in ${outcome.value.frames} frames`
      : outcome.cause;
    const cause = embedding === undefined ? causeOfNone : causeOfRow(embedding);
    rows.push({
      path,
      label: factsOf(path).label,
      embedding: cause === "" ? embedding : undefined,
      cause,
    });
    options.onProgress?.(rows.length, paths.length, "videos, faces");
  }
  return { encoder: faceEncoderInfo(options.faceCrop), rows };
}

/** Audio files (relative paths) → embeddings, in worker threads; audio_stats is of the default feature settings. */
export async function embedAudioFiles(
  folder: string,
  paths: readonly string[],
  trained: TrainedAudio | undefined,
  options: EmbedRun,
): Promise<Embedded> {
  // Here too, so that a model which cannot be loaded is an error, and not one of each file.
  const { onNotice } = options;
  const encoder = await loadAudioEncoder({ trained, config: DEFAULT_LOG_MEL, onNotice });
  await encoder.dispose();
  const settings: AudioSettings = { folder, trained };
  const outcomes = mapInWorkers<string, Float32Array | undefined>(paths, {
    script: new URL("audioWorker.js", import.meta.url),
    settings,
    workers: options.workers,
    signal: options.signal,
    nativeCode: trained !== undefined,
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
  return { encoder: encoder.info, rows };
}

/**
 * Preprocessed audio → embeddings; labels are the file's own.
 * @throws UserError E_SETTINGS when it was made with other settings than a trained network takes
 */
export async function embedAudioFeatures(
  file: string,
  trained: TrainedAudio | OnnxAudio | undefined,
  options: EmbedRun,
): Promise<Embedded> {
  return readPreprocessedAudio(file, "--audio_h5", async ({ config, paths }, features) => {
    const encoder = await loadAudioEncoder({ trained, config, onNotice: options.onNotice });
    requireSameFeatures(`--audio_h5 ${file}`, config, encoder.config);
    const rows: EmbeddedRow[] = [];
    for (const { features: cells, frames, path, label } of features) {
      throwIfAborted(options.signal);
      const silent = cells.every((decibels) => decibels === 0);
      const embedding = silent ? undefined : await encoder.embed(cells, frames);
      const cause = embedding === undefined ? SILENT : causeOfRow(embedding);
      rows.push({ path, label, embedding: cause === "" ? embedding : undefined, cause });
      options.onProgress?.(rows.length, paths.length, "clips");
    }
    await encoder.dispose();
    return { encoder: encoder.info, rows };
  });
}

function requireSameFeatures(name: string, found: LogMelConfig, wanted: LogMelConfig): void {
  if (stableJson(found) === stableJson(wanted)) return;
  throw new UserError(
    "E_SETTINGS",
    `${name}: must be made with the feature settings that the network was trained on, ${stableJson(wanted)}, has ${stableJson(found)}`,
    { hint: "make it again with these flags of audio-preprocess" },
  );
}
