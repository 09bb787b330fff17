import { copyFileSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { readCheckpoint } from "@emotion-service/core/model/checkpoint";
import { describe, expect, it } from "vitest";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { runCommand } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";
import { createProgram } from "../src/cli.ts";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";
import type { Predictions } from "../src/predict.ts";
import type { Prediction } from "@emotion-service/core/predict/scoreInput";
import { CLASSIFIER, CLIP, DETECTOR, FACE, NO_FACE, SILENT, usePipeline } from "./pipeline.ts";

const BOTH = ["--multimodal", CLASSIFIER, "--isolation", DETECTOR];
const CLASSES = ["angry", "disgust", "fear", "happy", "neutral", "sad"];

const folder = usePipeline();

/** Runs the program in the pipeline's folder, which must succeed, and returns what it printed. */
async function predict<Result = Prediction>(...args: string[]): Promise<Result> {
  const result = await runInProcess(createProgram, args, { cwd: folder() });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  return JSON.parse(result.stdout) as Result;
}

/** Emotions and scores are there, and agree with each other. */
function expectWhole(prediction: Prediction): void {
  const { emotion, confidence, emotion_probs, anomaly_score, anomaly_flag } = prediction;
  const probabilities = Object.entries(emotion_probs!);
  expect(probabilities.map(([name]) => name).sort()).toEqual(CLASSES);
  const values = probabilities.map(([, probability]) => probability);
  expect(values).toEqual(values.toSorted((a, b) => b - a));
  expect(values.reduce((a, b) => a + b, 0)).toBeCloseTo(1, 5);
  expect([emotion, confidence]).toEqual(probabilities[0]);
  expect(anomaly_flag).toBe(anomaly_score! > 0);
  expect(prediction.engine).toMatch(/^(onnxruntime|tensorflow\.js) /);
}

it("a run that was stopped prints no prediction", async () => {
  const result = await runInProcess(createProgram, ["--audio", CLIP, ...BOTH], {
    cwd: folder(),
    signal: AbortSignal.abort(),
  });
  expect(result).toMatchObject({ exitCode: 130, stdout: "" });
});

it("says that of long sound the middle is used, as long as the model was trained on", async () => {
  const noise = Float32Array.from({ length: 5 * 16000 }, (_, i) => Math.sin(i * i) / 2);
  writeFileSync(join(folder(), "long.wav"), encodeWav(noise, 16000));
  const { modalities, notes } = await predict("--audio", "long.wav", ...BOTH);
  expect(modalities.audio).toEqual({ present: true, duration_seconds: 5, used_seconds: 3 });
  expect(notes[1]).toBe(
    "only the middle 3 s of the 5.0 s of sound are used, as the model was trained",
  );
});

it("does not write its CSV over what it reads", async () => {
  const args = ["--image", FACE, "--csv", FACE, ...BOTH];
  const result = await runInProcess(createProgram, args, { cwd: folder() });
  expect(result).toMatchObject({ exitCode: 2, stdout: "" });
  expect(result.stderr).toContain(`${FACE}: would replace an input of that name`);
});

describe("predict on one input", () => {
  it("a picture and a clip", async () => {
    const prediction = await predict("--image", FACE, "--audio", CLIP, ...BOTH);
    expectWhole(prediction);
    expect(prediction).toMatchObject({
      image: FACE,
      audio: CLIP,
      modalities: { image: { present: true }, audio: { present: true } },
    });
    expect(prediction.notes).toEqual([expect.stringContaining("made by label")]);
  });

  it("a picture alone, a clip alone: the other is missing, and that is said", async () => {
    const image = await predict("--image", FACE, ...BOTH);
    expectWhole(image);
    expect(image.modalities.audio).toEqual({ present: false, cause: "not given" });
    expect(image.notes).toContain(
      "the anomaly score fills the missing audio with the training mean",
    );
    const audio = await predict("--audio", CLIP, ...BOTH);
    expectWhole(audio);
    expect(audio.modalities.image).toEqual({ present: false, cause: "not given" });
  });

  it("a silent clip, or a picture without a face, counts as missing", async () => {
    const silent = await predict("--image", FACE, "--audio", SILENT, ...BOTH);
    expectWhole(silent);
    expect(silent.modalities.audio).toMatchObject({
      present: false,
      cause: expect.stringContaining("silent") as unknown,
    });
    const alone = await predict("--image", FACE, ...BOTH);
    expect(silent.emotion_probs).toEqual(alone.emotion_probs);
    const faceless = await predict("--image", NO_FACE, "--audio", CLIP, ...BOTH);
    expectWhole(faceless);
    expect(faceless.modalities.image).toEqual({ present: false, cause: "no face found" });
  });

  it("a broken picture beside a good clip costs the picture alone", async () => {
    writeFileSync(join(folder(), "broken.jpg"), "no picture");
    const prediction = await predict("--image", "broken.jpg", "--audio", CLIP, ...BOTH);
    expectWhole(prediction);
    expect(prediction.modalities.image.cause).toContain(
      "broken.jpg: cannot be decoded as a picture",
    );
  });

  it("one model alone leaves the other's fields null", async () => {
    const classifier = await predict("--audio", CLIP, "--multimodal", CLASSIFIER, "--json");
    expect(classifier).toMatchObject({ anomaly_score: null, anomaly_flag: null });
    expect(classifier.emotion).not.toBeNull();
    const detector = await predict("--audio", CLIP, "--isolation", DETECTOR);
    expect(detector.engine).toBeNull();
    expect(detector).toMatchObject({ emotion: null, confidence: null, emotion_probs: null });
    expect(detector.anomaly_score).not.toBeNull();
  });

  it("a detector of sound alone: no score for a picture, and that is said", async () => {
    const train =
      "--train_h5 pairs.h5 --save_dir heard --modalities audio --n_estimators 5 --quiet";
    await runCommand("train-anomaly", train.split(" "), { cwd: folder() });
    const models = ["--multimodal", CLASSIFIER, "--isolation", "heard/isolation_forest.json"];
    const picture = await predict("--image", FACE, ...models);
    expect(picture).toMatchObject({ anomaly_score: null, anomaly_flag: null });
    expect(picture.emotion).not.toBeNull();
    expect(picture.notes).toContain(
      "the anomaly detector was trained without what this input has: no score is told",
    );
    const clip = await predict("--audio", CLIP, ...models);
    expectWhole(clip);
    expect(clip.notes.join()).not.toContain("fills the missing");
  });

  it("--top lists the likeliest emotions first", async () => {
    const { top, emotion_probs } = await predict("--audio", CLIP, "--top", "2", ...BOTH);
    expect(top).toEqual(
      Object.entries(emotion_probs!)
        .slice(0, 2)
        .map(([emotion, probability]) => ({ emotion, probability })),
    );
  });

  it("the built command says the same, to the last digit, on one line with --json", async () => {
    const args = ["--image", FACE, "--audio", CLIP, ...BOTH];
    const result = await runCommand("predict", [...args, "--json"], { cwd: folder() });
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    expect(result.stdout).toMatch(/^[^\n]+\n$/);
    expect(JSON.parse(result.stdout)).toEqual(await predict(...args));
  });
});

describe("predict on a folder", () => {
  it("gives every picture a prediction and the CSV a row; what fails is named", async () => {
    const some = join(folder(), "some");
    mkdirSync(join(some, "deep"), { recursive: true });
    for (const name of ["a.jpg", "deep/b.jpg"])
      writeFileSync(join(some, name), readFileSync(join(folder(), FACE)));
    writeFileSync(join(some, "broken.png"), "no picture");
    const args = ["--images_dir", "some", "--csv", "out/predictions.csv", ...BOTH];
    const result = await runInProcess(createProgram, args, { cwd: folder() });
    expect(result).toMatchObject({
      exitCode: 0,
      stderr: expect.stringMatching(/^failed: 1\n {2}1 × holds nothing to predict on/) as unknown,
    });
    const { predictions, failed } = JSON.parse(result.stdout) as Predictions;
    expect(predictions.map(({ image }) => image)).toEqual(["some/a.jpg", "some/deep/b.jpg"]);
    for (const prediction of predictions) expectWhole(prediction);
    expect(failed).toMatchObject([
      { image: "some/broken.png", error: expect.stringContaining("cannot be decoded") as unknown },
    ]);
    const [header, ...rows] = readFileSync(join(folder(), "out/predictions.csv"), "utf8")
      .trim()
      .split("\n");
    const probabilities = CLASSES.map((name) => `prob_${name}`);
    const columns = ["path", "emotion", "confidence", ...probabilities].concat(
      "anomaly_score",
      "anomaly_flag",
      "error",
    );
    expect(header).toBe(columns.join(","));
    const [broken, ...others] = rows.filter((row) => row.includes("broken"));
    expect(others).toEqual([]);
    expect(broken).toMatch(
      /^some\/broken\.png,{11}"?holds nothing to predict on \(face: cannot be decoded/,
    );
    expect(rows.filter((row) => !row.includes("broken"))).toEqual(
      predictions.map((prediction) =>
        [
          prediction.image,
          prediction.emotion,
          prediction.confidence,
          ...CLASSES.map((name) => prediction.emotion_probs![name]),
          prediction.anomaly_score,
          Number(prediction.anomaly_flag),
          "",
        ].join(","),
      ),
    );
  });

  it("does so for clips too", async () => {
    const { predictions, failed } = await predict<Predictions>("--audio-dir", "audio", ...BOTH);
    expect(predictions).toHaveLength(12);
    expect(failed).toEqual([]);
    for (const prediction of predictions) expectWhole(prediction);
  });
});

it("an input is embedded as embed embedded it for training, bit for bit", async () => {
  const { encoders } = readCheckpoint(join(folder(), CLASSIFIER), "--multimodal");
  const inputs = createInputEncoders(encoders, { weights: undefined, env: {} });
  for (const [file, root] of [
    ["images.h5", "faces"],
    ["audio.h5", "audio"],
  ] as const) {
    const { splits } = await readEmbeddings(join(folder(), file), "");
    const { embeddings, paths } = splits.get("all")!;
    expect(paths).toHaveLength(12);
    for (const [row, path] of paths.entries()) {
      const full = join(folder(), root, path);
      const { embedding } = await (root === "faces" ? inputs.image(full) : inputs.audio(full));
      const { data, columns } = embeddings;
      expect(embedding).toEqual(data.slice(row * columns, (row + 1) * columns));
    }
  }
});

describe.skipIf(!hasFfmpeg())("predict on a video (skipped where there is no ffmpeg)", () => {
  it("its faces and its sound", async () => {
    await drawRoom(join(folder(), "room.png"));
    makeVideo(folder(), "talk.mp4", "room.png", ["-i", CLIP, "-c:a", "aac"]);
    const prediction = await predict("--video", "talk.mp4", "--fps", "3", ...BOTH);
    expectWhole(prediction);
    const { image, audio } = prediction.modalities;
    expect(prediction.video).toBe("talk.mp4");
    expect(audio).toMatchObject({ present: true });
    expect(image).toMatchObject({ present: true });
    expect(image["frames"]).toBeGreaterThanOrEqual(6); // ffmpeg rounds a part of a frame up
    expect(image["faces"]).toBe(image["frames"]);
  });

  it("as embed --videos_dir embedded it for training, bit for bit", async () => {
    await drawRoom(join(folder(), "room.png"));
    mkdirSync(join(folder(), "talks"));
    makeVideo(folder(), "talks/talk.mp4", "room.png", ["-i", CLIP, "-c:a", "aac"]);
    const outputs = ["--out_h5", "vi.h5", "--out_audio_h5", "va.h5"];
    const args = ["--videos_dir", "talks", ...outputs, "--fps", "3"];
    expect(await runCommand("embed", args, { cwd: folder() })).toMatchObject({ exitCode: 0 });
    const [images, audio] = await Promise.all(
      ["vi.h5", "va.h5"].map((file) => readEmbeddings(join(folder(), file), "")),
    );
    const encoders = createInputEncoders(
      { image: images!.encoder, audio: audio!.encoder },
      { weights: undefined, env: {} },
    );
    const video = join(folder(), "talks/talk.mp4");
    const faces = await encoders.videoFaces(video, { fps: 3 });
    expect(faces.embedding).toEqual(images!.splits.get("all")!.embeddings.data);
    const voice = await encoders.audio(video);
    expect(voice.embedding).toEqual(audio!.splits.get("all")!.embeddings.data);
  });

  it("without sound, or without a face, that one is missing; without either there is nothing", async () => {
    await drawRoom(join(folder(), "room.png"));
    makeVideo(folder(), "mute.mp4", "room.png", []);
    const mute = await predict("--video", "mute.mp4", ...BOTH);
    expectWhole(mute);
    expect(mute.modalities).toMatchObject({ image: { present: true }, audio: { present: false } });
    makeVideo(folder(), "voice.mp4", NO_FACE, ["-i", CLIP, "-c:a", "aac"]);
    const voice = await predict("--video", "voice.mp4", ...BOTH);
    expectWhole(voice);
    expect(voice.modalities.audio.present).toBe(true);
    expect(voice.modalities.image.cause).toMatch(/^no face found in \d+ frames$/);
    makeVideo(folder(), "empty.mp4", NO_FACE, []);
    const args = ["--video", "empty.mp4", ...BOTH];
    const empty = await runInProcess(createProgram, args, { cwd: folder() });
    expect(empty).toMatchObject({ exitCode: 1, stdout: "" });
    expect(empty.stderr).toContain("empty.mp4: holds nothing to predict on (face: no face found");
    mkdirSync(join(folder(), "empty"));
    for (const name of ["a.mp4", "b.mp4"])
      copyFileSync(join(folder(), "empty.mp4"), join(folder(), "empty", name));
    const all = await runInProcess(createProgram, ["--videos_dir", "empty", ...BOTH], {
      cwd: folder(),
    });
    expect(all).toMatchObject({ exitCode: 1, stdout: "" });
    expect(all.stderr).toMatch(
      /--videos_dir empty: none of its 2 inputs gave a prediction\n {2}hint: 2 × holds nothing to predict on \(face: no face found; voice: .*\)\n$/,
    );
  });
});
