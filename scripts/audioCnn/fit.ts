/** What the cross-validation of audio_cnn and the training of the one that ships share: their clips, and how they train. */
import { readPreprocessedAudio } from "../../packages/core/src/hdf5/preprocessedAudio.ts";
import type { LogMelConfig } from "../../packages/core/src/audio/logMelConfig.ts";
import { EMOTIONS, factsOf } from "../../packages/core/src/labels.ts";
import {
  type AudioCnn,
  createAudioCnn,
  initialAudioCnn,
} from "../../packages/core/src/model/audioCnn.ts";
import type { Tf } from "../../packages/core/src/model/backend.ts";
import {
  type ClipBatch,
  type Clips,
  bandStatistics,
  clipsInMemory,
  withoutPadding,
} from "../../packages/core/src/model/clips.ts";
import type { RowSource } from "../../packages/core/src/model/rowSource.ts";
import {
  type TrainSettings,
  trainClassifier,
} from "../../packages/core/src/model/trainClassifier.ts";
import { createRandom } from "../../packages/core/src/random.ts";
import { RECIPE_FLAGS, type RowsOfFold, tellEpoch } from "../recipe.ts";

/** Labelled clips of audio-preprocess that hold sound. */
export interface Corpus {
  readonly config: LogMelConfig;
  readonly clips: Clips;
  readonly labels: readonly string[];
  readonly speakers: readonly string[];
  /** The emotions that occur, in the order of a model's outputs. */
  readonly classes: readonly string[];
}

export async function readCorpus(path: string): Promise<Corpus> {
  return readPreprocessedAudio(path, "--audio_h5", ({ config }, rows) => {
    const frames: Float32Array[] = [];
    const labels: string[] = [];
    const speakers: string[] = [];
    for (const row of rows) {
      if (row.features.every((decibels) => decibels === 0)) continue; // silence
      frames.push(withoutPadding(row.features, row.frames, config.n_mels));
      labels.push(row.label);
      speakers.push(factsOf(row.path).speaker ?? row.path);
    }
    const classes = EMOTIONS.filter((emotion) => labels.includes(emotion));
    return { config, clips: { mels: config.n_mels, frames }, labels, speakers, classes };
  });
}

/** The flags that both scripts have, for parseArgs. */
export const FLAGS = {
  epochs: { type: "string", default: "30" },
  lr: { type: "string", default: "0.0003" },
  ...RECIPE_FLAGS,
} as const;

/** The clips of a corpus that are wanted, with their classes. */
export function sourceOf(
  { clips, labels, classes }: Corpus,
  isWanted: (row: number) => boolean,
): RowSource<ClipBatch> {
  const classIds = Int32Array.from(labels, (label, row) =>
    isWanted(row) ? classes.indexOf(label) : -1,
  );
  return clipsInMemory(clips, classIds, classes.length);
}

/** Trains for all epochs on the rows `isTrained`; `watched` rows are measured after each epoch, and choose nothing. */
export async function fit(
  tf: Tf,
  corpus: Corpus,
  settings: TrainSettings,
  rows: RowsOfFold,
  name: string,
): Promise<AudioCnn> {
  const { clips, labels, classes } = corpus;
  const shape = { mels: clips.mels, classes: classes.length };
  const trained = [...labels.keys()].filter(rows.isTrained);
  const statistics = bandStatistics(clips, trained);
  const model = createAudioCnn(
    tf,
    shape,
    initialAudioCnn(shape, statistics, createRandom(settings.seed)),
  );
  await trainClassifier(tf, model, {
    settings,
    classes,
    train: sourceOf(corpus, rows.isTrained),
    val: sourceOf(corpus, rows.isWatched),
    onEpoch: tellEpoch(name, settings.epochs),
  });
  return model;
}
