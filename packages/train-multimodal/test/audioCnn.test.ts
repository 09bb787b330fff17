import { join } from "node:path";
import { readAudioCheckpoint } from "@emotion-service/core/model/audioCheckpoint";
import { AUDIO_FRAMES, AUDIO_MASK, createAudioCnn } from "@emotion-service/core/model/audioCnn";
import { loadTensorFlow } from "@emotion-service/core/model/backend";
import { softmaxRows } from "@emotion-service/core/model/softmax";
import { scoresOf } from "@emotion-service/core/model/trainClassifier";
import { createSession, loadOnnxRuntime } from "@emotion-service/core/onnx/session";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { type ClipsOptions, FEATURES, LABELS, MELS, writeClips } from "./clips.ts";

describe("train-multimodal --modalities audio on log-mel clips", () => {
  it("trains audio_cnn, whose checkpoint gives the same in TensorFlow.js and in ONNX Runtime", async () => {
    const folder = temporaryFolder();
    await writeClips(join(folder, "train.h5"));
    await writeClips(join(folder, "test.h5"), { rows: 24, firstSpeaker: 2001, silentRow: 5 });
    const files = ["--train_h5", "train.h5", "--test_h5", "test.h5", "--modalities", "audio"];
    const how = ["--epochs", "8", "--batch_size", "12", "--backend", "wasm", "--json"];
    const result = await runCommand("train-multimodal", [...files, ...how], { cwd: folder });
    expect(result.stderr).toContain("no --val_h5: 2 of 6 speakers (24 rows) are held out");
    expect(result.stderr).toContain("test.h5: 1 rows left out (silent)");
    const report = JSON.parse(result.stdout) as { test: { uar: number } };
    expect(report).toMatchObject({
      classes: LABELS,
      modalities: ["audio"],
      train: { rows: 48 },
      val: { rows: 24 },
      test: { rows: 23 },
      conditions: { noise: { rows: 23 } },
    });
    expect(report.test.uar).toBeGreaterThan(0.8);
    expect(namesIn(join(folder, "saved_models"))).toContain("confusion_matrix.png");

    const best = join(folder, "saved_models", "multimodal_best");
    const checkpoint = readAudioCheckpoint(best, "--model");
    expect(checkpoint).toMatchObject({ classes: LABELS, features: FEATURES });
    const { tf } = await loadTensorFlow("wasm");
    const model = createAudioCnn(tf, { mels: MELS, classes: 3 }, checkpoint.weights);
    const random = createRandom(5);
    const [rows, frames] = [2, 33];
    const values = Float32Array.from({ length: rows * frames * MELS }, () => -40 * random());
    const mask = Float32Array.from({ length: rows * frames }, (_, at) => Number(at < 50)); // the second clip: 17 frames
    const batch = { rows, frames, mels: MELS, values, mask, classIds: new Int32Array(rows) };
    const expected = softmaxRows(scoresOf(tf, model, batch), 3, checkpoint.temperature);
    model.dispose();

    const runtime = loadOnnxRuntime();
    if (!runtime.ok) throw new Error(runtime.cause);
    const session = await createSession(runtime.ort, join(best, "model.onnx"));
    const outputs = await session.run(
      {
        [AUDIO_FRAMES]: { data: values, dims: [rows, frames, MELS] },
        [AUDIO_MASK]: { data: mask, dims: [rows, frames] },
      },
      ["probabilities", "embeddings"],
    );
    await session.dispose();
    expect(outputs["probabilities"]!.data).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
    expect(outputs["embeddings"]!.dims).toEqual([rows, 128]);
  });

  it("trains by the seed, byte for byte", async () => {
    const folder = temporaryFolder();
    await writeClips(join(folder, "train.h5"));
    const args = ["--train_h5", "train.h5", "--modalities", "audio", "--epochs", "1"];
    const weightsOf = async (name: string, seed: string): Promise<Buffer[]> => {
      const more = ["--save_dir", name, "--seed", seed, "--backend", "wasm", "--quiet"];
      const { exitCode } = await runCommand("train-multimodal", [...args, ...more], {
        cwd: folder,
      });
      expect(exitCode).toBe(0);
      const { weights } = readAudioCheckpoint(join(folder, name, "multimodal_last"), "--model");
      return [...weights.values()].map(({ data }) => Buffer.from(data.buffer));
    };
    const first = await weightsOf("a", "7");
    expect(await weightsOf("b", "7")).toEqual(first);
    expect(await weightsOf("c", "8")).not.toEqual(first);
  });
});

it("clips of more than --memory are held all the same, and that is told once", async () => {
  const folder = temporaryFolder();
  const config = { ...FEATURES, n_mels: 64 };
  await writeClips(join(folder, "train.h5"), { rows: 200, config, labels: ["sad"] }); // 1.3 MiB
  const args = ["--train_h5", "train.h5", "--modalities", "audio", "--memory", "1"];
  const { stderr } = await runInProcess(createProgram, args, { cwd: folder });
  expect(stderr.match(/clips are all held in memory, more than --memory 1 MiB/g)).toHaveLength(1);
});

describe("log-mel clips that cannot be trained on", () => {
  const refusal = async (files: Record<string, ClipsOptions>, ...args: string[]) => {
    const folder = temporaryFolder();
    for (const [name, options] of Object.entries(files))
      await writeClips(join(folder, name), options);
    const before = namesIn(folder);
    const few = ["--train_h5", "train.h5", "--save_dir", join(folder, "out")];
    const result = await runInProcess(createProgram, [...few, ...args], { cwd: folder });
    expect(namesIn(folder)).toEqual(before);
    return result;
  };
  const audio = ["--modalities", "audio"];

  it.each<[string, Record<string, ClipsOptions>, string[], RegExp]>([
    ["modalities that are not there", { "train.h5": {} }, [], /--modalities both: must be audio/],
    [
      "a side of pairs",
      { "train.h5": {} },
      [...audio, "--prefer_pairs_base", "audios"],
      /--prefer_pairs_base audios: is for pairs/,
    ],
    [
      "bands that cannot be halved four times",
      { "train.h5": { config: { ...FEATURES, n_mels: 40 } } },
      audio,
      /n_mels must be a multiple of 16 for audio_cnn, is 40/,
    ],
    [
      "other features in the validation set",
      { "train.h5": {}, "val.h5": { config: { ...FEATURES, hop_length: 256 } } },
      [...audio, "--val_h5", "val.h5"],
      /val\.h5: must be made with the feature settings of train\.h5/,
    ],
    ["no emotion", { "train.h5": { labels: ["unknown"] } }, audio, /has no row that can be used/],
    ["one emotion", { "train.h5": { labels: ["sad"] } }, audio, /at least 2 emotions/],
  ])("%s", async (_, files, args, message) => {
    const result = await refusal(files, ...args);
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
    expect(result.exitCode).not.toBe(0);
  });
});
