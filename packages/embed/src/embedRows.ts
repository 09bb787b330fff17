import {
  type AudioEncoder,
  type OnnxAudio,
  loadAudioEncoder,
} from "@emotion-service/core/audio/audioEncoder";
import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { breathe } from "@emotion-service/core/breathe";
import { UserError, causeOf } from "@emotion-service/core/errors";
import type { FaceCrop } from "@emotion-service/core/face/faceCrop";
import { describeFaceEncoder } from "@emotion-service/core/face/faceEncoder";
import { keyOfFile } from "@emotion-service/core/files/unfinished";
import { stableJson } from "@emotion-service/core/hdf5/encoder";
import {
  type PreprocessedAudio,
  readPreprocessedAudio,
} from "@emotion-service/core/hdf5/preprocessedAudio";
import { shardPlaceFrom } from "@emotion-service/core/hdf5/shardAttributes";
import type { TrainedModel } from "@emotion-service/core/model/modelFolder";
import { mapInWorkers } from "@emotion-service/core/workers/pool";
import type { AudioSettings } from "./audioWorker.ts";
import { type EmbedPlan, type EmbedWork, type WorkOptions, fileInputs } from "./embedWork.ts";
import type { FaceBatch, PictureSettings } from "./faceWorker.ts";
import type { VideoFaces, VideoSettings } from "./videoWorker.ts";

/** How inputs are embedded, whatever they are. */
export interface EmbedRun extends WorkOptions {
  readonly faceCrop: FaceCrop;
  /** A trained face_cnn, where that embeds faces. */
  readonly trainedFace?: TrainedModel | undefined;
  /** Which faces of a picture have a row. */
  readonly faces: "largest" | "all";
  /** Pictures a forward pass. */
  readonly batchSize: number;
  readonly workers: number;
  readonly onNotice?: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** Begins the work once its encoder is known: called once. */
export type Begin = (plan: EmbedPlan) => EmbedWork;

/** A clip of zeros has no voice: a missing modality, here as at prediction. */
export const SILENT = "silent: every sample is zero";
const NO_FACE = "no face found (an aligned face wants --face_crop off)";

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
  begin: Begin,
): Promise<void> {
  const { faceCrop: crop, trainedFace: trained } = options;
  const allFaces = options.faces === "all";
  const encoder = describeFaceEncoder(crop, trained);
  const work = begin({
    encoder,
    inputs: fileInputs(folder, paths),
    unit: "pictures",
    ...(allFaces && { allFaces, settings: { faces: options.faces } }),
  });
  const batches = cut(work.pending, options.batchSize);
  const settings: PictureSettings = { folder, crop, trained, allFaces };
  const tellOnce = createTeller(options.onNotice);
  const keep = ({ embeddings, found, notices }: FaceBatch, n: number): void => {
    tellOnce(notices);
    let at = 0;
    for (const [i, input] of (batches[n] ?? []).entries()) {
      const boxes = found[i] ?? [];
      if ("cause" in boxes) work.fail(input, boxes.cause);
      else if (boxes.length === 0) work.keep(input, NO_FACE);
      else {
        const rows = embeddings.subarray(at, (at += boxes.length * encoder.dim));
        work.keep(input, rows, allFaces ? boxes : undefined);
      }
    }
  };
  const outcomes = mapInWorkers<readonly string[], FaceBatch, void>(
    batches.map((batch) => batch.map(({ path }) => path)),
    {
      script: new URL("faceWorker.js", import.meta.url),
      settings,
      workers: options.workers,
      signal: options.signal,
      nativeCode: true,
      keep,
    },
  );
  let n = 0;
  for await (const outcome of outcomes) {
    if (!outcome.ok) for (const input of batches[n] ?? []) work.fail(input, outcome.cause);
    n += 1;
  }
}

/** Parts of so many items; the last may have fewer. */
function cut<T>(items: readonly T[], size: number): T[][] {
  const parts: T[][] = [];
  for (let start = 0; start < items.length; start += size)
    parts.push(items.slice(start, start + size));
  return parts;
}

/** Videos (relative paths) → the mean of the embeddings of their faces, in worker threads, as predict looks at a video. */
export async function embedVideoFaces(
  folder: string,
  paths: readonly string[],
  fps: number,
  options: EmbedRun,
  begin: Begin,
): Promise<void> {
  const { faceCrop: crop, trainedFace: trained } = options;
  const work = begin({
    encoder: describeFaceEncoder(crop, trained),
    inputs: fileInputs(folder, paths),
    settings: { fps },
    unit: "videos, faces",
  });
  const settings: VideoSettings = { folder, crop, trained, fps };
  const tellOnce = createTeller(options.onNotice);
  await embedEach<VideoFaces>(work, options, {
    script: new URL("videoWorker.js", import.meta.url),
    settings,
    nativeCode: true,
    found: ({ embedding, frames, notices }) => {
      tellOnce(notices);
      return embedding ?? `no face found in ${frames} frames`;
    },
  });
}

/** Audio files (relative paths) → embeddings, in worker threads; audio_stats is of the default feature settings. */
export async function embedAudioFiles(
  folder: string,
  paths: readonly string[],
  trained: TrainedModel | undefined,
  options: EmbedRun,
  begin: Begin,
): Promise<void> {
  // Here too, so that a model which cannot be loaded is an error, and not one of each file.
  const { onNotice } = options;
  const encoder = await loadAudioEncoder({ trained, config: DEFAULT_LOG_MEL, onNotice });
  await encoder.dispose();
  const work = begin({ encoder: encoder.info, inputs: fileInputs(folder, paths), unit: "files" });
  const settings: AudioSettings = { folder, trained };
  await embedEach<Float32Array | undefined>(work, options, {
    script: new URL("audioWorker.js", import.meta.url),
    settings,
    nativeCode: trained !== undefined,
    found: (embedding) => embedding ?? SILENT,
  });
}

/** Every pending input by itself, in worker threads; `found` is its embedding, or the cause why it can have none. */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what crosses between the threads
async function embedEach<Result>(
  work: EmbedWork,
  { workers, signal }: EmbedRun,
  {
    found,
    ...pool
  }: {
    readonly script: URL;
    readonly settings: unknown;
    readonly nativeCode: boolean;
    readonly found: (result: Result) => Float32Array | string;
  },
): Promise<void> {
  const { pending } = work;
  const outcomes = mapInWorkers<string, Result, void>(
    pending.map(({ path }) => path),
    { ...pool, workers, signal, keep: (result, n) => work.keep(pending[n]!, found(result)) },
  );
  let n = 0;
  for await (const outcome of outcomes) {
    if (!outcome.ok) work.fail(pending[n]!, outcome.cause);
    n += 1;
  }
}

/** Clips between two chances for Ctrl-C. */
const CLIPS_A_TURN = 16;

/**
 * Preprocessed audio → embeddings; labels are the file's own.
 * @throws UserError E_SETTINGS when it was made with other settings than a trained network takes
 */
export async function embedAudioFeatures(
  file: string,
  trained: TrainedModel | OnnxAudio | undefined,
  options: EmbedRun,
  begin: Begin,
): Promise<void> {
  return readPreprocessedAudio(file, "--audio_h5", async (audio, features) => {
    const { config, paths, labels } = audio;
    if (options.shard !== undefined)
      requireShardable(`${options.shard.source}: --audio_h5 ${file}`, audio);
    const encoder = await loadAudioEncoder({ trained, config, onNotice: options.onNotice });
    try {
      requireSameFeatures(`--audio_h5 ${file}`, config, encoder.config);
      const key = keyOfFile(file);
      const inputs = paths.map((path, row) => ({
        path,
        label: labels[row] ?? "",
        key: `${key} ${row}`,
      }));
      const work = begin({ encoder: encoder.info, inputs, unit: "clips" });
      const pending = new Set(work.pending);
      let row = 0;
      for (const { features: cells, frames } of features) {
        if (row % CLIPS_A_TURN === 0) await breathe(options.signal);
        const input = inputs[row]!;
        row += 1;
        if (!pending.has(input)) continue;
        const silent = cells.every((decibels) => decibels === 0);
        work.keep(input, silent ? SILENT : await embedOrCause(encoder, cells, frames));
      }
    } finally {
      await encoder.dispose();
    }
  });
}

/** An embedding, or why a clip can have none: it is too short for the network. */
async function embedOrCause(
  encoder: AudioEncoder,
  cells: Float32Array,
  frames: number,
): Promise<Float32Array | string> {
  try {
    return await encoder.embed(cells, frames);
  } catch (error) {
    if (error instanceof UserError && error.code === "E_INPUT_BROKEN") return causeOf(error);
    throw error;
  }
}

/** Throws unless merge-h5 can put the shards of these rows together; `name` begins the message. */
function requireShardable(name: string, { paths, attributes }: PreprocessedAudio): void {
  const place = shardPlaceFrom(attributes);
  if (place !== undefined)
    throw new UserError("E_FLAG", `${name} is itself shard ${place.index}/${place.count}`, {
      hint: "merge-h5 joins the shards first; --shard 1/1 takes this file as it is",
    });
  for (const [row, path] of paths.entries())
    if (row > 0 && paths[row - 1]! >= path)
      throw new UserError(
        "E_LAYOUT",
        `${name} must have its rows in the order of their paths, each once, has '${paths[row - 1]}' before '${path}'`,
        { hint: "leave --shard out, or make the file again with audio-preprocess" },
      );
}

function requireSameFeatures(name: string, found: LogMelConfig, wanted: LogMelConfig): void {
  if (stableJson(found) === stableJson(wanted)) return;
  throw new UserError(
    "E_SETTINGS",
    `${name}: must be made with the feature settings that the network was trained on, ${stableJson(wanted)}, has ${stableJson(found)}`,
    { hint: "make it again with these flags of audio-preprocess" },
  );
}
