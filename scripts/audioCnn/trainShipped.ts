/**
 * Trains the audio_cnn that ships, packages/core/models/audio_cnn, on every clip of a file of audio-preprocess.
 *
 *     node --import tsx scripts/audioCnn/trainShipped.ts --audio_h5 FILE --output FOLDER [--temperature 1] [--epochs 30] [--lr 0.0003]
 *         [--batch_size 64] [--weight_decay 0.01] [--seed 1] [--backend auto]
 *
 * No clip is held back, so what is printed along the way is measured on clips that were trained on. How well such a network knows
 * speakers that it has not heard is what crossValidate.ts measures, with the same recipe; it prints the
 * --temperature too that scores are to be divided by.
 */
import { parseArgs } from "node:util";
import { withOutputs } from "../../packages/core/src/files/outputs.ts";
import { writeAudioCheckpoint } from "../../packages/core/src/model/audioCheckpoint.ts";
import { backendOf, settingsOf } from "../recipe.ts";
import { FLAGS, fit, readCorpus } from "./fit.ts";

const { values: flags } = parseArgs({
  options: {
    audio_h5: { type: "string" },
    output: { type: "string" },
    temperature: { type: "string", default: "1" },
    ...FLAGS,
  },
});
const { audio_h5: audioH5, output } = flags;
if (audioH5 === undefined || output === undefined)
  throw new Error("--audio_h5 FILE and --output FOLDER: both are needed");
/** Each so-manieth clip is looked at after an epoch, to see the training go on. */
const WATCHED = 19;

const corpus = await readCorpus(audioH5);
const settings = settingsOf(flags);
const { tf, backend } = await backendOf(flags);
const started = performance.now();
const rows = { isTrained: () => true, isWatched: (row: number) => row % WATCHED === 0 };
const model = await fit(tf, corpus, settings, rows, "all clips");
const seconds = Math.round((performance.now() - started) / 1000);
await withOutputs((outputs) => {
  writeAudioCheckpoint(outputs.stage(output, "folder"), {
    classes: corpus.classes,
    features: corpus.config,
    weights: model.weights(),
    temperature: Number(flags.temperature),
    epoch: settings.epochs,
    settings: { ...settings },
    metrics: {},
  });
  return Promise.resolve();
});
model.dispose();
console.log(JSON.stringify({ output, backend, clips: corpus.labels.length, seconds }));
