import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createH5, writeArray } from "@emotion-service/core/hdf5/file";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { writePairs } from "./fixture.ts";

/** Runs the program with a `--save_dir` that is not there yet; it must fail and leave nothing behind. */
async function trainBadly(folder: string, ...args: string[]) {
  const before = namesIn(folder);
  const saved = ["--save_dir", join(folder, "out", "deep")];
  const result = await runInProcess(createProgram, [...saved, ...args], { cwd: folder });
  expect(namesIn(folder)).toEqual(before);
  expect(result.stdout).toBe("");
  expect(result.stderr).not.toMatch(/^\s+at /m);
  return result;
}

describe("train-multimodal on bad input", () => {
  it("names a file that is missing, and the cure", async () => {
    const folder = temporaryFolder();
    const args = ["--train_h5", "none.h5", "--save_dir", "out"];
    const result = await runCommand("train-multimodal", args, { cwd: folder });
    expect(result).toEqual({
      exitCode: 1,
      stdout: "",
      stderr: expect.stringContaining(
        "train-multimodal: --train_h5 none.h5: no such file\n  hint: check the spelling",
      ) as unknown,
    });
    expect(namesIn(folder)).toEqual([]);
  });

  it.each(["--val_h5", "--test_h5"])("names a missing %s", async (flag) => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    const { exitCode, stderr } = await trainBadly(
      folder,
      "--train_h5",
      "train.h5",
      flag,
      "none.h5",
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${flag} none.h5: no such file`);
  });

  it("names a file that is not HDF5", async () => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "text.h5"), "not HDF5");
    const { exitCode, stderr } = await trainBadly(folder, "--train_h5", "text.h5");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--train_h5 text.h5: cannot be read as HDF5");
  });

  it("names a file that was cut short", async () => {
    const folder = temporaryFolder();
    const whole = readFileSync(await writePairs(folder, "train.h5"));
    writeFileSync(join(folder, "cut.h5"), whole.subarray(0, whole.length / 2));
    const { exitCode, stderr } = await trainBadly(folder, "--train_h5", "cut.h5");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--train_h5 cut.h5: cannot be read");
  });

  it("names the dataset that lacks, and what is there", async () => {
    const folder = temporaryFolder();
    const writer = await createH5(join(folder, "half.h5"));
    writer.edit((file) => writeArray(file, "image_embeddings", new Float32Array(6), [2, 3], "<f"));
    writer.close();
    const { exitCode, stderr } = await trainBadly(folder, "--train_h5", "half.h5");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("lacks the dataset 'audio_embeddings' (it holds: image_embeddings)");
    expect(stderr).toContain("hint: write it with pair");
  });

  it.each(["val", "test"])("refuses a %s file of other settings, and says which", async (name) => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    await writePairs(folder, "other.h5", {
      audioEncoder: { featureConfig: '{"audio":{"sr":8000}}' },
      imageEncoder: { weightsSha256: "cd" },
    });
    const args = ["--train_h5", "train.h5", `--${name}_h5`, "other.h5"];
    const both = await trainBadly(folder, ...args);
    expect(both.exitCode).toBe(1);
    expect(both.stderr).toContain(
      'other.h5 (image): made with other settings than train.h5: weights_sha256 is "cd", must be "ab"',
    );
    const audio = await trainBadly(folder, ...args, "--modalities", "audio");
    expect(audio.stderr).toContain(
      "other.h5 (audio): made with other settings than train.h5: audio.sr is 8000, must be 16000",
    );
  });

  it.each([
    ["only one emotion", { labels: ["sad"] }, "needs rows of at least 2 emotions, has only 'sad'"],
    ["no emotion", { labels: ["unknown"] }, "has no row that can be used (of 160)"],
    ["no row", { rows: 0 }, "has no row that can be used (of 0)"],
    ["one speaker", { speakers: 1 }, "all rows are of one speaker (1001)"],
    [
      "NaN",
      { badValue: NaN },
      "'audio_embeddings' must hold finite numbers, has NaN or infinity in row 2 (2/1001_DFA",
    ],
  ])("refuses %s", async (_name, pairs, message) => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", pairs);
    const { exitCode, stderr } = await trainBadly(folder, "--train_h5", "train.h5");
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  });

  it("refuses a test file that shares no emotion with training", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { labels: ["sad", "happy"] });
    await writePairs(folder, "test.h5", { labels: ["fear"] });
    const { exitCode, stderr } = await trainBadly(
      folder,
      "--train_h5",
      "train.h5",
      "--test_h5",
      "test.h5",
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("test.h5: shares no emotion with the training rows (happy, sad)");
  });

  it("says that there is no GPU, in the words of the flag", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    const { exitCode, stderr } = await trainBadly(
      folder,
      "--train_h5",
      "train.h5",
      "--device",
      "cuda",
    );
    expect(exitCode).toBe(1);
    // With the native binding, and without.
    expect(stderr).toMatch(
      /--device cuda: (TensorFlow sees no GPU|the native TensorFlow binding does not load)\n {2}hint: /,
    );
  });

  it("says where it cannot write, before it trains", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    writeFileSync(join(folder, "file"), "in the way");
    const before = namesIn(folder);
    const args = ["--train_h5", "train.h5", "--save_dir", "file/out"];
    const { exitCode, stdout, stderr } = await runCommand("train-multimodal", args, {
      cwd: folder,
    });
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain("file/out/multimodal_best: cannot be written");
    expect(stderr).not.toContain("epoch 1/");
    expect(namesIn(folder)).toEqual(before);
  });

  it("ends with its own words when the loss diverges", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5");
    // Each step multiplies the weights by 1 - 10 · 10 = -99.
    const flags = ["--lr", "10", "--weight_decay", "10", "--batch_size", "16"];
    const { exitCode, stderr } = await trainBadly(folder, "--train_h5", "train.h5", ...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /training: the loss must stay finite, is NaN: it diverged\n {2}hint: lower --lr/,
    );
  });
});

describe("Ctrl-C", () => {
  it("exits with 130; the checkpoints of the last whole epoch are whole, and nothing else is there", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { rows: 400 });
    const args = ["--train_h5", "train.h5", "--epochs", "5000", "--batch_size", "400"];
    const result = await runCommand("train-multimodal", args, {
      cwd: folder,
      killOn: /^epoch 2\//m,
    });
    expect(result).toMatchObject({ exitCode: 130, stdout: "" });
    const epochs = result.stderr.match(/^epoch /gm)?.length ?? 0;
    expect(epochs).toBeGreaterThanOrEqual(2);
    expect(result.stderr).toMatch(
      new RegExp(
        `train-multimodal: stopped after epoch ${epochs}, which is saved\n  hint: .* --resume goes on from there\n$`,
      ),
    );
    const saved = join(folder, "saved_models");
    expect(namesIn(saved)).toEqual(["multimodal_best", "multimodal_last"]);
    const model = ["model.json", "model.onnx", "weights.bin"];
    const state = ["training_state.bin", "training_state.json"];
    expect(namesIn(join(saved, "multimodal_best"))).toEqual(model);
    expect(namesIn(join(saved, "multimodal_last"))).toEqual([...model, ...state].sort());
    expect(readCheckpoint(join(saved, "multimodal_last"), "").epoch).toBe(epochs);
    expect(readCheckpoint(join(saved, "multimodal_best"), "").epoch).toBeLessThanOrEqual(epochs);
  });

  it("before the first epoch leaves nothing", async () => {
    const folder = temporaryFolder();
    await writePairs(folder, "train.h5", { rows: 4000 });
    const args = ["--train_h5", "train.h5", "--batch_size", "2"];
    const result = await runCommand("train-multimodal", args, {
      cwd: folder,
      killOn: /are held out/,
    });
    expect(result).toMatchObject({ exitCode: 130, stdout: "" });
    expect(existsSync(join(folder, "saved_models"))).toBe(false);
    expect(namesIn(folder)).toEqual(["train.h5"]);
  });
});

describe("train-multimodal with wrong flags", () => {
  it.each([
    [["--epochs", "0"], "must be a whole number from 1 to 100000, got '0'"],
    [["--batch_size", "1"], "must be a whole number from 2 to"],
    [["--batch-size", "1.5"], "got '1.5'"],
    [["--lr", "fast"], "got 'fast'"],
    [["--device", "tpu"], "Allowed choices are auto, cpu, cuda"],
    [["--seed", "-1"], "must be a whole number from 0 to"],
    [["--modality_dropout", "1"], "must be a number from 0 to 0.9, got '1'"],
    [["--scheduler", "step"], "Allowed choices are none, onecycle, cosine"],
    [["--modalities", "video"], "Allowed choices are both, image, audio"],
    [
      ["--device", "cuda", "--backend", "wasm"],
      "--device cuda: needs --backend tensorflow, got wasm",
    ],
    [["--contamination", "0.1"], "unknown option '--contamination'"],
  ])("%j exits with 2", async (flags, message) => {
    const { exitCode, stderr } = await trainBadly(
      temporaryFolder(),
      "--train_h5",
      "train.h5",
      ...flags,
    );
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it("must have --train_h5", async () => {
    const { exitCode, stderr } = await trainBadly(temporaryFolder());
    expect(exitCode).toBe(2);
    expect(stderr).toContain("required option '--train_h5 <file>' not specified");
  });
});
