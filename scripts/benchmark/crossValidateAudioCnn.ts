/**
 * How well audio_cnn knows emotions of speakers that it has not heard: k-fold cross-validation with speakers apart.
 *
 *     node --import tsx scripts/benchmark/crossValidateAudioCnn.ts --audio_h5 FILE [--folds 5] [--only 1] [--epochs 40] [--lr 0.001]
 *         [--batch_size 64] [--weight_decay 0.01] [--seed 1] [--backend auto]
 *
 * FILE is written by audio-preprocess. Each fold is trained for all epochs and measured after the last: no fold is chosen by the
 * clips that it is measured on. Prints one JSON line a fold, then the mean and the deviation of the macro recall, and the recall and
 * the confusion over all clips, each measured by the network that had not heard its speaker.
 */
import { parseArgs } from "node:util";
import { readPreprocessedAudio } from "../../packages/core/src/hdf5/preprocessedAudio.ts";
import { EMOTIONS, factsOf } from "../../packages/core/src/labels.ts";
import { createAudioCnn, initialAudioCnn } from "../../packages/core/src/model/audioCnn.ts";
import { type Tf, loadTensorFlow } from "../../packages/core/src/model/backend.ts";
import { BACKENDS } from "../../packages/core/src/model/backendNames.ts";
import {
  type Clips,
  bandStatistics,
  clipsInMemory,
  withoutPadding,
} from "../../packages/core/src/model/clips.ts";
import { evaluate, trainClassifier } from "../../packages/core/src/model/trainClassifier.ts";
import { createRandom, shuffle } from "../../packages/core/src/random.ts";

const { values: flags } = parseArgs({
  options: {
    audio_h5: { type: "string" },
    folds: { type: "string", default: "5" },
    only: { type: "string" },
    epochs: { type: "string", default: "40" },
    lr: { type: "string", default: "0.001" },
    batch_size: { type: "string", default: "64" },
    weight_decay: { type: "string", default: "0.01" },
    seed: { type: "string", default: "1" },
    backend: { type: "string", default: "auto" },
  },
});
if (flags.audio_h5 === undefined) throw new Error("--audio_h5 FILE: name one of audio-preprocess");
const [folds, seed] = [Number(flags.folds), Number(flags.seed)];

interface Corpus {
  readonly clips: Clips;
  readonly labels: readonly string[];
  readonly speakers: readonly string[];
}

async function readCorpus(path: string): Promise<Corpus> {
  return readPreprocessedAudio(path, "--audio_h5", ({ config }, rows) => {
    const frames: Float32Array[] = [];
    const labels: string[] = [];
    const speakers: string[] = [];
    for (const row of rows) {
      frames.push(withoutPadding(row.features, row.frames, config.n_mels));
      labels.push(row.label);
      speakers.push(factsOf(row.path).speaker ?? row.path);
    }
    return { clips: { mels: config.n_mels, frames }, labels, speakers };
  });
}

const { clips, labels, speakers } = await readCorpus(flags.audio_h5);
const classes: readonly string[] = EMOTIONS.filter((emotion) => labels.includes(emotion));
const order = shuffle([...new Set(speakers)].sort(), createRandom(seed));
const foldOf = new Map(order.map((speaker, i) => [speaker, i % folds]));
const { tf, backend } = await loadTensorFlow(
  BACKENDS.find((name) => name === flags.backend) ?? "auto",
);
const recalls: number[] = [];
const confusion = classes.map(() => classes.map(() => 0)); // [said, told]
for (let fold = 0; fold < folds; fold += 1) {
  if (flags.only !== undefined && Number(flags.only) !== fold) continue;
  recalls.push(await runFold(tf, fold));
}
const mean = recalls.reduce((a, b) => a + b, 0) / recalls.length;
const deviation = Math.sqrt(recalls.reduce((a, b) => a + (b - mean) ** 2, 0) / recalls.length);
const recall = Object.fromEntries(
  classes.map((name, i) => {
    const row = confusion[i] ?? [];
    return [name, (row[i] ?? 0) / row.reduce((a, b) => a + b, 0)];
  }),
);
const folded = { backend, folds: recalls.length, uar: mean, deviation };
console.log(JSON.stringify({ ...folded, recall, classes, confusion }));

/** Trains on all other folds; returns the macro recall on this one. */
async function runFold(on: Tf, fold: number): Promise<number> {
  const idsWhere = (isWanted: (row: number) => boolean): Int32Array =>
    Int32Array.from(labels, (label, row) => (isWanted(row) ? classes.indexOf(label) : -1));
  const isHeldOut = (row: number): boolean => foldOf.get(speakers[row] ?? "") === fold;
  const ids = { train: idsWhere((row) => !isHeldOut(row)), test: idsWhere(isHeldOut) };
  const rows = [...ids.train.keys()].filter((row) => ids.train[row] !== -1);
  const statistics = bandStatistics(clips, rows);
  const shape = { mels: clips.mels, classes: classes.length };
  const weights = initialAudioCnn(shape, statistics, createRandom(seed));
  const model = createAudioCnn(on, shape, weights);
  const test = clipsInMemory(clips, ids.test, classes.length);
  const started = performance.now();
  const [epochs, lr] = [Number(flags.epochs), Number(flags.lr)];
  await trainClassifier(on, model, {
    settings: {
      epochs,
      batchSize: Number(flags.batch_size),
      lr,
      maxLr: 10 * lr,
      scheduler: "onecycle",
      weightDecay: Number(flags.weight_decay),
      gradClip: 1,
      labelSmoothing: 0.1,
      classWeights: "balanced",
      earlyStop: 0,
      seed,
    },
    classes,
    train: clipsInMemory(clips, ids.train, classes.length),
    val: test,
    onEpoch: ({ epoch, train_loss, val_uar }) =>
      process.stderr.write(
        `fold ${fold} epoch ${epoch}/${epochs}  train loss ${train_loss.toFixed(4)}  macro recall ${val_uar.toFixed(4)}\n`,
      ),
  });
  const { metrics } = await evaluate(on, model, test, classes);
  model.dispose();
  for (const [i, row] of metrics.confusion.entries())
    for (const [j, count] of row.entries()) confusion[i]![j]! += count;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(JSON.stringify({ fold, clips: test.rows, uar: metrics.uar, seconds }));
  return metrics.uar;
}
