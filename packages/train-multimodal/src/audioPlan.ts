import type { LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import { stableJson } from "@emotion-service/core/hdf5/encoder";
import { findDataset, readH5 } from "@emotion-service/core/hdf5/file";
import { readPreprocessedAudio } from "@emotion-service/core/hdf5/preprocessedAudio";
import { EMOTIONS, factsOf } from "@emotion-service/core/labels";
import {
  readAudioCheckpoint,
  writeAudioCheckpoint,
} from "@emotion-service/core/model/audioCheckpoint";
import { createAudioCnn, initialAudioCnn } from "@emotion-service/core/model/audioCnn";
import {
  type ClipBatch,
  type Clips,
  bandStatistics,
  clipsInMemory,
  withoutPadding,
} from "@emotion-service/core/model/clips";
import type { RowSource } from "@emotion-service/core/model/rowSource";
import { createRandom, firstIntegers, normal } from "@emotion-service/core/random";
import {
  type Choice,
  type ChooseOptions,
  type RowIndex,
  chooseSets,
  classIdsOf,
  dataFacts,
  noUsableRow,
  tellLeftOut,
} from "./chooseRows.ts";
import type { Plan } from "./plan.ts";

/** A file of audio-preprocess, in memory. */
interface ClipFile extends RowIndex {
  readonly config: LogMelConfig;
  readonly clips: Clips;
}

/** Whether a file holds log-mel clips, as audio-preprocess writes them, in place of embeddings. */
export function holdsClips(path: string, flag: string): Promise<boolean> {
  return readH5(
    path,
    flag,
    (file) =>
      findDataset(file, "features/paths") !== undefined &&
      findDataset(file, "features/labels") !== undefined,
  );
}

interface ClipsOptions extends ChooseOptions {
  /** Bytes of values beyond which it is told that clips are held in memory all the same. */
  readonly memoryBytes: number;
}

/** Log-mel clips, and the audio_cnn that learns from them. */
export async function planAudioCnn(options: ClipsOptions): Promise<Plan<ClipBatch>> {
  const count = createMemoryNotice(options);
  const choices = await chooseSets(options, {
    read: (path, flag) => readClips(path, flag, options, count),
    requireSame: requireSameFeatures,
  });
  const { train, val, test, classes } = choices;
  const { config, clips } = train.index;
  const shape = { mels: config.n_mels, classes: classes.length };
  const bands = bandStatistics(clips, train.rows);
  const sourceOf = (set: Choice<ClipFile>): RowSource<ClipBatch> =>
    clipsInMemory(set.index.clips, classIdsOf(set, classes), classes.length);
  return {
    classes,
    modalities: ["audio"],
    matchBy: train.index.matchBy,
    train: sourceOf(train),
    val: sourceOf(val),
    test: test && sourceOf(test),
    data: dataFacts(choices),
    inputs: { features: config },
    rowOrder: "in memory",
    ownSettings: {},
    statistics: new Map(
      Object.entries(bands).map(([name, data]) => [`audio.${name}`, { shape: [shape.mels], data }]),
    ),
    initialWeights: (random) => initialAudioCnn(shape, bands, random),
    create: (tf, weights) => createAudioCnn(tf, shape, weights),
    write: (folder, saved) => writeAudioCheckpoint(folder, { classes, features: config, ...saved }),
    read: (folder) => readAudioCheckpoint(folder, "--save_dir"),
    conditions: (seed) => ({ noise: { alter: noiseOf(bands.deviation, createRandom(seed)) } }),
  };
}

/** Adds to each cell of a clip normal noise of its band's deviation over the training clips, dB: as much noise as signal. */
function noiseOf(deviation: Float32Array, random: () => number): (batch: ClipBatch) => void {
  return ({ mels, values, mask }) => {
    for (const [frame, within] of mask.entries())
      if (within === 1)
        for (let m = 0; m < mels; m += 1)
          values[frame * mels + m] =
            (values[frame * mels + m] ?? 0) + (deviation[m] ?? 0) * normal(random);
  };
}

/** Counts the bytes that are held, and tells once, as soon as they are more than --memory says. */
function createMemoryNotice({ memoryBytes, onNotice }: ClipsOptions) {
  let held = 0;
  return (path: string, bytes: number): void => {
    if (held <= memoryBytes && held + bytes > memoryBytes)
      onNotice(
        `${path}: clips are all held in memory, more than --memory ${memoryBytes / 2 ** 20} MiB of them`,
      );
    held += bytes;
  };
}

/** @throws UserError E_FLAG where a flag asks for what clips do not have */
export function requireSoundAlone({ trainH5, modalities, preferPairsBase }: ChooseOptions): void {
  if (modalities.includes("image"))
    throw new UserError(
      "E_FLAG",
      `--modalities ${modalities.length === 2 ? "both" : "image"}: must be audio, as ${trainH5} holds log-mel clips of sound alone`,
      { hint: "use --modalities audio, or name a file of pair" },
    );
  if (preferPairsBase !== undefined)
    throw new UserError(
      "E_FLAG",
      `--prefer_pairs_base ${preferPairsBase}: is for pairs, ${trainH5} holds log-mel clips`,
      { hint: "leave it out" },
    );
}

/** Each block of the network halves the bands. */
const BANDS = 16;

function requireBands({ n_mels: mels }: LogMelConfig, name: string): void {
  if (mels % BANDS !== 0)
    throw new UserError(
      "E_LAYOUT",
      `${name}: n_mels must be a multiple of ${BANDS} for audio_cnn, is ${mels}`,
      { hint: "make it again with audio-preprocess --n_mels 64" },
    );
}

function requireSameFeatures(train: ClipFile, other: ClipFile): void {
  const [expected, actual] = [stableJson(train.config), stableJson(other.config)];
  if (expected !== actual)
    throw new UserError(
      "E_SETTINGS",
      `${other.path}: must be made with the feature settings of ${train.path}, ${expected}, has ${actual}`,
      { hint: "make it again with the same flags of audio-preprocess" },
    );
}

async function readClips(
  path: string,
  flag: string,
  { onNotice, signal }: ChooseOptions,
  count: (path: string, bytes: number) => void,
): Promise<Choice<ClipFile>> {
  let silents = 0;
  const file = await readPreprocessedAudio(path, flag, ({ config, paths }, rows) => {
    requireBands(config, `${flag} ${path}`);
    const frames: Float32Array[] = [];
    const emotions = new Int8Array(paths.length);
    for (const row of rows) {
      throwIfAborted(signal);
      const silent = row.features.every((decibels) => decibels === 0);
      silents += Number(silent);
      emotions[frames.length] = silent
        ? -1
        : EMOTIONS.findIndex((emotion) => emotion === row.label);
      const clip = withoutPadding(row.features, row.frames, config.n_mels);
      count(path, clip.byteLength);
      frames.push(clip);
    }
    const speakers = paths.map((name) => factsOf(name).speaker ?? name);
    const groupNames = [...new Set(speakers)];
    const idOf = new Map(groupNames.map((name, id) => [name, id]));
    return {
      path,
      rows: paths.length,
      emotions,
      groups: Int32Array.from(speakers, (name) => idOf.get(name) ?? 0),
      groupNames,
      matchBy: "",
      config,
      clips: { mels: config.n_mels, frames },
    };
  });
  const usable = firstIntegers(file.rows).filter((row) => file.emotions[row] !== -1);
  const unlabelled = file.rows - usable.length - silents;
  tellLeftOut(path, { "no emotion label": unlabelled, silent: silents }, onNotice);
  if (usable.length === 0)
    throw noUsableRow(`${flag} ${path}`, file.rows, "its labels must be emotions");
  return { index: file, rows: usable };
}
