import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { decisionFunction } from "@emotion-service/core/anomaly/forest";
import { readSklearnForest } from "@emotion-service/core/anomaly/sklearnForest";
import { audioStatsEncoder } from "@emotion-service/core/audio/audioStats";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { faceEncoderInfo } from "@emotion-service/core/face/faceEncoder";
import { readPythonFusion } from "@emotion-service/core/interop/pythonFusion";
import { loadClassifier } from "@emotion-service/core/onnx/loadClassifier";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { writeFaceSample, writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { runCommand } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";

/** Models on rows of 256 + 496 values, as `embed` makes them of faces and of sound, that Python wrote. */
const FIXTURES = join(import.meta.dirname, "../../core/test/fixtures");
const CLASSIFIER = join(FIXTURES, "fusion/face_audio_stats.pth");
const FOREST = join(FIXTURES, "sklearn/face_audio_stats.joblib");
const MODELS = ["--multimodal", CLASSIFIER, "--isolation", FOREST];
const ENCODERS = ["--image_encoder", "face", "--audio_encoder", "audio_stats"];
const FACE = "faces/happy/happy_001.jpg";
const CLIP = "audio/1001_DFA_HAP_XX.wav";

let folder = "";
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "emotion-service-"));
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  writeSpeechSample(join(folder, "audio"), { speakers: 1, sentences: 1 });
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const predict = (...args: string[]) => runInProcess(createProgram, args, { cwd: folder });

/** The embeddings of the sample's face and clip. */
async function embedded(): Promise<{ image: Float32Array; audio: Float32Array }> {
  const info = { image: faceEncoderInfo("auto"), audio: audioStatsEncoder(DEFAULT_LOG_MEL) };
  const encoders = createInputEncoders(info, { weights: undefined, env: {} });
  const [image, audio] = [
    await encoders.image(join(folder, FACE)),
    await encoders.audio(join(folder, CLIP)),
  ];
  return { image: image.embedding!, audio: audio.embedding! };
}

describe("models of the Python service", () => {
  it("tell what they tell of the embeddings that were named", async () => {
    const args = ["--image", FACE, "--audio", CLIP, ...MODELS, ...ENCODERS];
    const result = await runCommand("predict", args, { cwd: folder });
    expect(result.exitCode).toBe(0);
    const prediction = JSON.parse(result.stdout);
    const { image, audio } = await embedded();

    const checkpoint = await readPythonFusion(CLASSIFIER, "");
    const classifier = await loadClassifier(CLASSIFIER, checkpoint, { onNotice: () => {} });
    const present = Float32Array.of(1);
    const parts = { image: { values: image, present }, audio: { values: audio, present } };
    const probabilities = await classifier.classify({ rows: 1, parts });
    for (const [k, name] of ["angry", "disgust", "fear"].entries())
      expect(prediction.emotion_probs[name]).toBeCloseTo(probabilities[k]!, 6);

    const { forest } = readSklearnForest(FOREST, "");
    const row = { data: Float32Array.of(...image, ...audio), rows: 1, columns: 752 };
    expect(prediction.anomaly_score).toBeCloseTo(-decisionFunction(forest, row)[0]!, 12);
    expect(prediction.notes).toEqual([
      expect.stringMatching(/image rows: --image_encoder says face/),
      expect.stringMatching(/audio rows: --audio_encoder says audio_stats/),
    ]);
  });

  it("take zeros for what is left out, and say so", async () => {
    const named = ["--image_encoder", "none", "--audio_encoder", "audio_stats"];
    const args = ["--image", FACE, "--audio", CLIP, "--isolation", FOREST, ...named];
    const { exitCode, stdout } = await predict(...args);
    expect(exitCode).toBe(0);
    const { anomaly_score: score, modalities, notes } = JSON.parse(stdout);
    expect(modalities.image).toMatchObject({ present: false });
    expect(notes).toContain("the anomaly score fills the missing image with zeros");
    const { forest } = readSklearnForest(FOREST, "");
    const row = new Float32Array(752);
    row.set((await embedded()).audio, 256);
    const [decision] = decisionFunction(forest, { data: row, rows: 1, columns: 752 });
    expect(score).toBeCloseTo(-decision!, 12);
  });

  it.each([
    ["a classifier whose encoder is not named", ["--multimodal", CLASSIFIER], 1, "say what made"],
    ["a forest whose columns are not told apart", ["--isolation", FOREST], 1, "[image | audio]"],
    [
      "an encoder of another size",
      [...MODELS, "--audio_encoder", "audio_cnn"],
      1,
      "must give the 496 values that the model takes, gives 128",
    ],
    ["an encoder without a model", ENCODERS, 2, "are for a model that is named"],
    ["a name that is none", [...MODELS, "--audio_encoder", "wav2vec"], 2, "Allowed choices"],
    ["onnx without its file", [...MODELS, "--image_encoder", "onnx"], 2, "needs the .onnx file"],
    ["weights of no use", [...MODELS, ...ENCODERS, "--weights", "a.pth"], 2, "face takes none"],
    ["a forest in place of a classifier", ["--multimodal", FOREST], 1, "must be a model folder"],
    ["a classifier in place of a forest", ["--isolation", CLASSIFIER], 1, "cannot be read as JSON"],
    [
      "a classifier of another kind",
      ["--multimodal", join(FIXTURES, "fusion/other_model.pth")],
      1,
      "must hold the Python service's fusion model",
    ],
  ])("refuse %s", async (_, args, exitCode, message) => {
    const result = await predict("--audio", CLIP, ...args);
    expect(result).toMatchObject({ exitCode, stdout: "" });
    expect(result.stderr).toContain(message);
    expect(result.stderr).not.toMatch(/^\s+at /m);
  });
});
