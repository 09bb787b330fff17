/**
 * Times the training of rows that stay in their file against rows in memory, in turn (A B A B …), a process each:
 *
 *     node scripts/benchmark/streaming.mjs [--rows 200000] [--image 512] [--audio 128] [--runs 3] [--steps 1000]
 *         [--backend wasm] [--prefetch] [--workers 4] [--streamed_only] [--file FILE]
 *
 * Makes the file first (or takes --file as it is). --steps 0 goes to the end of an epoch and through the evaluations behind
 * it; else a run ends after so many steps. Prints, by medians, the time of the first pass over the file, rows per second from
 * its end to the last step, the peak memory of the process, and the ratio of the rates.
 */
import { execFileSync } from "node:child_process";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";
import { median } from "./median.mjs";

const { values: flags } = parseArgs({
  options: {
    rows: { type: "string", default: "200000" },
    image: { type: "string", default: "512" },
    audio: { type: "string", default: "128" },
    runs: { type: "string", default: "3" },
    steps: { type: "string", default: "1000" },
    backend: { type: "string", default: "wasm" },
    workers: { type: "string", default: "4" },
    prefetch: { type: "boolean", default: false },
    streamed_only: { type: "boolean", default: false },
    file: { type: "string" },
    run: { type: "string" }, // one run, in a process of its own
    folder: { type: "string" },
  },
});

const BATCH = 64;
/** Bytes of values in memory: the validation rows, and none of the training rows; or all. */
const ROOM = { streamed: 128 * 2 ** 20, whole: 2 ** 40 };

if (flags.run === undefined) compare();
else console.log(JSON.stringify(await train(flags.run)));

function compare() {
  const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
  try {
    if (flags.file === undefined) makePairs(join(folder, "train.h5"), flags.rows, "1");
    makePairs(join(folder, "val.h5"), String(Math.min(20_000, Number(flags.rows))), "2");
    const names = flags.streamed_only ? ["streamed"] : ["whole", "streamed"];
    const runs = Object.fromEntries(names.map((name) => [name, []]));
    for (let turn = 0; turn < Number(flags.runs); turn += 1)
      for (const name of names) {
        const result = runAlone(name, folder);
        runs[name].push(result);
        console.log(`${name} ${turn + 1}: ${line(result)}`);
      }
    for (const name of names)
      console.log(`${name}, median of ${flags.runs}: ${line(medians(runs[name]))}`);
    if (!flags.streamed_only) {
      const ratio = medians(runs.streamed).rowsPerSecond / medians(runs.whole).rowsPerSecond;
      console.log(`ratio of the rates (streamed / whole): ${ratio.toFixed(2)}`);
    }
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makePairs(out, rows, seed) {
  const script = join(root, "scripts/make-large-pairs.ts");
  const sizes = ["--image", flags.image, "--audio", flags.audio];
  const speakers = ["--first_speaker", seed === "1" ? "1" : "100001"];
  const args = ["--out", out, "--rows", rows, "--seed", seed, ...sizes, ...speakers];
  execFileSync(process.execPath, ["--import", "tsx", script, ...args], {
    cwd: root,
    stdio: "inherit",
  });
}

function runAlone(name, folder) {
  const same = ["--steps", flags.steps, "--backend", flags.backend, "--workers", flags.workers];
  if (flags.prefetch) same.push("--prefetch");
  const file = flags.file ?? join(folder, "train.h5");
  const args = [import.meta.filename, "--run", name, "--folder", folder, "--file", file, ...same];
  return JSON.parse(execFileSync(process.execPath, args, { encoding: "utf8" }));
}

/** One training: { firstPass: s, rowsPerSecond, peak: MiB }. */
async function train(name) {
  const built = join(root, "packages/train-multimodal/dist/trainMultimodal.js");
  if (!existsSync(built)) throw new Error("build first: pnpm build");
  const { trainMultimodal } = await import(built);
  const controller = new AbortController();
  const steps = Number(flags.steps);
  const started = performance.now();
  let passed = started; // the end of the first pass
  let last = started; // the last step
  let taken = 0;
  const onProgress = (done, _total, unit) => {
    if (unit === "rows") passed = performance.now();
    else [last, taken] = [performance.now(), done];
    if (unit !== "rows" && done === steps) controller.abort();
  };
  try {
    await trainMultimodal({ ...settings(name), onProgress, signal: controller.signal });
  } catch (error) {
    if (error.code !== "E_ABORTED") throw error;
  }
  return {
    firstPass: (passed - started) / 1000,
    rowsPerSecond: (taken * BATCH * 1000) / (last - passed),
    peak: process.resourceUsage().maxRSS / 1024,
  };
}

function settings(name) {
  return {
    trainH5: flags.file,
    valH5: join(flags.folder, "val.h5"),
    testH5: undefined,
    saveDir: join(flags.folder, "models"),
    device: "auto",
    backend: flags.backend,
    modalities: ["image", "audio"],
    preferPairsBase: undefined,
    memoryBytes: ROOM[name],
    prefetch: flags.prefetch,
    workers: Number(flags.workers),
    settings: {
      epochs: 1,
      batchSize: BATCH,
      lr: 1e-3,
      maxLr: 1e-2,
      scheduler: "none",
      weightDecay: 1e-5,
      gradClip: 1,
      labelSmoothing: 0,
      modalityDropout: 0.1,
      classWeights: "balanced",
      earlyStop: 0,
      seed: 42,
    },
    onNotice: () => {},
  };
}

function medians(runs) {
  const middle = (key) => median(runs.map((run) => run[key]));
  return Object.fromEntries(Object.keys(runs[0]).map((key) => [key, middle(key)]));
}

function line({ firstPass, rowsPerSecond, peak }) {
  return `first pass ${firstPass.toFixed(1)} s, ${Math.round(rowsPerSecond)} rows/s, peak ${Math.round(peak)} MiB`;
}
