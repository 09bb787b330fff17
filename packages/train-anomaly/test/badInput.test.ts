import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { createH5, writeArray } from "@emotion-service/core/hdf5/file";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { run, writePairs } from "./fixture.ts";

/** Runs the program with a `--save_dir` below `folder`, and checks that nothing was left there. */
async function runBadly(folder: string, ...args: string[]) {
  const before = namesIn(folder);
  const result = await run([...args, "--save_dir", join(folder, "out", "deep")]);
  expect(namesIn(folder)).toEqual(before);
  expect(result.stdout).toBe("");
  expect(result.stderr).not.toMatch(/^\s+at /m);
  return result;
}

/** An HDF5 file with image embeddings alone. */
async function writeHalf(folder: string): Promise<string> {
  const path = join(folder, "half.h5");
  const writer = await createH5(path);
  writer.edit((file) => writeArray(file, "image_embeddings", new Float32Array(6), [2, 3], "<f"));
  writer.close();
  return path;
}

describe("train-anomaly on bad input", () => {
  it("names a file that is missing", async () => {
    const folder = temporaryFolder();
    const missing = join(folder, "none.h5");
    const result = await runCommand("train-anomaly", [
      "--train_h5",
      missing,
      "--save_dir",
      join(folder, "out"),
    ]);
    expect(result).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: `train-anomaly: --train_h5 ${missing}: no such file\n  hint: check the spelling; a relative path starts at the folder the command runs in\n`,
    });
    expect(namesIn(folder)).toEqual([]);
  });

  it("refuses a folder in place of a file", async () => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", folder);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("must be a file, is a folder");
  });

  it("names a file that is not HDF5", async () => {
    const folder = temporaryFolder();
    const path = join(folder, "text.h5");
    writeFileSync(path, "not HDF5");
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", path);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("text.h5: cannot be read as HDF5");
  });

  it("names the dataset that lacks, and what is there", async () => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", await writeHalf(folder));
    expect(exitCode).toBe(1);
    expect(stderr).toContain("lacks the dataset 'audio_embeddings' (it holds: image_embeddings)");
    expect(stderr).toContain("hint: write it with pair");
  });

  it("refuses a test file made with other settings, and says which differ", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const test = await writePairs(folder, "test.h5", {
      audioEncoder: { featureConfig: '{"sr":8000}' },
    });
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", train, "--test_h5", test);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("its audio embeddings: made with other settings than --train_h5");
    expect(stderr).toContain("sr is 8000, must be 16000");
  });

  it("refuses a test file of another dimension", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const test = await writePairs(folder, "test.h5", {
      audioEncoder: { model: "unknown", dim: 9 },
    });
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", train, "--test_h5", test);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("dim is 9, must be 7");
  });

  it.each([
    [0, "must have at least 2 rows, has 0"],
    [1, "must have at least 2 rows, has 1"],
  ])("refuses %i training rows", async (rows, message) => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { rows, outliers: 0 });
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", train);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  });

  it("refuses a test file without rows", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const test = await writePairs(folder, "test.h5", { rows: 0, outliers: 0 });
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", train, "--test_h5", test);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--test_h5");
    expect(stderr).toContain("must have at least 1 row, has 0");
  });

  it("refuses to write over what it reads", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "anomaly_scores.csv");
    const result = await run(["--train_h5", train, "--save_dir", folder]);
    expect(result.exitCode).toBe(2);
    expect(result.stderr).toContain("would replace an input of that name");
    expect(namesIn(folder)).toEqual(["anomaly_scores.csv"]);
  });

  it("refuses a file whose rows all lack the modality", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { rows: 1, outliers: 0, emptyRow: true });
    const { exitCode, stderr } = await runBadly(
      folder,
      "--train_h5",
      train,
      "--modalities",
      "audio",
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("must have at least 2 rows, has 0");
  });

  it.each([NaN, Infinity])("names the row that holds %s", async (badValue) => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5", { badValue });
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", train);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "'audio_embeddings' must hold finite numbers, has NaN or infinity in row 3 (plain/3.wav)",
    );
  });

  it("says where it cannot write", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    writeFileSync(join(folder, "file"), "in the way");
    const before = namesIn(folder);
    const result = await run(["--train_h5", train, "--save_dir", join(folder, "file", "out")]);
    expect(result.exitCode).toBe(1);
    expect(result.stderr).toContain("cannot be written");
    expect(namesIn(folder)).toEqual(before);
  });

  it("leaves nothing behind when it is stopped", async () => {
    const folder = temporaryFolder();
    const train = await writePairs(folder, "train.h5");
    const result = await run(
      ["--train_h5", train, "--save_dir", join(folder, "out")],
      AbortSignal.abort(),
    );
    expect(result).toEqual({
      exitCode: 130,
      stdout: "",
      stderr: "train-anomaly: stopped before the end\n",
    });
    expect(namesIn(folder)).toEqual(["train.h5"]);
  });
});

describe("train-anomaly with wrong flags", () => {
  it.each([
    [["--contamination", "0.6"], "must be 'auto' or a number above 0 and up to 0.5, got '0.6'"],
    [["--contamination", "0"], "above 0"],
    [["--n_estimators", "0"], "must be a whole number of at least 1, got '0'"],
    [["--n_estimators", "ten"], "got 'ten'"],
    [
      ["--max_samples", "1.5"],
      "must be 'auto', a whole number of at least 1 or a share between 0 and 1",
    ],
    [["--max_samples", "0"], "got '0'"],
    [["--random_state", "-1"], "must be a whole number from 0 to"],
    [["--engine", "sklearn"], "Allowed choices are native, isolation-forest"],
    [["--modalities", "video"], "Allowed choices are both, image, audio"],
    [["--batch_size", "0"], "must be a whole number of at least 1, got '0'"],
    [["--epochs", "3"], "unknown option '--epochs'"],
  ])("%j exits with 2", async (flags, message) => {
    const folder = temporaryFolder();
    const { exitCode, stderr } = await runBadly(folder, "--train_h5", "train.h5", ...flags);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it("must have --train_h5", async () => {
    const { exitCode, stderr } = await runBadly(temporaryFolder());
    expect(exitCode).toBe(2);
    expect(stderr).toContain("--train_h5");
  });
});
