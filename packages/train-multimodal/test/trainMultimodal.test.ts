import { readFileSync } from "node:fs";
import { join } from "node:path";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { EMOTIONS, writePairs, writePythonPairs } from "./fixture.ts";

const PLOTS = [
  "conditions",
  "confusion_matrix",
  "learning_curves",
  "recall_curve",
  "reliability_diagram",
];
const OUTPUTS = [
  ...PLOTS.flatMap((name) => [`${name}.png`, `${name}.svg`]),
  "history.csv",
  "metrics.json",
  "multimodal_best",
  "multimodal_last",
  "report.html",
].sort();
const CHECKPOINT = ["model.json", "model.onnx", "weights.bin"];
const STATE = ["training_state.bin", "training_state.json"];
const FEW = ["--epochs", "5", "--batch_size", "16", "--json"];

interface Metrics {
  readonly rows: number;
  readonly accuracy: number;
  readonly uar: number;
  readonly macro_f1: number;
}

interface Report {
  readonly median_epoch_seconds: number;
  readonly classes: string[];
  readonly modalities: string[];
  readonly epochs: number;
  readonly best_epoch: number;
  readonly train: Metrics;
  readonly val: Metrics;
  readonly test: Metrics | null;
  readonly conditions: Record<string, Metrics>;
  readonly calibration: {
    readonly temperature: number;
    readonly val: { readonly nll: { readonly before: number; readonly after: number } };
    readonly test: object | null;
  };
  readonly history: { val_uar: number; val_loss: number }[];
  readonly files: string[];
}

/** Runs the built command in `folder`, which must succeed. */
async function train(folder: string, ...args: string[]) {
  const result = await runCommand("train-multimodal", [...FEW, ...args], { cwd: folder });
  if (result.exitCode !== 0) throw new Error(result.stderr);
  return { ...result, report: JSON.parse(result.stdout) as Report };
}

describe("train-multimodal", () => {
  it("writes both checkpoints, the history, the numbers and the plots", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { missingImages: true });
    await writePairs(folder, "val.h5", { rows: 40, seed: 2, firstSpeaker: 2001 });
    await writePairs(folder, "test.h5", { rows: 48, seed: 3, firstSpeaker: 3001 });
    const files = ["--train_h5", "train.h5", "--val-h5", "val.h5", "--test_h5", "test.h5"];
    const { report, stderr } = await train(folder, ...files, "--save-dir", "out");
    const out = join(folder, "out");
    expect(namesIn(out)).toEqual(OUTPUTS);
    expect(namesIn(join(out, "multimodal_best"))).toEqual(CHECKPOINT);
    expect(namesIn(join(out, "multimodal_last"))).toEqual([...CHECKPOINT, ...STATE].sort());

    expect(report).toMatchObject({
      classes: EMOTIONS,
      modalities: ["image", "audio"],
      match_by: "id",
      epochs: 5,
      train: { rows: 160 },
      val: { rows: 40 },
      test: { rows: 48 },
    });
    expect(report.files.map((path) => path.replace(/^out\//, "")).sort()).toEqual(OUTPUTS);
    for (const metrics of [
      report.train,
      report.val,
      report.test!,
      ...Object.values(report.conditions),
    ])
      for (const value of [metrics.accuracy, metrics.uar, metrics.macro_f1]) {
        expect(value).toBeGreaterThanOrEqual(0);
        expect(value).toBeLessThanOrEqual(1);
      }
    // Each modality knows half of the class: 0.5 alone.
    expect(report.test!.uar).toBeGreaterThan(0.8);
    expect(report.conditions["both"]).toEqual(report.test);
    for (const alone of ["image_only", "audio_only", "noise"])
      expect(report.conditions[alone]!.uar).toBeLessThan(report.test!.uar);
    expect(stderr).toContain("epoch 5/5");
    expect(stderr).not.toContain("speakers are in the training rows too");

    const { history, files: _, median_epoch_seconds: seconds, ...saved } = report;
    expect(seconds).toBeGreaterThan(0);
    expect(JSON.parse(readFileSync(join(out, "metrics.json"), "utf8"))).toEqual(saved);
    const [header, ...lines] = readFileSync(join(out, "history.csv"), "utf8").trim().split("\n");
    expect(header).toBe("epoch,lr,train_loss,val_loss,val_accuracy,val_uar");
    expect(lines).toHaveLength(history.length);

    const best = readCheckpoint(join(out, "multimodal_best"), "");
    expect(best).toMatchObject({
      epoch: report.best_epoch,
      classes: EMOTIONS,
      encoders: { image: { model: "face", dim: 6 }, audio: { model: "audio_stats", dim: 5 } },
      metrics: { val_uar: Math.max(...history.map(({ val_uar }) => val_uar)) },
      temperature: report.calibration.temperature,
    });
    // On the rows that it was fitted on, no other temperature makes the truth more likely, 1 included.
    const { nll } = report.calibration.val;
    expect(nll.after).toBeLessThanOrEqual(nll.before);
    expect(report.calibration.test).not.toBeNull();
    expect(readCheckpoint(join(out, "multimodal_last"), "").epoch).toBe(5);
  });

  it("gives the same bytes for the same seed, and others for another", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    const weights = async (out: string, seed: string): Promise<Buffer[]> => {
      await train(folder, "--train_h5", "train.h5", "--save_dir", out, "--seed", seed);
      return CHECKPOINT.map((name) => readFileSync(join(folder, out, "multimodal_best", name)));
    };
    const [first, again, other] = [
      await weights("a", "7"),
      await weights("b", "7"),
      await weights("c", "8"),
    ];
    expect(again.map((bytes, i) => bytes.equals(first[i]!))).toEqual(CHECKPOINT.map(() => true));
    expect(other[1]!.equals(first[1]!)).toBe(false);
  });

  it.each(["image", "audio"] as const)("--modalities %s trains on that alone", async (modality) => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    const { report } = await train(folder, "--train_h5", "train.h5", "--modalities", modality);
    expect(report).toMatchObject({ modalities: [modality], test: null });
    expect(Object.keys(report.conditions)).toEqual(["noise"]);
    expect(report.val.uar).toBeLessThan(0.7); // it knows half of the class
    const best = readCheckpoint(join(folder, "saved_models", "multimodal_best"), "");
    expect(Object.keys(best.encoders)).toEqual([modality]);
    expect([...best.weights.keys()].some((name) => name.startsWith(`${modality}_`))).toBe(true);
  });

  it("reads the Python service's layout, and takes the speakers from its paths", async () => {
    const folder = temporaryFolder();
    await writePythonPairs(folder, "train.h5");
    const { report, stderr } = await train(folder, "--train_h5", "train.h5");
    expect(report).toMatchObject({ match_by: "unknown", classes: EMOTIONS });
    expect(report.val.uar).toBeGreaterThan(0.8);
    expect(stderr).toMatch(/no --val_h5: 2 of 8 speakers \(\d+ rows\) are held out/);
  });

  it("leaves out and counts the rows that have no emotion, and those of an emotion it did not learn", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { labels: ["angry", "happy", "unknown", "sad"] });
    await writePairs(folder, "test.h5", { rows: 40, seed: 2, firstSpeaker: 2001 });
    const { report, stderr } = await train(
      folder,
      "--train_h5",
      "train.h5",
      "--test_h5",
      "test.h5",
    );
    expect(stderr).toContain("train.h5: 40 rows left out (no emotion label)");
    expect(stderr).toContain("test.h5: 10 rows left out (an emotion that training does not have)");
    expect(report.classes).toEqual(["angry", "happy", "sad"]);
    expect(report.train.rows + report.val.rows).toBe(120);
    expect(report.test!.rows).toBe(30);
  });

  it("takes every flag of the Python script, and prints a summary without --json", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { matchBy: "label" });
    const flags =
      "--epochs 1 --batch-size 32 --lr 0.001 --device cpu --workers 2 --seed 3 --prefetch";
    const args = ["--train-h5", "train.h5", "--val_h5", "train.h5", ...flags.split(" ")];
    const result = await runCommand("train-multimodal", args, { cwd: folder });
    expect(result.exitCode).toBe(0);
    expect(result.stdout).toContain("best epoch 1 of 1");
    const warning = "the face and the voice of a row are of different people";
    expect(result.stdout).toContain(warning);
    const page = readFileSync(join(folder, "saved_models", "report.html"), "utf8");
    expect(page).toContain(warning);
    expect(result.stderr).toContain("train.h5: 8 of 8 speakers are in the training rows too");
  });

  it("--quiet says nothing but the result", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    const { stderr } = await train(folder, "--train_h5", "train.h5", "--quiet");
    expect(stderr).toBe("");
  });
});
