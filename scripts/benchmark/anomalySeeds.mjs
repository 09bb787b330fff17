/**
 * Compares our isolation forests with scikit-learn's in distribution, over seeds, on rows with planted outliers:
 *
 *     node scripts/benchmark/anomalySeeds.mjs --python PYTHON [--seeds 20]        (needs numpy and scikit-learn)
 *
 * Prints, for each data set, both means and deviations over the seeds of the AUROC and of quantiles of the score, and the
 * difference of the means. Ends with status 1 if an AUROC differs by more than 0.02, or a mean by more than 5 of its standard errors.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";

const { values: flags } = parseArgs({
  options: {
    python: { type: "string", default: "python3" },
    seeds: { type: "string", default: "20" },
  },
});
const core = (name) => import(join(root, `packages/core/dist/${name}.js`));
const { fit, scoreSamples } = await core("anomaly/forest");
const { FOREST_DEFAULTS } = await core("anomaly/forestDefaults");
const { percentile } = await core("anomaly/percentile");
const { auroc } = await core("metrics/auroc");
const { createRandom, normal } = await core("random");

const SEEDS = Number(flags.seeds);
const OUTLIERS = 60;
const MEASURES = ["AUROC", "1 %", "10 %", "50 %", "90 %", "99 %"];
/** As anomaly_seeds.py has them. */
const PERCENTILES = [1, 10, 50, 90, 99];
const MOST_AUROC_APART = 0.02;
const MOST_ERRORS = 5;

/** A row of each data set; `isPlanted`: an outlier. */
const DATA_SETS = {
  "one cluster, outliers wider": (random, isPlanted) =>
    Array.from({ length: 8 }, () => normal(random) * (isPlanted ? 2 : 1)),
  "two clusters, outliers between": (random, isPlanted) => {
    const centre = isPlanted ? 0 : random() < 0.5 ? -3 : 3;
    return Array.from({ length: 5 }, () => centre + normal(random));
  },
  "640 correlated columns": (random, isPlanted) => {
    const factors = Array.from({ length: 12 }, () => normal(random) * (isPlanted ? 2.2 : 1));
    return Array.from(
      { length: 640 },
      (_, c) => factors[c % 12] * (1 + (c % 7)) + 0.5 * normal(random),
    );
  },
  "steps and heavy tails": (random, isPlanted) => [
    Math.exp(1.5 * normal(random)),
    Math.floor(4 * random()),
    isPlanted ? 1 : 0,
    1 / (0.01 + random()),
    normal(random) + (isPlanted ? 1 : 0),
  ],
};

let isWithin = true;
const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
try {
  for (const [name, rowOf] of Object.entries(DATA_SETS)) compare(name, makeRows(rowOf));
} finally {
  rmSync(folder, { recursive: true, force: true });
}
process.exitCode = isWithin ? 0 : 1;

function makeRows(rowOf) {
  const random = createRandom(3);
  const rows = 1200;
  const values = Array.from({ length: rows }, (_, row) => rowOf(random, row >= rows - OUTLIERS));
  return { data: Float32Array.from(values.flat()), rows, columns: values[0].length };
}

function compare(name, matrix) {
  const file = join(folder, "rows.f32");
  writeFileSync(file, matrix.data);
  const script = join(root, "scripts/benchmark/anomaly_seeds.py");
  const args = [script, file, matrix.columns, OUTLIERS, SEEDS].map(String);
  const theirs = JSON.parse(execFileSync(flags.python, args, { encoding: "utf8" }));
  const ours = Array.from({ length: SEEDS }, (_, seed) => measure(matrix, seed));
  console.log(`${name}: ${matrix.rows} × ${matrix.columns}, ${SEEDS} seeds`);
  for (const [k, measureName] of MEASURES.entries()) {
    const [a, b] = [ours, theirs].map((results) => moments(results.map((result) => result[k])));
    const apart = a.mean - b.mean;
    const error = Math.sqrt((a.variance + b.variance) / SEEDS);
    const isFar =
      Math.abs(apart) > MOST_ERRORS * error || (k === 0 && Math.abs(apart) > MOST_AUROC_APART);
    if (isFar) isWithin = false;
    console.log(
      `  ${measureName.padEnd(6)} ours ${told(a)}, scikit-learn ${told(b)}, apart ${apart.toFixed(4)} (${(apart / error).toFixed(1)} standard errors)${isFar ? "  TOO FAR" : ""}`,
    );
  }
}

function measure(matrix, randomState) {
  const forest = fit(matrix, { ...FOREST_DEFAULTS, contamination: "auto", randomState });
  const scores = scoreSamples(forest, matrix).map((score) => -score);
  const isPlanted = Array.from(scores, (_, row) => row >= matrix.rows - OUTLIERS);
  return [auroc(scores, isPlanted), ...PERCENTILES.map((q) => percentile(scores, q))];
}

function moments(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  return { mean, variance: squares / (values.length - 1) };
}

function told({ mean, variance }) {
  return `${mean.toFixed(4)} ± ${Math.sqrt(variance).toFixed(4)}`;
}
