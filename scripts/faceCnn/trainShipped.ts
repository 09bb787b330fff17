/**
 * Trains the face_cnn that ships, packages/core/models/face_cnn, on every face of a folder of aligned faces, a folder a class.
 *
 *     node --import tsx scripts/faceCnn/trainShipped.ts --images_dir DIR --output FOLDER [--temperature 1] [--views 6] [--epochs 30] [--lr 0.0002]
 *         [--batch_size 64] [--weight_decay 0.01] [--seed 1] [--backend auto]
 *
 * No face is held back, so what is printed along the way is measured on faces that were trained on. How well such a network knows
 * faces that it has not seen is what crossValidate.ts measures, with the same recipe; it prints the
 * --temperature too that scores are to be divided by.
 */
import { parseArgs } from "node:util";
import { withOutputs } from "../../packages/core/src/files/outputs.ts";
import { writeFaceCheckpoint } from "../../packages/core/src/model/faceCheckpoint.ts";
import { backendOf, settingsOf } from "../recipe.ts";
import { FLAGS, fit } from "./fit.ts";
import { readFaces } from "./views.ts";

const { values: flags } = parseArgs({
  options: {
    images_dir: { type: "string" },
    output: { type: "string" },
    temperature: { type: "string", default: "1" },
    ...FLAGS,
  },
});
const { images_dir: imagesDir, output } = flags;
if (imagesDir === undefined || output === undefined)
  throw new Error("--images_dir DIR and --output FOLDER: both are needed");
/** Each so-manieth face is looked at after an epoch, to see the training go on. */
const WATCHED = 19;

const settings = settingsOf(flags);
const started = performance.now();
const faces = await readFaces(imagesDir, Number(flags.views), settings.seed);
const { tf, backend } = await backendOf(flags);
const rows = { isTrained: () => true, isWatched: (row: number) => row % WATCHED === 0 };
const model = await fit(tf, faces, settings, rows, "all faces");
await withOutputs((outputs) => {
  writeFaceCheckpoint(outputs.stage(output, "folder"), {
    classes: faces.classes,
    weights: model.weights(),
    temperature: Number(flags.temperature),
    epoch: settings.epochs,
    settings: { ...settings, views: Number(flags.views) },
    metrics: {},
  });
  return Promise.resolve();
});
model.dispose();
const seconds = Math.round((performance.now() - started) / 1000);
console.log(JSON.stringify({ output, backend, faces: faces.labels.length, seconds }));
