import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSound } from "@emotion-service/core/audio/decode";
import { samplesOf } from "@emotion-service/core/audio/sound";
import { type EmbeddingRows, readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { describe, expect, test } from "vitest";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { bandsNetwork, framesNetwork } from "../../../test/onnxNetworks.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";
import { createProgram } from "../src/cli.ts";

/** A folder of six clips at 16 kHz and a network, network.onnx. */
function workplace(
  makeNetwork: (folder: string) => string = (folder) =>
    framesNetwork(["batch", "samples"], { folder }),
): string {
  const folder = temporaryFolder();
  writeSpeechSample(join(folder, "voice"), { speakers: 1, sentences: 1 });
  makeNetwork(folder);
  return folder;
}

const MODEL = ["--model", "network.onnx"];

async function embed(folder: string, ...args: string[]) {
  const result = await runCommand("embed", args, { cwd: folder });
  return { ...result, names: namesIn(folder) };
}

async function embedded(folder: string, name: string) {
  const { encoder, splits } = await readEmbeddings(join(folder, name), "");
  const { embeddings, paths } = splits.get("all") as EmbeddingRows;
  const rows = paths.map((_, i) => embeddings.data.slice(i * encoder.dim, (i + 1) * encoder.dim));
  return { encoder, paths, rows };
}

describe("a network of waveforms", () => {
  test("is given whole clips as they are, whatever the number of workers; one that it cannot take costs that one", async () => {
    const folder = workplace();
    writeFileSync(join(folder, "voice/silent.wav"), encodeWav(new Float32Array(8000), 16_000));
    writeFileSync(join(folder, "voice/short.wav"), encodeWav(new Float32Array(300).fill(0.1), 16_000)); // prettier-ignore
    writeFileSync(join(folder, "voice/broken.wav"), "no sound");
    const args = ["--audio_dir", "voice", ...MODEL];
    const one = await embed(folder, ...args, "--out_h5", "a.h5", "--workers", "1");
    const three = await embed(folder, ...args, "--out_h5", "b.h5", "--workers", "3");
    expect([one, three]).toMatchObject([{ exitCode: 0, stderr: "" }, { exitCode: 0 }]);
    expect(readFileSync(join(folder, "b.h5"))).toEqual(readFileSync(join(folder, "a.h5")));
    expect(readFileSync(join(folder, "a_manifest.csv"), "utf8").split(/\r?\n/).sort()).toEqual(
      expect.arrayContaining([
        expect.stringMatching(/^broken\.wav,.*failed,/),
        expect.stringMatching(/^short\.wav,.*failed,.*does not run on a clip of 300 samples/),
        "silent.wav,unknown,failed,silent: every sample is zero",
      ]),
    );
    const { encoder, paths, rows } = await embedded(folder, "a.h5");
    expect(encoder).toMatchObject({ model: "onnx", dim: 2 });
    expect(paths).toHaveLength(6);
    for (const [i, path] of paths.entries()) {
      const samples = await samplesOf(await openSound(join(folder, "voice", path)));
      const whole = samples.subarray(0, samples.length - (samples.length % 400)); // frames of the network
      expect(rows[i]![0]).toBeCloseTo(whole.reduce((sum, x) => sum + x, 0) / whole.length, 6);
    }
  });

  test("is given them at its rate", async () => {
    const folder = workplace((at) => framesNetwork(["batch", 4000], { folder: at }));
    const args = ["--audio_dir", "voice", ...MODEL, "--sr", "8000", "--out_h5", "a.h5"];
    expect(await embed(folder, ...args)).toMatchObject({ exitCode: 0 });
    const { encoder, paths, rows } = await embedded(folder, "a.h5");
    expect(JSON.parse(encoder.featureConfig)).toEqual({ audio_input: "waveform", sr: 8000, do_normalize: false }); // prettier-ignore
    const samples = await samplesOf(await openSound(join(folder, "voice", paths[0]!)));
    const middle = samples.subarray(samples.length / 2 - 4000, samples.length / 2 + 4000); // half a second at 16 kHz
    const expected = middle.reduce((sum, x) => sum + x, 0) / middle.length;
    expect(Math.abs(rows[0]![0]! - expected)).toBeLessThan(1e-4); // the resampler's filter reaches over the ends
  });

  test.runIf(hasFfmpeg())("embeds the sound of videos", async () => {
    const folder = workplace();
    await drawRoom(join(folder, "room.png"));
    const voice = ["-i", "voice/1001_DFA_HAP_XX.wav", "-c:a", "aac"];
    makeVideo(folder, "one.mp4", "room.png", voice);
    const outputs = ["--out_h5", "faces.h5", "--out_audio_h5", "voices.h5"];
    const args = ["--videos_dir", ".", ...outputs, "--audio_model", "network.onnx", "--sr", "8000"];
    expect(await embed(folder, ...args)).toMatchObject({ exitCode: 0 });
    const { encoder, paths } = await embedded(folder, "voices.h5");
    expect(encoder).toMatchObject({ model: "onnx", dim: 2 });
    expect(paths).toEqual(["one.mp4"]);
  });
});

describe("a network of log-mel", () => {
  test("gives sound files and their preprocessed audio the same embeddings", async () => {
    const folder = workplace((at) => bandsNetwork(["batch", 64, "frames"], "nct", {}, at));
    const preprocess = ["--audio_dir", "voice", "--out_h5", "p.h5", "--out_dir", "pre"];
    await runCommand("audio-preprocess", preprocess, { cwd: folder });
    const direct = await embed(folder, "--audio_dir", "voice", ...MODEL, "--out_h5", "a.h5");
    const stored = await embed(folder, "--audio_h5", "p.h5", ...MODEL, "--out_h5", "b.h5");
    expect([direct, stored]).toMatchObject([{ exitCode: 0 }, { exitCode: 0 }]);
    expect(await embedded(folder, "b.h5")).toEqual(await embedded(folder, "a.h5"));
    const { rows } = await embedded(folder, "a.h5");
    expect(new Set(rows.map((row) => row.join())).size).toBe(rows.length);
  });

  test("takes preprocessed audio of any settings, unless it says or is told which", async () => {
    const own = '{"fixed_duration":0,"hop_length":256,"n_fft":1024,"n_mels":64,"pad_mode":"constant","sr":16000,"top_db":20}'; // prettier-ignore
    const folder = workplace((at) => bandsNetwork(["batch", 64, "frames"], "nct", {}, at));
    const preprocess = ["--audio_dir", "voice", "--out_h5", "p.h5", "--out_dir", "pre", "--hop_length", "256", "--fixed_duration", "0"]; // prettier-ignore
    await runCommand("audio-preprocess", preprocess, { cwd: folder });
    const args = ["--audio_h5", "p.h5", ...MODEL];
    expect(await embed(folder, ...args, "--out_h5", "a.h5")).toMatchObject({ exitCode: 0 });
    const { encoder } = await embedded(folder, "a.h5");
    expect(JSON.parse(encoder.featureConfig)).toEqual({ audio_input: "logmel", audio: JSON.parse(own), normalisation: "none" }); // prettier-ignore
    expect(await embed(folder, ...args, "--out_h5", "b.h5", "--sr", "8000")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/p\.h5: must be made with the feature settings.*"sr":8000/),
    });
    bandsNetwork(["batch", 64, "frames"], "nct", { feature_config: own.replace("256", "160") }, folder); // prettier-ignore
    expect(await embed(folder, ...args, "--out_h5", "b.h5")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/must be made with the feature settings.*"hop_length":160/),
    });
    bandsNetwork(["batch", 64, "frames"], "nct", { feature_config: own }, folder);
    expect(await embed(folder, ...args, "--out_h5", "b.h5")).toMatchObject({ exitCode: 0 });
  });
});

describe("refused", () => {
  const SOUND = ["--audio_dir", "voice", "--model", "network.onnx", "--out_h5", "new.h5"];
  const PICTURES = ["--images_dir", "voice", "--model", "network.onnx", "--out_h5", "new.h5"];
  test.each<[args: string[], exitCode: number, message: RegExp]>([
    [
      [...SOUND, "--input_size", "64"],
      2,
      /--input_size: is not for an \.onnx file that takes sound/,
    ],
    [[...SOUND, "--layout", "nchw"], 2, /--layout nchw: must be nct or ntc for sound/],
    [[...SOUND, "--mean", "1,2,3"], 2, /--mean: must be one number for sound, has 3/],
    [
      [...SOUND, "--weights", "x"],
      2,
      /--weights: is for --model resnet18, face_cnn or audio_cnn, the model is onnx/,
    ],
    [[...PICTURES, "--sr", "8000"], 2, /--sr: is not for an \.onnx file that takes pictures/],
    [[...PICTURES, "--layout", "ntc"], 2, /--layout ntc: must be nchw or nhwc for pictures/],
    [
      ["--audio_dir", "voice", "--out_h5", "new.h5", "--sr", "8000"],
      2,
      /--sr: is for --model FILE\.onnx, the model is audio_stats/,
    ],
    [
      ["--videos_dir", "v", "--out_h5", "new.h5", "--out_audio_h5", "b.h5", "--do_normalize", "on"],
      2,
      /--do_normalize: is for --audio_model FILE\.onnx, the model is audio_stats/,
    ],
    [
      ["--videos_dir", "v", "--out_h5", "new.h5", "--out_audio_h5", "b.h5", "--audio_model", "network.onnx", "--mean", "0"], // prettier-ignore
      2,
      /--mean: is for --model FILE\.onnx, the model is face/,
    ],
    [
      ["--audio_h5", "none.h5", "--model", "network.onnx", "--out_h5", "new.h5"],
      1,
      /none\.h5: no such file/,
    ],
  ])("%o", async (args, exitCode, message) => {
    // prettier-ignore
    const folder = workplace();
    const before = namesIn(folder);
    const result = await runInProcess(createProgram, args, { cwd: folder });
    expect(result).toMatchObject({ exitCode, stderr: expect.stringMatching(message) });
    expect(namesIn(folder)).toEqual(before);
  });

  test("preprocessed audio for a network of waveforms", async () => {
    const folder = workplace();
    const preprocess = ["--audio_dir", "voice", "--out_h5", "p.h5", "--out_dir", "pre"];
    await runCommand("audio-preprocess", preprocess, { cwd: folder });
    const args = ["--audio_h5", "p.h5", ...MODEL, "--out_h5", "new.h5"];
    expect(await embed(folder, ...args)).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/network\.onnx: takes waveforms, --audio_h5 holds log-mel/),
    });
  });
});
