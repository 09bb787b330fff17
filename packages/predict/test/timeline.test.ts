import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { soundOf } from "@emotion-service/core/audio/sound";
import { PREDICTION_SCHEMA } from "@emotion-service/core/predict/predictionSchema";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, it } from "vitest";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { runInProcess } from "../../../test/inProcess.ts";
import { drawRoom, ffmpeg, hasFfmpeg, makeVideo } from "../../../test/video.ts";
import { createProgram } from "../src/cli.ts";
import type { Predictions } from "../src/predict.ts";
import type { Prediction } from "@emotion-service/core/predict/scoreInput";
import { createFrameWindows, embedSoundWindows } from "@emotion-service/core/predict/timeline";
import { CLASSIFIER, CLIP, DETECTOR, FACE, NO_FACE, usePipeline } from "./pipeline.ts";

const BOTH = ["--multimodal", CLASSIFIER, "--isolation", DETECTOR];
const folder = usePipeline();
const validate = new Ajv2020({
  strict: true,
  strictRequired: false,
  allowUnionTypes: true,
}).compile(PREDICTION_SCHEMA);

/** Runs the program in the pipeline's folder; what it prints must be of the schema. */
async function predict<Result = Prediction>(...args: string[]): Promise<Result> {
  const result = await runInProcess(createProgram, args, { cwd: folder() });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  const printed: unknown = JSON.parse(result.stdout);
  validate(printed);
  expect(validate.errors).toBeNull();
  return printed as Result;
}

/** Five seconds of noise at 16 kHz, in which a second from 2 s on is silent. */
function writeNoise(): void {
  const noise = Float32Array.from({ length: 5 * 16_000 }, (_, i) =>
    i >= 32_000 && i < 48_000 ? 0 : Math.sin(i * i) / 2,
  );
  writeFileSync(join(folder(), "noise.wav"), encodeWav(noise, 16_000));
  for (const second of [0, 1, 2, 3, 4]) {
    const part = noise.slice(second * 16_000, (second + 1) * 16_000);
    writeFileSync(join(folder(), `noise${second}.wav`), encodeWav(part, 16_000));
  }
}

/** What the models say, of a summary or of a window. */
function scoreOf({ emotion, confidence, emotion_probs, anomaly_score, anomaly_flag }: Prediction) {
  return { emotion, confidence, emotion_probs, anomaly_score, anomaly_flag };
}

describe("the timeline of sound", () => {
  it("has a window's prediction where the window is a clip of its own, bit for bit", async () => {
    writeNoise();
    const whole = await predict("--audio", "noise.wav", ...BOTH);
    const { timeline, ...summary } = await predict(
      "--audio",
      "noise.wav",
      "--window",
      "1",
      ...BOTH,
    );
    expect(summary).toEqual(whole);
    expect(timeline!.map(({ start, end }) => [start, end])).toEqual(
      [0, 1, 2, 3, 4].map((second) => [second, second + 1]),
    );
    expect(timeline!.map(({ voice }) => voice)).toEqual([true, true, false, true, true]);
    for (const second of [0, 1, 3, 4]) {
      const clip = await predict("--audio", `noise${second}.wav`, ...BOTH);
      expect(timeline![second]).toMatchObject({ ...scoreOf(clip), face: false });
    }
    expect(timeline![2]).toMatchObject({
      emotion: null,
      confidence: null,
      emotion_probs: null,
      anomaly_score: null,
      anomaly_flag: null,
    });
  });

  it("of overlapping windows ends with the first that reaches the end, which is cut there", async () => {
    writeNoise();
    const args = ["--audio", "noise.wav", "--window", "2", "--step", "1.6", ...BOTH];
    const { timeline } = await predict(...args);
    expect(timeline!.map(({ start, end }) => [start, end])).toEqual([
      [0, 2],
      [1.6, 3.6],
      [3.2, 5],
    ]);
  });

  it("does not depend on how the sound is read", async () => {
    const samples = Float32Array.from({ length: 1000 }, (_, i) => i);
    const cut = async (size: number): Promise<string[]> => {
      const found: string[] = [];
      const sound = {
        ...soundOf(samples, 100),
        read: async (onBlock: (block: Float32Array) => boolean | Promise<boolean>) => {
          for (let at = 0; at < samples.length; at += size)
            await onBlock(samples.subarray(at, at + size));
        },
      };
      const windows = { window: 3, step: 1.5 };
      await embedSoundWindows(
        sound,
        windows,
        async (part) => {
          await part.read((block) => found.push(`${block[0]} to ${block.at(-1)}`) > 0);
          return { embedding: undefined, cause: "" };
        },
        undefined,
      );
      return found;
    };
    const expected = [0, 150, 300, 450, 600, 750].map(
      (start) => `${start} to ${Math.min(start + 299, 999)}`,
    );
    for (const size of [1, 7, 100, 150, 1000, 5000]) expect(await cut(size)).toEqual(expected);
  });
});

it("a frame counts in each window that holds its time", () => {
  const windows = createFrameWindows({ window: 1, step: 0.5 }, 2);
  for (const [i, seconds] of [0, 0.4999, 1, 1.5, 2].entries())
    windows.add({ seconds, embedding: i === 3 ? undefined : Float32Array.of(10 ** i) });
  const { parts, seconds } = windows.finish();
  expect(seconds).toBe(2.5);
  expect(parts.map(({ embedding }) => embedding?.[0])).toEqual([5.5, 55, 100, 10_000]);
});

describe.skipIf(!hasFfmpeg())("the timeline of a video (skipped where there is no ffmpeg)", () => {
  it("of one window that holds all of it has the summary's numbers, bit for bit", async () => {
    await drawRoom(join(folder(), "room.png"));
    makeVideo(folder(), "talk.mp4", "room.png", ["-i", CLIP, "-c:a", "aac"]);
    const args = ["--video", "talk.mp4", "--fps", "10", "--window", "60", ...BOTH];
    const { timeline, ...whole } = await predict(...args);
    expect(timeline).toEqual([
      { start: 0, end: expect.any(Number) as unknown, ...scoreOf(whole), face: true, voice: true },
    ]);
    expect(timeline![0]!.end).toBeGreaterThanOrEqual(2);
    expect(timeline![0]!.end).toBeLessThan(3);
  });

  it("tells when a face is there", async () => {
    await drawRoom(join(folder(), "room.png"));
    const still = (name: string) => ["-loop", "1", "-t", "2", "-r", "10", "-i", name];
    const both = "[0]scale=640:480,setsar=1[a];[1]scale=640:480,setsar=1[b];[a][b]concat=n=2";
    const codec = ["-c:v", "mpeg4", "-q:v", "2", "-pix_fmt", "yuv420p", "-r", "10"];
    const inputs = [...still("room.png"), ...still(NO_FACE)];
    ffmpeg(folder(), ...inputs, "-filter_complex", both, ...codec, "leaves.mp4");
    const { timeline } = await predict("--video", "leaves.mp4", "--window", "1", ...BOTH);
    expect(timeline!.map(({ face }) => face)).toEqual([true, true, false, false]);
    expect(timeline!.map(({ voice }) => voice)).toEqual([false, false, false, false]);
    expect(timeline!.map(({ emotion }) => emotion === null)).toEqual([false, false, true, true]);
  });
});

describe("--min_confidence", () => {
  it("says 'uncertain' where the largest probability is below it, and leaves the numbers", async () => {
    const sure = await predict("--audio", CLIP, ...BOTH);
    const at = await predict("--audio", CLIP, "--min_confidence", `${sure.confidence}`, ...BOTH);
    expect(at).toEqual(sure);
    const above = `${sure.confidence! + 1e-6}`;
    const csv = ["--csv", "uncertain.csv"];
    const unsure = await predict("--audio", CLIP, "--min_confidence", above, ...csv, ...BOTH);
    expect(unsure).toEqual({ ...sure, emotion: "uncertain" });
    expect(readFileSync(join(folder(), "uncertain.csv"), "utf8")).toContain(`${CLIP},uncertain,`);
  });
});

describe("the schema", () => {
  it("describes what is printed of one input, with and without models, and of a folder", async () => {
    await predict("--image", FACE, "--audio", CLIP, "--top", "2", ...BOTH);
    await predict("--audio", CLIP, "--isolation", DETECTOR);
    writeFileSync(join(folder(), "audio/broken.wav"), "no sound");
    const args = ["--audio_dir", "audio", "--window", "1", "--quiet", ...BOTH];
    const { failed } = await predict<Predictions>(...args);
    expect(failed).toHaveLength(1);
  });

  it("refuses what is not so", async () => {
    const good = await predict("--audio", CLIP, ...BOTH);
    const { notes: _, ...without } = good;
    for (const bad of [
      without,
      { ...good, confidence: 1.5 },
      { ...good, video: "a.mp4" },
      { ...good, more: 1 },
    ])
      expect(validate(bad)).toBe(false);
  });
});

describe("wrong usage", () => {
  it.each([
    ["--step alone", ["--audio", CLIP, "--step", "1"], "give --window too"],
    ["a step beyond", ["--audio", CLIP, "--window", "1", "--step", "2"], "at most --window"],
    ["a picture", ["--image", FACE, "--window", "1"], "a picture has no time"],
    ["no time", ["--audio", CLIP, "--window", "0"], "a number from 0.1 to 600"],
    [
      "--min_confidence without a classifier",
      ["--audio", CLIP, "--min_confidence", "0.5", "--isolation", DETECTOR],
      "is for a classifier",
    ],
  ])("%s", async (_name, args, message) => {
    const result = await runInProcess(createProgram, args, { cwd: folder() });
    expect(result).toMatchObject({ exitCode: 2, stdout: "" });
    expect(result.stderr).toContain(message);
  });
});
