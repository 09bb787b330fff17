/**
 * Times `embed` against the limit of its inference alone, in turn (A B A B …):
 *
 *     pnpm bench:embed --images_dir DIR [--model face|resnet18] [--weights random] [--files 1000] [--runs 5] [--workers 2] [--batch_size 8]
 *
 * The limit: the same networks, batches and threads on the same pictures, which lie decoded in memory, without start, reading or
 * writing. (`face` finds the face where there is one to find, as part of the inference; `resnet18` gets pictures of its size.)
 * Prints pictures per second of both, and their ratio by medians: of the whole run, and without the start, which is timed on one
 * batch a worker; and likewise the processor time, in which a busy machine shows least. resnet18 takes random weights unless --weights names others.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { Worker, isMainThread, parentPort, workerData } from "node:worker_threads";
import { root } from "../setup.mjs";
import { copyPictures } from "./copyPictures.mjs";
import { median } from "./median.mjs";

/** A module of core, as built. */
const core = (name) => import(join(root, `packages/core/dist/${name}.js`));

async function main() {
  const { values } = parseArgs({
    options: {
      images_dir: { type: "string" },
      model: { type: "string", default: "face" },
      weights: { type: "string", default: "random" },
      files: { type: "string", default: "1000" },
      runs: { type: "string", default: "5" },
      workers: { type: "string", default: "2" },
      batch_size: { type: "string" },
      limit: { type: "boolean", default: false }, // time the inference alone, in this process
    },
  });
  if (values.images_dir === undefined) throw new Error("--images_dir DIR is required");
  const batchSize = values.batch_size ?? (values.model === "resnet18" ? "16" : "8");
  const flags = { ...values, batch_size: batchSize };
  if (flags.limit) console.log(JSON.stringify(await timeInference(flags)));
  else compare(flags);
}

/** Runs embed, its start and the inference alone in turn, and prints rates and ratios. */
function compare(flags) {
  const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
  try {
    const pictures = copyPictures(flags.images_dir, join(folder, "pictures"), Number(flags.files));
    const aBatchEach = Number(flags.batch_size) * Number(flags.workers);
    const few = copyPictures(pictures.folder, join(folder, "few"), aBatchEach);
    const programs = {
      start: () => timeEmbed(few.folder, flags),
      embed: () => timeEmbed(pictures.folder, flags),
      limit: () => timeLimit(pictures.folder, flags),
    };
    const runs = { start: [], embed: [], limit: [] };
    for (let turn = 1; turn <= Number(flags.runs); turn += 1)
      for (const [name, time] of Object.entries(programs)) {
        const run = time();
        runs[name].push(run);
        console.log(`${name} ${turn}: ${run.seconds.toFixed(2)} s`);
      }
    print(pictures.count, few.count, runs);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function print(count, fewCount, runs) {
  const of = (name, key) => median(runs[name].map((run) => run[key]));
  const rate = (name) => count / of(name, "seconds");
  const running = (key) => (of("embed", key) - of("start", key)) / (count - fewCount);
  const ratio = (value, limit) => `${(value / limit).toFixed(2)} times that of the inference alone`;
  const limit = rate("limit");
  const work = of("limit", "processor") / count;
  console.log(
    `inference alone: ${limit.toFixed(1)} pictures/s, ${(1000 * work).toFixed(2)} ms of processor time each`,
  );
  console.log(`embed: ${rate("embed").toFixed(1)} pictures/s, ${ratio(rate("embed"), limit)}`);
  console.log(
    `embed but for its start of ${of("start", "seconds").toFixed(2)} s: ` +
      `${(1 / running("seconds")).toFixed(1)} pictures/s, ${ratio(1 / running("seconds"), limit)}; ` +
      `${(1000 * running("processor")).toFixed(2)} ms of processor time each, ${ratio(running("processor"), work)}`,
  );
}

/** Prints the processor time of a program, milliseconds, when it ends. */
const PROCESSOR_TIME =
  "data:text/javascript,process.on('exit',()=>{const{user,system}=process.cpuUsage();process.stdout.write(`processor ${(user+system)/1000}`)})";

/** Wall and processor time of embed from start to end, seconds. */
function timeEmbed(folder, { model, weights, workers, batch_size: batchSize }) {
  const args = ["--images_dir", folder, "--out_h5", `${folder}.h5`, "--model", model, "--quiet"];
  if (model === "resnet18") args.push("--weights", weights);
  args.push("--workers", workers, "--batch_size", batchSize);
  const script = join(root, "packages/embed/bin/embed.js");
  const started = performance.now();
  const printed = execFileSync(process.execPath, ["--import", PROCESSOR_TIME, script, ...args]);
  const seconds = (performance.now() - started) / 1000;
  return { seconds, processor: Number(/processor ([\d.]+)/.exec(printed)[1]) / 1000 };
}

/** Those of the inference alone, in a process of its own. */
function timeLimit(folder, { model, weights, workers, batch_size: batchSize }) {
  const args = ["--limit", "--images_dir", folder, "--model", model, "--weights", weights];
  args.push("--workers", workers, "--batch_size", batchSize);
  return JSON.parse(execFileSync(process.execPath, [import.meta.filename, ...args]));
}

function timeInference(flags) {
  const files = readdirSync(flags.images_dir).map((name) => join(flags.images_dir, name));
  const batchSize = Number(flags.batch_size);
  if (flags.model === "resnet18") return timeResnet18(files, batchSize, flags.weights);
  return timeFace(files, batchSize, Number(flags.workers));
}

async function timeResnet18(files, batchSize, weights) {
  const { loadResnet18Encoder } = await core("image/resnet18Encoder");
  const { loadPicturePreparer } = await core("image/preparePicture");
  const options = { weights, device: "cpu", faceCrop: "off", env: process.env };
  const encoder = await loadResnet18Encoder(options);
  const preparer = await loadPicturePreparer(encoder.input);
  const pictures = [];
  for (const file of files) pictures.push(await preparer.file(file));
  const run = (batch) => encoder.embed(batch);
  await run(pictures.slice(0, batchSize)); // makes the network's memory
  return timed(() => inBatches(pictures, batchSize, run));
}

async function inBatches(pictures, batchSize, run) {
  for (let at = 0; at < pictures.length; at += batchSize)
    await run(pictures.slice(at, at + batchSize));
}

/** Wall and processor time of some work, all threads together, seconds. */
async function timed(work) {
  const [started, before] = [performance.now(), process.cpuUsage()];
  await work();
  const { user, system } = process.cpuUsage(before);
  return { seconds: (performance.now() - started) / 1000, processor: (user + system) / 1e6 };
}

/** Threads with a share of the pictures each, once all have decoded theirs. */
async function timeFace(files, batchSize, workers) {
  const threads = Array.from({ length: workers }, (_, i) => {
    const share = files.filter((_file, n) => n % workers === i);
    return new Worker(new URL(import.meta.url), { workerData: { files: share, batchSize } });
  });
  const message = (thread) =>
    new Promise((resolve, reject) => thread.once("message", resolve).once("error", reject));
  await Promise.all(threads.map(message)); // ready
  const times = await timed(() => {
    for (const thread of threads) thread.postMessage("go");
    return Promise.all(threads.map(message));
  });
  await Promise.all(threads.map((thread) => thread.terminate()));
  return times;
}

async function faceThread({ files, batchSize }) {
  const { loadFaceEncoder } = await core("face/faceEncoder");
  const { readImage } = await core("face/image");
  const encoder = await loadFaceEncoder("auto");
  const pictures = [];
  for (const file of files) pictures.push(await readImage(file));
  const run = async (batch) => {
    const faces = await Promise.all(batch.map((picture) => encoder.prepare(picture)));
    await encoder.embed(faces.filter((face) => face !== undefined));
  };
  await run(pictures.slice(0, batchSize));
  parentPort.once("message", async () => {
    await inBatches(pictures, batchSize, run);
    parentPort.postMessage("done");
  });
  parentPort.postMessage("ready");
}

if (isMainThread) await main();
else await faceThread(workerData);
