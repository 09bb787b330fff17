import { cpSync, mkdirSync, readFileSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/cli.ts";
import { CLASSIFIER, CLIP, DETECTOR, FACE, NO_FACE, SILENT, usePipeline } from "./pipeline.ts";

const MODELS = ["--multimodal", CLASSIFIER, "--isolation", DETECTOR];
const folder = usePipeline();

/** Runs the program, which must fail with one message and leave nothing behind. */
async function predictBadly(...args: string[]) {
  const before = namesIn(folder());
  const result = await runInProcess(createProgram, args, { cwd: folder() });
  expect(namesIn(folder())).toEqual(before);
  expect(result.stdout).toBe("");
  expect(result.stderr).not.toMatch(/^\s+at /m);
  return result;
}

/** A copy of the classifier whose model.json was changed; returns its path in the pipeline's folder. */
function changedClassifier(name: string, change: (json: Record<string, object>) => void): string {
  cpSync(join(folder(), CLASSIFIER), join(folder(), name), { recursive: true });
  const path = join(folder(), name, "model.json");
  const json = JSON.parse(readFileSync(path, "utf8")) as Record<string, object>;
  change(json);
  writeFileSync(path, JSON.stringify(json));
  return name;
}

describe("models", () => {
  it("that are missing", async () => {
    const args = ["--audio", CLIP, "--multimodal", "none"];
    const missing = await runCommand("predict", args, { cwd: folder() });
    expect(missing).toMatchObject({ exitCode: 1, stdout: "" });
    expect(missing.stderr).toContain(
      "predict: --multimodal none: no such model\n  hint: name the folder",
    );
    const forest = await predictBadly("--audio", CLIP, "--isolation", "none.json");
    expect(forest.exitCode).toBe(1);
    expect(forest.stderr).toContain("--isolation none.json: no such file");
  });

  it("that are damaged", async () => {
    cpSync(join(folder(), CLASSIFIER), join(folder(), "cut"), { recursive: true });
    truncateSync(join(folder(), "cut", "weights.bin"), 5000);
    const { exitCode, stderr } = await predictBadly("--audio", CLIP, "--multimodal", "cut");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--multimodal cut: is not a whole model (weights.bin ends before");
  });

  it("one in the other's place", async () => {
    const { exitCode, stderr } = await predictBadly("--audio", CLIP, "--multimodal", DETECTOR);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("must be a model folder, is a file");
  });

  it("that were trained on different features: it says which", async () => {
    const other = changedClassifier("other", (json) => {
      const audio = json["audio"] as { feature_config: string };
      audio.feature_config = audio.feature_config.replace('"sr":16000', '"sr":8000');
    });
    const args = ["--audio", CLIP, "--multimodal", other, "--isolation", DETECTOR];
    const { exitCode, stderr } = await predictBadly(...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      `--isolation ${DETECTOR} (audio): made with other settings than --multimodal other: audio.sr is 16000, must be 8000`,
    );
  });

  it("that were trained on other features than the user names for one that does not say it", async () => {
    const other = changedClassifier("unsaid", (json) => {
      Object.assign(json["audio"]!, { model: "unknown", weights_sha256: "unknown" });
    });
    const path = join(folder(), DETECTOR);
    const text = readFileSync(path, "utf8");
    const at8kHz = join(folder(), "at8kHz.json");
    writeFileSync(at8kHz, text.replaceAll('\\"sr\\":16000', '\\"sr\\":8000'));
    const named = ["--multimodal", other, "--audio_encoder", "audio_stats"];
    const args = ["--audio", CLIP, ...named, "--isolation", "at8kHz.json"];
    const { exitCode, stderr } = await predictBadly(...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(
      "--isolation at8kHz.json (audio): made with other settings than --audio_encoder: audio.sr is 8000, must be 16000",
    );
    const same = ["--audio", CLIP, ...named, "--isolation", DETECTOR];
    expect((await runInProcess(createProgram, same, { cwd: folder() })).exitCode).toBe(0);
  });

  it("of weights that this installation does not have", async () => {
    const other = changedClassifier("weights", (json) => {
      Object.assign(json["image"]!, { weights_sha256: "ab" });
    });
    const { exitCode, stderr } = await predictBadly("--image", FACE, "--multimodal", other);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      /this installation's encoder: made with other settings than the model: weights_sha256 is "[0-9a-f]{64}", must be "ab"/,
    );
  });

  it("that do not heed --weights", async () => {
    const args = ["--image", FACE, "--weights", "a.pth", ...MODELS];
    const { exitCode, stderr } = await predictBadly(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(
      "--weights: is for models trained on resnet18, face_cnn or .onnx embeddings, the encoder of pictures is face",
    );
  });

  it("whose weights are broken end a folder too", async () => {
    const other = changedClassifier("resnet", (json) => {
      Object.assign(json["image"]!, { model: "resnet18", weights_sha256: "ab" });
    });
    writeFileSync(join(folder(), "cut.pth"), "");
    const args = ["--images_dir", "faces", "--multimodal", other, "--weights", "cut.pth"];
    const { exitCode, stderr } = await predictBadly(...args);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(/^predict: cut\.pth: damaged or cut short/m);
  });

  it.each([
    ["unknown", "{}"],
    ["audio_stats", "{}"],
  ])("of an encoder that predict does not have: %s %s", async (model, featureConfig) => {
    const other = changedClassifier(`encoder-${model}`, (json) => {
      Object.assign(json["audio"]!, { model, feature_config: featureConfig });
    });
    const { exitCode, stderr } = await predictBadly("--audio", CLIP, "--multimodal", other);
    expect(exitCode).toBe(1);
    expect(stderr).toMatch(
      new RegExp(
        `trained on audio embeddings of the encoder '${model}' \\(\\d+ values\\), which predict cannot make`,
      ),
    );
    // The picture is of an encoder that it has.
    const args = ["--image", FACE, "--multimodal", other];
    const image = await runInProcess(createProgram, args, { cwd: folder() });
    expect(image.exitCode).toBe(0);
  });
});

describe("inputs", () => {
  it("that are missing", async () => {
    const { exitCode, stderr } = await predictBadly(
      "--image",
      FACE,
      "--audio",
      "none.wav",
      ...MODELS,
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--audio none.wav: no such file");
    const folders = await predictBadly("--images_dir", "none", ...MODELS);
    expect(folders.stderr).toContain("--images_dir none: no such folder");
  });

  it("that hold nothing to predict on", async () => {
    writeFileSync(join(folder(), "text.jpg"), "no picture");
    const broken = await predictBadly("--image", "text.jpg", ...MODELS);
    expect(broken.exitCode).toBe(1);
    expect(broken.stderr).toContain(
      "holds nothing to predict on (face: text.jpg: cannot be decoded as a picture",
    );
    const silent = await predictBadly("--audio", SILENT, ...MODELS);
    expect(silent.stderr).toMatch(/voice: the sound is silent/);
    const both = await predictBadly("--image", NO_FACE, "--audio", SILENT, ...MODELS);
    expect(both.exitCode).toBe(1);
    expect(both.stderr).toMatch(/face: no face found; voice: the sound is silent/);
  });

  it("a folder of broken files, or of none", async () => {
    mkdirSync(join(folder(), "broken"));
    mkdirSync(join(folder(), "empty"));
    writeFileSync(join(folder(), "broken", "a.wav"), "no sound");
    const broken = await predictBadly("--audio_dir", "broken", "--csv", "broken.csv", ...MODELS);
    expect(broken.exitCode).toBe(1);
    expect(broken.stderr).toContain("--audio_dir broken: none of its 1 inputs gave a prediction");
    const empty = await predictBadly("--audio_dir", "empty", ...MODELS);
    expect(empty.exitCode).toBe(1);
    expect(empty.stderr).toContain("--audio_dir empty: holds no file that ends in .wav");
  });
});

describe("outputs", () => {
  it("says before it predicts that the CSV cannot be written", async () => {
    const args = ["--audio_dir", "audio", "--csv", `${CLIP}/out.csv`, "--multimodal", "none"];
    const { exitCode, stderr } = await predictBadly(...args);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(`${CLIP}/out.csv: cannot be written`);
  });
});

describe("wrong usage exits with 2", () => {
  it.each([
    ["no input", MODELS, "one input is needed"],
    [
      "a video and a clip",
      ["--video", "v.mp4", "--audio", CLIP, ...MODELS],
      "a video brings its own faces and sound",
    ],
    [
      "a clip and a folder",
      ["--audio", CLIP, "--audio_dir", "audio", ...MODELS],
      "one input is needed",
    ],
    [
      "two folders",
      ["--images_dir", "faces", "--audio_dir", "audio", ...MODELS],
      "one input is needed",
    ],
    ["--top 0", ["--audio", CLIP, "--top", "0"], "must be a whole number from 1 to 8, got '0'"],
    ["--fps often", ["--audio", CLIP, "--fps", "often"], "got 'often'"],
    ["a flag of another command", ["--audio", CLIP, "--epochs", "3"], "unknown option '--epochs'"],
  ])("%s", async (_name, args, message) => {
    const { exitCode, stderr } = await predictBadly(...args);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });
});
