import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decisionFunction, fit } from "@emotion-service/core/anomaly/forest";
import { FOREST_DEFAULTS } from "@emotion-service/core/anomaly/forestDefaults";
import { loadAnomalyModel } from "@emotion-service/core/anomaly/modelFile";
import { joinModalities } from "@emotion-service/core/anomaly/modalities";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { run, writePairs } from "./fixture.ts";

const OUTPUTS = [
  "anomaly_metrics.json",
  "anomaly_report.html",
  "anomaly_scores.csv",
  "isolation_forest.json",
  "isolation_forest.onnx",
  "pca_scatter.png",
  "pca_scatter.svg",
  "score_histogram.png",
  "score_histogram.svg",
];

interface Row {
  readonly split: string;
  readonly path: string;
  readonly score: number;
  readonly anomaly: string;
}

function readScores(folder: string): Row[] {
  const [header, ...lines] = readFileSync(join(folder, "anomaly_scores.csv"), "utf8")
    .trimEnd()
    .split("\n");
  expect(header).toBe("split,path,score,anomaly");
  return lines.map((line) => {
    const [split = "", path = "", score, anomaly = ""] = line.split(",");
    return { split, path, score: Number(score), anomaly };
  });
}

describe("train-anomaly", () => {
  it("writes model, scores and plots, and finds what was planted", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const test = await writePairs(folder, "test.h5", { rows: 40, seed: 2, outliers: 2 });
    const out = join(folder, "results", "anomaly");
    const result = await runCommand("train-anomaly", [
      "--train_h5",
      train,
      "--test-h5",
      test,
      "--save_dir",
      out,
      "--contamination",
      "0.025",
      "--json",
    ]);
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    expect(namesIn(out)).toEqual(OUTPUTS);

    const rows = readScores(out);
    expect(rows.map(({ split }) => split)).toEqual([
      ...Array<string>(120).fill("train"),
      ...Array<string>(40).fill("test"),
    ]);
    for (const { score, anomaly } of rows) expect(anomaly).toBe(score > 0 ? "1" : "0");
    const flagged = rows
      .filter(({ anomaly }) => anomaly === "1")
      .map(({ split, path }) => `${split} ${path}`);
    const planted = [
      "train odd/117.wav",
      "train odd/118.wav",
      "train odd/119.wav",
      "test odd/38.wav",
      "test odd/39.wav",
    ];
    expect(flagged).toEqual(expect.arrayContaining(planted));
    expect(flagged.length).toBeLessThan(10);

    const summary: unknown = JSON.parse(result.stdout);
    expect(summary).toMatchObject({
      engine: "native",
      n_estimators: 100,
      max_samples: 120,
      seed: 42,
      n_features: 12,
      train: { rows: 120, anomalies: 3, imputed_images: 0 },
      test: { rows: 40 },
      notes: [],
    });
  });

  it("saves what gives the same scores again, missing modalities filled with the training mean", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { missing: true });
    const result = await run(["--train_h5", train, "--save_dir", folder]);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain("12 rows without an image, 11 without audio");
    const model = loadAnomalyModel(join(folder, "isolation_forest.json"), "--isolation");
    expect(model).toMatchObject({ seed: 42, trainingRows: 120, imageEncoder: { model: "face" } });
    // Present rows have mean 5, and 3 of 120 lie 9 above; zeros in place of missing rows would give about 4.7.
    expect(Math.min(...model.means)).toBeGreaterThan(4.9);
    const { rows } = await readPaired(train, "--train_h5", () => undefined);
    const parts = [
      { values: rows.image, present: rows.imagePresent },
      { values: rows.audio, present: rows.audioPresent },
    ];
    const decision = decisionFunction(model.forest, joinModalities(parts, model.means));
    expect(readScores(folder).map(({ score }) => score)).toEqual(
      Array.from(decision, (value) => 0 - value),
    );
  });

  it("takes one modality alone, and the model says so", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { missing: true });
    const args = ["--train_h5", train, "--save_dir", folder, "--modalities", "audio", "--json"];
    const { stdout } = await run(args);
    // Rows 7, 17, … have no audio: nothing to score them by.
    expect(JSON.parse(stdout)).toMatchObject({
      modalities: ["audio"],
      n_features: 7,
      max_samples: 109,
      train: { rows: 120, unscored: 11, imputed_images: 0, imputed_audio: 0 },
    });
    const model = loadAnomalyModel(join(folder, "isolation_forest.json"), "--isolation");
    expect(model).toMatchObject({ imageEncoder: undefined, audioEncoder: { dim: 7 } });
    const { rows } = await readPaired(train, "--train_h5", () => undefined);
    const decision = decisionFunction(model.forest, rows.audio);
    const lines = readFileSync(join(folder, "anomaly_scores.csv"), "utf8").split("\n");
    expect(lines[1 + 7]).toBe("train,plain/7.wav,,");
    expect(lines[1 + 8]).toBe(`train,plain/8.wav,${0 - decision[8]!},${Number(decision[8]! < 0)}`);
  });

  it("has no score for a row that has neither modality", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { emptyRow: true });
    const { stdout } = await run(["--train_h5", train, "--save_dir", folder]);
    expect(stdout).toContain("119 rows each");
    expect(stdout).toContain("train: 1 rows have none of the modalities: no score");
    const lines = readFileSync(join(folder, "anomaly_scores.csv"), "utf8").split("\n");
    expect(lines[1]).toBe("train,plain/0.wav,,");
  });

  it("writes the same bytes however many rows it reads at once", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { rows: 3000, missing: true });
    const test = await writePairs(folder, "test.h5", { seed: 2, missing: true });
    const files = ["--train_h5", train, "--test_h5", test, "--eval_with_labels"];
    for (const size of ["37", "100000"])
      await run([...files, "--batch_size", size, "--save_dir", join(folder, size)]);
    for (const output of OUTPUTS)
      expect(readFileSync(join(folder, "37", output))).toEqual(
        readFileSync(join(folder, "100000", output)),
      );
    const scatter = readFileSync(join(folder, "37", "pca_scatter.svg"), "utf8");
    expect(scatter).toContain("a seeded sample and the strangest anomalies");
  });

  it("fits on the rows that trees are grown on as it would on all in memory", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { rows: 2000 });
    await run(["--train_h5", train, "--save_dir", folder, "--n_estimators", "3"]);
    const { rows } = await readPaired(train, "--train_h5", () => undefined);
    const parts = [
      { values: rows.image, present: rows.imagePresent },
      { values: rows.audio, present: rows.audioPresent },
    ];
    const matrix = joinModalities(parts, new Float32Array(12));
    const { forest } = loadAnomalyModel(join(folder, "isolation_forest.json"), "--isolation");
    expect(forest).toEqual(fit(matrix, { ...FOREST_DEFAULTS, nEstimators: 3 }));
  });

  it("writes a report that holds all it shows", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { binaryLabels: true });
    await run(["--train_h5", train, "--save_dir", folder, "--eval_with_labels"]);
    const report = readFileSync(join(folder, "anomaly_report.html"), "utf8");
    expect(report).toContain("train: AUROC 1.000");
    expect(report).toContain("odd/119.wav");
    expect(report.match(/<svg role="img"/g)).toHaveLength(2);
    expect(report).not.toMatch(/(src|href)="(?!#)/);
    const metrics: unknown = JSON.parse(readFileSync(join(folder, "anomaly_metrics.json"), "utf8"));
    expect(metrics).toMatchObject({ train: { evaluation: { auroc: 1 } }, n_features: 12 });
  });

  it("writes the same bytes for the same seed", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    for (const name of ["a", "b"])
      await run(["--train_h5", train, "--save_dir", join(folder, name), "--random_state", "7"]);
    const bytes = (name: string) =>
      OUTPUTS.map((output) => readFileSync(join(folder, name, output)));
    expect(bytes("b")).toEqual(bytes("a"));
  });

  it("measures against binary labels", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { binaryLabels: true });
    const result = await run([
      "--train_h5",
      train,
      "--save_dir",
      folder,
      "--eval_with_labels",
      "--json",
    ]);
    const summary: unknown = JSON.parse(result.stdout);
    // 1 % of 120 rows is 2 flagged; 3 are labelled.
    expect(summary).toMatchObject({
      train: {
        evaluation: { labels: "binary", positives: 3, negatives: 117, auroc: 1, precision: 1 },
      },
    });
    const text = await run(["--train_h5", train, "--save_dir", folder, "--eval_with_labels"]);
    expect(text.stdout).toContain("train: AUROC 1.000, precision 1.000");
  });

  it("says that labels are not binary, and goes on", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const { exitCode, stdout } = await run([
      "--train_h5",
      train,
      "--save_dir",
      folder,
      "--eval_with_labels",
    ]);
    expect(exitCode).toBe(0);
    expect(stdout).toContain("train: not evaluated: labels must be 0 or 1, are happy");
  });

  it("runs the npm engine for scores only, and says what it cannot do", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const out = join(folder, "out");
    const { exitCode, stdout } = await run([
      "--train_h5",
      train,
      "--save_dir",
      out,
      "--engine",
      "isolation-forest",
    ]);
    expect(exitCode).toBe(0);
    expect(namesIn(out)).toEqual(OUTPUTS.filter((name) => !name.startsWith("isolation_forest")));
    expect(stdout).toContain("takes no seed");
    expect(stdout).toContain("cannot be saved");
    const worst = readScores(out)
      .toSorted((a, b) => b.score - a.score)
      .slice(0, 3);
    expect(worst.map(({ path }) => path).toSorted()).toEqual([
      "odd/117.wav",
      "odd/118.wav",
      "odd/119.wav",
    ]);
  });

  it("takes its flags", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const flags = [
      "--max_samples",
      "0.5",
      "--n-estimators",
      "20",
      "--contamination",
      "auto",
      "--random_state",
      "3",
    ];
    const { stdout } = await run(["--train_h5", train, "--save_dir", folder, ...flags, "--json"]);
    expect(JSON.parse(stdout)).toMatchObject({
      max_samples: 60,
      n_estimators: 20,
      contamination: "auto",
      offset: -0.5,
      seed: 3,
    });
  });

  it("shows every flag of the Python script with its default", async () => {
    const { exitCode, stdout } = await run(["--help"]);
    const help = stdout.replace(/\s+/g, " ");
    expect(exitCode).toBe(0);
    for (const flag of ["--train_h5 <file>", "--test_h5 <file>", "--eval_with_labels"])
      expect(help).toContain(flag);
    expect(help).toMatch(/--save_dir <folder> [^(]*\(default: "saved_models"\)/);
    expect(help).toMatch(/--n_estimators <n> [^(]*\(default: 100\)/);
    expect(help).toMatch(/--contamination <share> [^(]*\(default: 0.01\)/);
    expect(help).toMatch(/--random_state <n> [^(]*\(default: 42\)/);
  });
});
