/** What the cross-validation of face_cnn and the training of the one that ships share: their faces, and how they train. */
import type { Tf } from "../../packages/core/src/model/backend.ts";
import {
  type FaceBatch,
  type FaceCnn,
  createFaceCnn,
  faceCnnGraph,
} from "../../packages/core/src/model/faceCnn.ts";
import { initialWeights } from "../../packages/core/src/model/graph.ts";
import { type RowSource, countClasses } from "../../packages/core/src/model/rowSource.ts";
import {
  type TrainSettings,
  trainClassifier,
} from "../../packages/core/src/model/trainClassifier.ts";
import { createRandom, shuffle } from "../../packages/core/src/random.ts";
import { RECIPE_FLAGS, type RowsOfFold, tellEpoch } from "../recipe.ts";
import type { Faces } from "./views.ts";

/** The flags that both scripts have, for parseArgs. */
export const FLAGS = {
  views: { type: "string", default: "6" },
  epochs: { type: "string", default: "30" },
  lr: { type: "string", default: "0.0002" },
  ...RECIPE_FLAGS,
} as const;

/** The faces that are wanted, with their classes: any view of each where they are shuffled, the first where they are in order. */
export function sourceOf(
  { labels, classes, maps }: Faces,
  isWanted: (row: number) => boolean,
  view = 0,
): RowSource<FaceBatch> {
  const classIds = Int32Array.from(labels, (label, row) =>
    isWanted(row) ? classes.indexOf(label) : -1,
  );
  const inOrder = Int32Array.from(classIds.keys()).filter((row) => classIds[row] !== -1);
  // oxlint-disable-next-line typescript/require-await -- a RowSource's batches may come from a file
  async function* batches(
    order: Int32Array,
    batchSize: number,
    viewOf: () => number,
  ): AsyncGenerator<FaceBatch, void, undefined> {
    for (let start = 0; start < order.length; start += batchSize) {
      const rows = order.subarray(start, start + batchSize);
      const size = maps[0]?.[0]?.length ?? 0;
      const values = new Float32Array(rows.length * size);
      for (const [i, row] of rows.entries()) values.set(maps[row]?.[viewOf()] ?? [], i * size);
      yield {
        rows: rows.length,
        classIds: Int32Array.from(rows, (row) => classIds[row] ?? 0),
        maps: values,
      };
    }
  }
  const views = maps[0]?.length ?? 1;
  return {
    rows: inOrder.length,
    classCounts: countClasses(classIds, classes.length),
    shuffled: (batchSize, random) =>
      batches(shuffle(inOrder.slice(), random), batchSize, () => Math.floor(random() * views)),
    inOrder: (batchSize) => batches(inOrder, batchSize, () => view),
  };
}

/** Trains for all epochs. */
export async function fit(
  tf: Tf,
  faces: Faces,
  settings: TrainSettings,
  rows: RowsOfFold,
  name: string,
): Promise<FaceCnn> {
  const { classes } = faces;
  const random = createRandom(settings.seed);
  const model = createFaceCnn(
    tf,
    classes.length,
    initialWeights(faceCnnGraph(classes.length), random),
  );
  await trainClassifier(tf, model, {
    settings,
    classes,
    train: sourceOf(faces, rows.isTrained),
    val: sourceOf(faces, rows.isWatched),
    onEpoch: tellEpoch(name, settings.epochs),
  });
  return model;
}

/** Scores of the faces that are wanted, [faces, classes]: the mean over the face as it is and its mirror image. */
export async function scoresOf(
  tf: Tf,
  model: Pick<FaceCnn, "scores">,
  faces: Faces,
  isWanted: (row: number) => boolean,
): Promise<Float32Array> {
  const sum: number[] = [];
  for (const view of [0, 1]) {
    let at = 0;
    for await (const batch of sourceOf(faces, isWanted, view).inOrder(256)) {
      const scores = tf.tidy(() => model.scores(batch, { training: false }).dataSync());
      for (const score of scores) {
        sum[at] = (sum[at] ?? 0) + score / 2;
        at += 1;
      }
    }
  }
  return Float32Array.from(sum);
}
