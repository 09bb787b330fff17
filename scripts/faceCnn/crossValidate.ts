/**
 * How well face_cnn knows emotions of faces that it has not seen, beside what it is built upon: k-fold cross-validation, images apart,
 * each class spread evenly.
 *
 *     node --import tsx scripts/faceCnn/crossValidate.ts --images_dir DIR [--folds 5] [--only 1] [--views 6] [--epochs 30]
 *         [--lr 0.0002] [--batch_size 64] [--weight_decay 0.01] [--seed 1] [--backend auto]
 *
 * DIR holds aligned faces, a folder a class. Each network is trained for all epochs and measured after the last: none is chosen by the
 * faces that it is measured on, of which it sees each as it is and mirrored, as embed and predict do. Prints one JSON line a fold:
 * the macro recall of the expression network's own output (not trained here), of logistic regression on its feature, and of
 * face_cnn; then means and deviations, and of face_cnn the recall and the confusion over all faces, and the temperature that makes it as sure as it
 * is right.
 */
import { parseArgs } from "node:util";
import type { ScoredRows } from "../../packages/core/src/metrics/calibration.ts";
import { classificationMetrics } from "../../packages/core/src/metrics/classification.ts";
import { createRandom, shuffle } from "../../packages/core/src/random.ts";
import { backendOf, calibrationOfFolds, recallsOf, settingsOf, spreadOf } from "../recipe.ts";
import { FLAGS, fit, scoresOf } from "./fit.ts";
import { expressionScores, fitFeature } from "./rivals.ts";
import { readFaces } from "./views.ts";

const { values: flags } = parseArgs({
  options: {
    images_dir: { type: "string" },
    folds: { type: "string", default: "5" },
    only: { type: "string" },
    ...FLAGS,
  },
});
if (flags.images_dir === undefined) throw new Error("--images_dir DIR: name a folder of faces");
const [folds, seed] = [Number(flags.folds), Number(flags.seed)];
const settings = settingsOf(flags);
const faces = await readFaces(flags.images_dir, Number(flags.views), seed);
const { labels, classes } = faces;
const foldOf = stratifiedFolds();
const { tf, backend } = await backendOf(flags);
const NAMES = ["expression", "feature", "face_cnn"] as const;
const recalls: Record<(typeof NAMES)[number], number>[] = [];
const scored: ScoredRows[] = []; // of each fold, by face_cnn
const confusion = classes.map(() => classes.map(() => 0)); // [meant, told] by face_cnn
for (let fold = 0; fold < folds; fold += 1) {
  if (flags.only !== undefined && Number(flags.only) !== fold) continue;
  recalls.push(await runFold(fold));
}
const recall = recallsOf(classes, confusion);
const summary = Object.fromEntries(
  NAMES.map((name) => [name, spreadOf(recalls.map((of) => of[name]))]),
);
const calibration = calibrationOfFolds(scored, classes.length);
const folded = { backend, folds: recalls.length, ...summary, ...calibration };
console.log(JSON.stringify({ ...folded, recall, classes, confusion }));

/** The fold of each face: the faces of a class are dealt out in an order drawn from the seed. */
function stratifiedFolds(): Int32Array {
  const random = createRandom(seed);
  const of = new Int32Array(labels.length);
  for (const name of classes) {
    const rows = [...labels.keys()].filter((row) => labels[row] === name);
    for (const [i, row] of shuffle(rows, random).entries()) of[row] = i % folds;
  }
  return of;
}

async function runFold(fold: number): Promise<Record<(typeof NAMES)[number], number>> {
  const isHeldOut = (row: number): boolean => foldOf[row] === fold;
  const rows = { isTrained: (row: number) => !isHeldOut(row), isWatched: isHeldOut };
  const started = performance.now();
  const measured = [...labels.keys()].filter(isHeldOut);
  const truth = Int32Array.from(measured, (row) => classes.indexOf(labels[row] ?? ""));
  const metricsOf = (scores: Float32Array) =>
    classificationMetrics(
      truth,
      Int32Array.from(measured, (_, i) => largest(scores, i)),
      classes,
    );
  const expression = metricsOf(expressionScores(faces, measured));
  const feature = await fitFeature(tf, faces, settings, rows);
  const model = await fit(tf, faces, settings, rows, `fold ${fold}`);
  const ofFeature = metricsOf(await scoresOf(tf, feature, faces, isHeldOut));
  const logits = await scoresOf(tf, model, faces, isHeldOut);
  const ofModel = metricsOf(logits);
  scored.push({ logits, truth });
  for (const learner of [feature, model]) learner.dispose();
  for (const [i, row] of ofModel.confusion.entries())
    for (const [j, count] of row.entries()) confusion[i]![j]! += count;
  const seconds = Math.round((performance.now() - started) / 1000);
  const uar = { expression: expression.uar, feature: ofFeature.uar, face_cnn: ofModel.uar };
  console.log(JSON.stringify({ fold, faces: measured.length, ...uar, seconds }));
  return uar;
}

/** The class of the highest score of a row. */
function largest(scores: Float32Array, row: number): number {
  const own = scores.subarray(row * classes.length, (row + 1) * classes.length);
  return own.indexOf(Math.max(...own));
}
