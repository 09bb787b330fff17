import { mkdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadAudioCnnClassifier } from "@emotion-service/core/model/lastLayerClassifier";
import { audioCnnInfo } from "@emotion-service/core/audio/audioCnnEncoder";
import { openSound } from "@emotion-service/core/audio/decode";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { SHIPPED_AUDIO_CNN } from "@emotion-service/core/model/shippedModels";
import { AUDIO_EXTENSIONS, listFiles } from "@emotion-service/core/files/listFiles";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { readAudioCheckpoint } from "@emotion-service/core/model/audioCheckpoint";
import { AUDIO_FRAMES, AUDIO_MASK } from "@emotion-service/core/model/audioCnn";
import { withoutPadding } from "@emotion-service/core/model/clips";
import { readOnnxInfo } from "@emotion-service/core/onnx/readInfo";
import { createSession, loadOnnxRuntime } from "@emotion-service/core/onnx/session";
import { describe, expect, it } from "vitest";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { writeAudioModel } from "../../../test/audioModel.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";

/** Clips, a model, and what embed made of them. */
async function embedded() {
  const folder = temporaryFolder();
  writeSpeechSample(join(folder, "voice"), { speakers: 1, sentences: 1 });
  const model = join(folder, "model");
  writeAudioModel(model, 1);
  const args = ["--audio_dir", "voice", "--out_h5", "e.h5", "--model", "audio_cnn"];
  const result = await runCommand("embed", [...args, "--weights", "model"], { cwd: folder });
  expect(result).toMatchObject({ exitCode: 0 });
  const { encoder, splits } = await readEmbeddings(join(folder, "e.h5"), "");
  return { folder, model, encoder, ...splits.get("all")! };
}

describe("a model trained on audio_cnn embeddings", () => {
  it("gets the embeddings that embed wrote, bit for bit", async () => {
    const { folder, model, encoder, embeddings, paths } = await embedded();
    const options = { weights: undefined, env: {}, audioWeights: model };
    const inputs = createInputEncoders({ audio: encoder }, options);
    for (const [row, path] of paths.entries()) {
      const { embedding } = await inputs.audio(join(folder, "voice", path));
      expect(embedding).toEqual(embeddings.data.slice(row * 128, (row + 1) * 128));
    }
  });

  it("asks for its network, and refuses another", async () => {
    const { folder, encoder, paths } = await embedded();
    const clip = join(folder, "voice", paths[0]!);
    const without = createInputEncoders({ audio: encoder }, { weights: undefined, env: {} });
    await expect(without.audio(clip)).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringContaining(`weights of SHA-256 ${encoder.weightsSha256}`),
      hint: expect.stringContaining("--audio_weights"),
    });
    const audioWeights = join(folder, "other");
    writeAudioModel(audioWeights, 2);
    const options = { weights: undefined, env: {}, audioWeights };
    const other = createInputEncoders({ audio: encoder }, options);
    await expect(other.audio(clip)).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringMatching(/weights_sha256/),
    });
  });
});

interface Told {
  readonly emotion: string;
  readonly emotion_probs: Readonly<Record<string, number>>;
  readonly modalities: Readonly<Record<"image" | "audio", { present: boolean; cause?: string }>>;
}

describe("the audio_cnn that comes along", () => {
  it("is small, and its files are of one another", async () => {
    const files = ["model.json", "weights.bin", "model.onnx"];
    const sizes = files.map((file) => statSync(join(SHIPPED_AUDIO_CNN, file)).size);
    expect(sizes.reduce((a, b) => a + b, 0)).toBeLessThan(3e6);
    const info = readOnnxInfo(readFileSync(join(SHIPPED_AUDIO_CNN, "model.onnx")), "model.onnx");
    const { weightsSha256 } = audioCnnInfo(readAudioCheckpoint(SHIPPED_AUDIO_CNN, ""));
    expect(info.metadata["weights_sha256"]).toBe(weightsSha256);
  });

  it("predicts of sound where no model is named, and says which one does", async () => {
    const folder = temporaryFolder();
    writeSpeechSample(folder, { speakers: 1, sentences: 1 });
    const [clip = ""] = listFiles(folder, AUDIO_EXTENSIONS, "");
    const { exitCode, stdout, stderr } = await runCommand("predict", ["--audio", clip], {
      cwd: folder,
    });
    expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
    expect(stderr).toBe(
      "no --multimodal: what comes along tells the emotion: audio_cnn (acted English speech)\n",
    );
    const told = JSON.parse(stdout) as Told;
    expect(Object.keys(told.emotion_probs).sort()).toEqual([
      "angry",
      "disgust",
      "fear",
      "happy",
      "neutral",
      "sad",
    ]);
    expect(Object.values(told.emotion_probs).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    expect(told.modalities.image).toMatchObject({ present: false });
    const named = await runCommand(
      "predict",
      ["--audio", clip, "--multimodal", SHIPPED_AUDIO_CNN, "--quiet"],
      { cwd: folder },
    );
    expect(JSON.parse(named.stdout)).toEqual(told);
    expect(named.stderr).toBe("");
  });

  it("says that sound is too short for it, of a clip and of a window, as embed does", async () => {
    const folder = temporaryFolder();
    const tone = (seconds: number): Uint8Array =>
      encodeWav(Float32Array.from({ length: 16_000 * seconds }, (_, i) => Math.sin(i) / 2), 16_000); // prettier-ignore
    mkdirSync(join(folder, "clips"));
    writeFileSync(join(folder, "clips/click.wav"), tone(0.1));
    writeFileSync(join(folder, "clips/long.wav"), tone(1.2));
    const short = /too short: it sounds for 0\.\d\d s, audio_cnn takes 0\.51 s at least/;
    const click = await runCommand("predict", ["--audio", "clips/click.wav"], { cwd: folder });
    expect(click).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(short) as unknown });
    const long = await runCommand("predict", ["--audio", "clips/long.wav", "--window", "1"], {
      cwd: folder,
    });
    const { timeline } = JSON.parse(long.stdout) as { timeline: { voice: boolean }[] };
    expect(timeline.map(({ voice }) => voice)).toEqual([true, false]);

    const commands = [
      "audio-preprocess --audio_dir clips --out_h5 f.h5 --out_dir .",
      "embed --audio_dir clips --out_h5 a.h5 --model audio_cnn --manifest_name a.csv",
      "embed --audio_h5 f.h5 --out_h5 b.h5 --model audio_cnn --manifest_name b.csv",
    ];
    for (const command of commands) {
      const [name = "", ...args] = command.split(" ");
      expect(await runCommand(name, args, { cwd: folder })).toMatchObject({ exitCode: 0 });
    }
    const [a, b] = ["a.csv", "b.csv"].map((name) => readFileSync(join(folder, name), "utf8"));
    expect(a).toMatch(short);
    expect(b).toBe(a);
  });

  it("gives the probabilities of its model.onnx", async () => {
    const folder = temporaryFolder();
    writeSpeechSample(folder, { speakers: 1, sentences: 1 });
    const runtime = loadOnnxRuntime();
    if (!runtime.ok) throw new Error(runtime.cause);
    const classifier = loadAudioCnnClassifier(SHIPPED_AUDIO_CNN, "");
    const { classes, encoders } = classifier.checkpoint;
    const session = await createSession(runtime.ort, join(SHIPPED_AUDIO_CNN, "model.onnx"), {});
    const inputs = createInputEncoders(encoders, { weights: undefined, env: {} });
    const { features: config } = readAudioCheckpoint(SHIPPED_AUDIO_CNN, "");
    const extract = createLogMelExtractor(config);
    for (const clip of listFiles(folder, AUDIO_EXTENSIONS, "")) {
      const path = join(folder, clip);
      const { embedding: values = new Float32Array() } = await inputs.audio(path);
      const parts = { audio: { values, present: Float32Array.of(1) } };
      const actual = await classifier.classify({ rows: 1, parts });
      const { features, frames } = await extract(await openSound(path));
      const data = withoutPadding(features, frames, config.n_mels);
      const rows = data.length / config.n_mels;
      const { probabilities } = await session.run({
        [AUDIO_FRAMES]: { data, dims: [1, rows, config.n_mels] },
        [AUDIO_MASK]: { data: new Float32Array(rows).fill(1), dims: [1, rows] },
      });
      for (const k of classes.keys())
        expect(Math.abs(actual[k]! - probabilities!.data[k]!)).toBeLessThan(1e-5);
    }
    await session.dispose();
  });

  it("embeds where embed has no --weights, and then predict needs none either", async () => {
    const folder = temporaryFolder();
    writeSpeechSample(join(folder, "voice"), { speakers: 1, sentences: 1 });
    const args = ["--audio_dir", "voice", "--out_h5", "e.h5", "--model", "audio_cnn"];
    expect(await runCommand("embed", args, { cwd: folder })).toMatchObject({ exitCode: 0 });
    const { encoder, splits } = await readEmbeddings(join(folder, "e.h5"), "");
    const { embeddings, paths } = splits.get("all")!;
    const inputs = createInputEncoders({ audio: encoder }, { weights: undefined, env: {} });
    const { embedding } = await inputs.audio(join(folder, "voice", paths[0]!));
    expect(embedding).toEqual(embeddings.data.slice(0, 128));
  });
});
