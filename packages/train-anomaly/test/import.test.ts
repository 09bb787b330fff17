import { readFileSync } from "node:fs";
import { join } from "node:path";
import { decisionFunction } from "@emotion-service/core/anomaly/forest";
import { loadAnomalyModel } from "@emotion-service/core/anomaly/modelFile";
import { joinModalities } from "@emotion-service/core/anomaly/modalities";
import { readSklearnForest } from "@emotion-service/core/anomaly/sklearnForest";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { run, writePairs } from "./fixture.ts";

/** Forests on 6 columns, which scripts/reference/sklearn_forests.py wrote. */
const fixture = (name: string): string =>
  join(import.meta.dirname, "../../core/test/fixtures/sklearn", name);
/** So that a row has 5 + 1 values. */
const SIX = { audioEncoder: { dim: 1 } };

describe("--import", () => {
  it("scores the rows by the forest of the file, and saves it as ours", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { ...SIX, missing: true });
    const args = ["--train_h5", train, "--save_dir", folder, "--import", fixture("zlib.joblib")];
    const result = await runCommand("train-anomaly", args);
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain(
      "Isolation forest (of scikit-learn 1.9.1): 4 trees on 16 rows each, 6 features (image, audio)\nthreshold: offset -0.5",
    );
    const model = loadAnomalyModel(join(folder, "isolation_forest.json"), "");
    expect(model).toMatchObject({ importedFrom: "scikit-learn 1.9.1", seed: 3, trainingRows: 60 });
    expect(model.forest).toEqual(readSklearnForest(fixture("zlib.joblib"), "").forest);
    const report = readFileSync(join(folder, "anomaly_report.html"), "utf8");
    expect(report).toContain('<th scope="row">fitted by</th><td>scikit-learn 1.9.1</td>');
    const { rows } = await readPaired(train, "", () => undefined);
    const parts = [
      { values: rows.image, present: rows.imagePresent },
      { values: rows.audio, present: rows.audioPresent },
    ];
    const expected = decisionFunction(model.forest, joinModalities(parts, model.means));
    const csv = readFileSync(join(folder, "anomaly_scores.csv"), "utf8").trimEnd().split("\n");
    const scores = csv.slice(1).map((line) => Number(line.split(",")[2]));
    expect(scores).toEqual(Array.from(expected, (decision) => -decision));
  });

  it("says what the file does not tell, and what is applied", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", SIX);
    const args = ["--train_h5", train, "--save_dir", folder, "--json"];
    const scaled = await run([...args, "--import", fixture("scaler.joblib")]);
    expect(JSON.parse(scaled.stdout)).toMatchObject({
      imported_from: "scikit-learn 1.9.1",
      n_estimators: 4,
      contamination: 0.1,
      notes: [expect.stringMatching(/cannot be checked/), expect.stringMatching(/StandardScaler/)],
    });
    const drawn = await run([...args, "--import", fixture("dict.joblib")]); // its random_state is a generator
    expect(JSON.parse(drawn.stdout)).toMatchObject({ seed: null, contamination: "auto" });
    const model = loadAnomalyModel(join(folder, "isolation_forest.json"), "");
    expect(model.seed).toBeNull();
  });

  it.each([
    ["another number of columns", [fixture("face_audio_stats.joblib")], 1, "takes 752"],
    ["no file", ["none.joblib"], 1, "--import none.joblib: no such file"],
    ["a pipeline", [fixture("pipeline.pkl")], 1, '"sklearn.pipeline Pipeline"'],
    ["what is for fitting", [fixture("zlib.joblib"), "--n_estimators", "5"], 2, "--n_estimators"],
    ["another engine", [fixture("zlib.joblib"), "--engine", "native"], 2, "--engine"],
  ])("refuses %s", async (_, args, exitCode, message) => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", SIX);
    const out = join(folder, "out");
    const result = await run(["--train_h5", train, "--save_dir", out, "--import", ...args]);
    expect(result).toMatchObject({ exitCode, stdout: "" });
    expect(result.stderr).toContain(message);
    expect(namesIn(folder)).toEqual(["train.h5"]);
  });
});
