/**
 * Times the isolation forest against scikit-learn's, in turn (A B A B …), on the same rows in memory, a process each:
 *
 *     pnpm bench:anomaly --python PYTHON --peer train_anomaly.py [--rows 30000] [--image 512] [--audio 128] [--runs 5] [--file FILE]
 *
 * Makes a paired file first (or takes --file as it is). The peer reads it and prints fit_seconds and score_seconds: of
 * IsolationForest(n_estimators=100, contamination=0.01).fit, which scores the training rows for its offset, and of decision_function.
 * Prints both medians, ours too, and scikit-learn's times over ours; of ours also a second fit in the same process, which is compiled by then.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";
import { median } from "./median.mjs";

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    peer: { type: "string" },
    rows: { type: "string", default: "30000" },
    image: { type: "string", default: "512" },
    audio: { type: "string", default: "128" },
    runs: { type: "string", default: "5" },
    file: { type: "string" },
    run: { type: "boolean", default: false }, // one run of ours, in a process of its own
  },
});

if (flags.run) console.log(JSON.stringify(await runOurs(flags.file)));
else compare();

function compare() {
  if (flags.peer === undefined) throw new Error("--peer FILE.py is required");
  const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
  try {
    const file = flags.file ?? makePairs(join(folder, "train.h5"));
    const programs = {
      "scikit-learn": [flags.python, flags.peer, "--train_h5", file],
      ours: [process.execPath, import.meta.filename, "--run", "--file", file],
    };
    const runs = { "scikit-learn": [], ours: [] };
    for (let turn = 1; turn <= Number(flags.runs); turn += 1)
      for (const [name, [program, ...args]] of Object.entries(programs)) {
        runs[name].push(JSON.parse(execFileSync(program, args, { encoding: "utf8" })));
        console.log(`turn ${turn}: ${name.padEnd(12)} ${line((key) => runs[name].at(-1)[key])}`);
      }
    for (const [name, each] of Object.entries(runs))
      console.log(`median: ${name.padEnd(12)} ${line((key) => medianOf(each, key))}`);
    const ratio = (key) =>
      (medianOf(runs["scikit-learn"], key) / medianOf(runs.ours, key)).toFixed(1);
    console.log(`times as fast: fit ${ratio("fit_seconds")}, score ${ratio("score_seconds")}`);
    const second = medianOf(runs.ours, "second_fit_seconds");
    const times = (medianOf(runs["scikit-learn"], "fit_seconds") / second).toFixed(1);
    console.log(`a second fit of ours: ${(1000 * second).toFixed(0)} ms, ${times} times as fast`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

function makePairs(out) {
  const script = join(root, "scripts/make-large-pairs.ts");
  const sizes = ["--rows", flags.rows, "--image", flags.image, "--audio", flags.audio];
  execFileSync(process.execPath, ["--import", "tsx", script, "--out", out, ...sizes], {
    cwd: root,
    stdio: "inherit",
  });
  return out;
}

async function runOurs(file) {
  const core = (name) => import(join(root, `packages/core/dist/${name}.js`));
  const { decisionFunction, fit } = await core("anomaly/forest");
  const { FOREST_DEFAULTS } = await core("anomaly/forestDefaults");
  const { joinModalities } = await core("anomaly/modalities");
  const { readPaired } = await core("hdf5/paired");
  const { rows } = await readPaired(file, "--file", () => undefined);
  const parts = [
    { values: rows.image, present: rows.imagePresent },
    { values: rows.audio, present: rows.audioPresent },
  ];
  const matrix = joinModalities(parts, new Float32Array(rows.image.columns + rows.audio.columns));
  const started = performance.now();
  const forest = fit(matrix, FOREST_DEFAULTS);
  const fitted = performance.now();
  decisionFunction(forest, matrix);
  const scored = performance.now();
  fit(matrix, FOREST_DEFAULTS);
  const seconds = (from, to) => (to - from) / 1000;
  return {
    fit_seconds: seconds(started, fitted),
    score_seconds: seconds(fitted, scored),
    second_fit_seconds: seconds(scored, performance.now()),
  };
}

function line(valueOf) {
  const milliseconds = (key) => `${(1000 * valueOf(key)).toFixed(0)} ms`;
  return `fit ${milliseconds("fit_seconds")}, score ${milliseconds("score_seconds")}`;
}

function medianOf(runs, key) {
  return median(runs.map((run) => run[key] ?? NaN));
}
