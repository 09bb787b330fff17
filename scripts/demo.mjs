/** The whole pipeline on sample data, from a bare clone: `npm run demo`. Writes below sample/ alone. */
import { readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { root, run, setUp } from "./setup.mjs";

const ANOMALY_DIR = "sample/results/anomaly";
/** The sample has six emotions, equally often. */
const CHANCE = 1 / 6;

/** The models that are trained: on one kind of input alone, and on both. */
const CONDITIONS = [
  { name: "speech alone", flags: "--modalities audio --save_dir sample/saved_models/speech" },
  { name: "faces alone", flags: "--modalities image --save_dir sample/saved_models/faces" },
  { name: "both", flags: "--save_dir sample/saved_models" },
];

const WHERE = `
sample/saved_models   the models: multimodal_best of both; speech/ and faces/ of one alone
sample/results        the anomaly detector, its scores as CSV, its plots
sample/data           features, embeddings, pairs (look into one: pnpm inspect-h5 FILE)`;

process.exitCode = (await demo()) ? 0 : 1;

async function demo() {
  const started = performance.now();
  if (!(await setUp())) return false;
  for (const part of ["audio", "faces", "new", "data", "saved_models", "results"])
    rmSync(join(root, "sample", part), { recursive: true, force: true });
  const stepsStarted = performance.now();
  const outputs = new Map();
  for (const work of steps()) {
    const output = await runStep(work);
    if (output === undefined) return false;
    outputs.set(work.name, output);
  }
  printLearned(outputs);
  printAnomalies();
  console.log(WHERE);
  const [inSteps, whole] = [secondsSince(stepsStarted), secondsSince(started)];
  console.log(`\nThe steps took ${inSteps} s, the whole with setting up ${whole} s.`);
  return true;
}

/** Each step's name and its command, as a user types it after `pnpm`; `show`: its output is worth reading here. */
function steps() {
  const data = "sample/data";
  const sets = `--train_h5 ${data}/paired_train.h5 --val_h5 ${data}/paired_val.h5 --test_h5 ${data}/paired_test.h5`;
  const models = `--multimodal sample/saved_models/multimodal_best --isolation ${ANOMALY_DIR}/isolation_forest.json`;
  return [
    { name: "make the sample", line: "sample-data --out sample/", show: true },
    {
      name: "make new inputs, of a voice and a face not in the sample",
      line: "sample-data --out sample/new --speakers 1 --faces_per_class 1 --seed 8",
    },
    {
      name: "audio features",
      line: `audio-preprocess --audio_dir sample/audio --out_h5 ${data}/preprocessed_audio.h5 --out_dir ${data}`,
    },
    {
      name: "embed faces",
      line: `embed --images_dir sample/faces --model face --out_h5 ${data}/embeddings_images.h5`,
    },
    {
      name: "embed speech",
      line: `embed --audio_h5 ${data}/preprocessed_audio.h5 --model audio_stats --out_h5 ${data}/embeddings_audio.h5`,
    },
    {
      name: "pair a clip with a face of the same emotion; no speaker in two of the three files",
      line: `pair --img_h5 ${data}/embeddings_images.h5 --aud_h5 ${data}/embeddings_audio.h5 --out_h5 ${data}/paired.h5 --match_by label --split 0.6,0.2,0.2`,
    },
    ...CONDITIONS.map(({ name, flags }) => ({
      name: `train on ${name}`,
      line: `train-multimodal ${sets} ${flags} --json`,
    })),
    {
      name: "train the anomaly detector",
      line: `train-anomaly --train_h5 ${data}/paired_train.h5 --test_h5 ${data}/paired_test.h5 --save_dir ${ANOMALY_DIR}`,
    },
    {
      name: "predict on a new clip with a new face",
      line: `predict --audio sample/new/audio/1001_DFA_HAP_XX.wav --image sample/new/faces/happy/happy_001.jpg ${models}`,
      show: true,
    },
    { name: "look into a file", line: `inspect-h5 ${data}/paired_test.h5`, show: true },
  ];
}

/** Runs a step and prints its command line and seconds; its stdout, or undefined after saying how it failed. */
async function runStep({ name, line, show = false }) {
  console.log(`\n# ${name}\n$ pnpm ${line}`);
  const [bin, ...args] = line.split(" ");
  const { ok, output, stdout, seconds } = await run(process.execPath, [...scriptOf(bin), ...args]);
  const isSound = ok && (!args.includes("--json") || isJson(stdout));
  if (!isSound) {
    const what = ok ? "ended well but printed no JSON" : "failed";
    console.log(
      `${output.trimEnd()}\n\nThe demo stopped: '${name}' ${what} after ${seconds.toFixed(1)} s.`,
    );
    return undefined;
  }
  if (show) console.log(stdout.trimEnd());
  console.log(`  ${seconds.toFixed(1)} s`);
  return stdout;
}

function isJson(text) {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

/** What Node runs for a command. */
function scriptOf(bin) {
  if (bin === "sample-data") return ["--import", "tsx", "scripts/make-sample-data.ts"];
  return [`packages/${bin === "inspect-h5" ? "inspect" : bin}/bin/${bin}.js`];
}

function printLearned(outputs) {
  console.log(`
What was learned: one of six emotions, for speakers and faces that were not trained on
(recall: the mean of the six emotions' recalls)

                      validation           test
                accuracy  recall  accuracy  recall`);
  for (const { name } of CONDITIONS) {
    const { val, test } = JSON.parse(outputs.get(`train on ${name}`));
    printRow(name, [val.accuracy, val.uar, test.accuracy, test.uar]);
  }
  printRow("chance", [CHANCE, CHANCE, CHANCE, CHANCE]);
}

function printRow(name, values) {
  const [first, second, third, fourth] = values.map((value) => value.toFixed(3));
  console.log(
    `${name.padEnd(15)} ${first.padStart(8)}${second.padStart(8)}${third.padStart(10)}${fourth.padStart(8)}`,
  );
}

/** The anomaly detector's threshold, and how many rows of each split it flagged. */
function printAnomalies() {
  const [header, ...lines] = readFileSync(join(root, ANOMALY_DIR, "anomaly_scores.csv"), "utf8")
    .trim()
    .split(/\r?\n/);
  const [splitColumn, flagColumn] = ["split", "anomaly"].map((name) =>
    header.split(",").indexOf(name),
  );
  const rows = lines.map((line) => line.split(","));
  const counts = [...new Set(rows.map((row) => row[splitColumn]))].map((split) => {
    const these = rows.filter((row) => row[splitColumn] === split);
    const flagged = these.filter((row) => ["1", "true"].includes(row[flagColumn]));
    return `${flagged.length} of ${these.length} rows of ${split}`;
  });
  console.log(`\nAnomalies (score above 0): ${counts.join(", ")}`);
}

function secondsSince(started) {
  return ((performance.now() - started) / 1000).toFixed(0);
}
