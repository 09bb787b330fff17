/**
 * How well audio_cnn knows emotions of speakers that it has not heard: k-fold cross-validation with speakers apart.
 *
 *     node --import tsx scripts/audioCnn/crossValidate.ts --audio_h5 FILE [--folds 5] [--only 1] [--epochs 30] [--lr 0.0003]
 *         [--batch_size 64] [--weight_decay 0.01] [--seed 1] [--backend auto]
 *
 * FILE is written by audio-preprocess. Each fold is trained for all epochs and measured after the last: no fold is chosen by the
 * clips that it is measured on. Prints one JSON line a fold, then the mean and the deviation of the macro recall, and the recall and
 * the confusion over all clips, each measured by the network that had not heard its speaker, and the temperature that makes such networks as
 * sure as they are right.
 */
import { parseArgs } from "node:util";
import type { ScoredRows } from "../../packages/core/src/metrics/calibration.ts";
import { evaluate } from "../../packages/core/src/model/trainClassifier.ts";
import { createRandom, shuffle } from "../../packages/core/src/random.ts";
import { backendOf, calibrationOfFolds, recallsOf, settingsOf, spreadOf } from "../recipe.ts";
import { FLAGS, fit, readCorpus, sourceOf } from "./fit.ts";

const { values: flags } = parseArgs({
  options: {
    audio_h5: { type: "string" },
    folds: { type: "string", default: "5" },
    only: { type: "string" },
    ...FLAGS,
  },
});
if (flags.audio_h5 === undefined) throw new Error("--audio_h5 FILE: name one of audio-preprocess");
const [folds, seed] = [Number(flags.folds), Number(flags.seed)];

const corpus = await readCorpus(flags.audio_h5);
const { speakers, classes } = corpus;
const order = shuffle([...new Set(speakers)].sort(), createRandom(seed));
const foldOf = new Map(order.map((speaker, i) => [speaker, i % folds]));
const { tf, backend } = await backendOf(flags);
const recalls: number[] = [];
const scored: ScoredRows[] = []; // of each fold
const confusion = classes.map(() => classes.map(() => 0)); // [meant, told]
for (let fold = 0; fold < folds; fold += 1) {
  if (flags.only !== undefined && Number(flags.only) !== fold) continue;
  recalls.push(await runFold(fold));
}
const { mean: uar, deviation } = spreadOf(recalls);
const recall = recallsOf(classes, confusion);
const calibration = calibrationOfFolds(scored, classes.length);
const folded = { backend, folds: recalls.length, uar, deviation, ...calibration };
console.log(JSON.stringify({ ...folded, recall, classes, confusion }));

/** Trains on all other folds; returns the macro recall on this one. */
async function runFold(fold: number): Promise<number> {
  const isHeldOut = (row: number): boolean => foldOf.get(speakers[row] ?? "") === fold;
  const started = performance.now();
  const settings = settingsOf(flags);
  const rows = { isTrained: (row: number) => !isHeldOut(row), isWatched: isHeldOut };
  const model = await fit(tf, corpus, settings, rows, `fold ${fold}`);
  const test = sourceOf(corpus, isHeldOut);
  const { metrics, logits, truth } = await evaluate(tf, model, test, classes);
  scored.push({ logits, truth });
  model.dispose();
  for (const [i, row] of metrics.confusion.entries())
    for (const [j, count] of row.entries()) confusion[i]![j]! += count;
  const seconds = Math.round((performance.now() - started) / 1000);
  console.log(JSON.stringify({ fold, clips: test.rows, uar: metrics.uar, seconds }));
  return metrics.uar;
}
