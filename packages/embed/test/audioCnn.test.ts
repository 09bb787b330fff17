import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { loadAudioCnnEncoder } from "@emotion-service/core/audio/audioCnnEncoder";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { createRandom, normal } from "@emotion-service/core/random";
import { expect, test } from "vitest";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { writeAudioModel } from "../../../test/audioModel.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";

const MODEL = ["--model", "audio_cnn", "--weights", "model"];

/** A folder of six clips and a model. */
function workplace(): string {
  const folder = temporaryFolder();
  writeSpeechSample(join(folder, "voice"), { speakers: 1, sentences: 1 });
  writeAudioModel(join(folder, "model"), 3);
  return folder;
}

async function embed(folder: string, ...args: string[]) {
  const result = await runCommand("embed", args, { cwd: folder });
  return { ...result, names: namesIn(folder) };
}

test("sound files and their preprocessed audio have the same embeddings, and the file says whose", async () => {
  const folder = workplace();
  const preprocess = ["--audio_dir", "voice", "--out_h5", "p.h5", "--out_dir", "pre"];
  await runCommand("audio-preprocess", preprocess, { cwd: folder });
  const outputs = [
    await embed(folder, "--audio_dir", "voice", "--out_h5", "a.h5", "--workers", "1", ...MODEL),
    await embed(folder, "--audio_dir", "voice", "--out_h5", "b.h5", "--workers", "3", ...MODEL),
    await embed(folder, "--audio_h5", "p.h5", "--out_h5", "c.h5", ...MODEL),
  ];
  for (const output of outputs) expect(output).toMatchObject({ exitCode: 0, stderr: "" });
  expect(readFileSync(join(folder, "b.h5"))).toEqual(readFileSync(join(folder, "a.h5")));
  const [direct, preprocessed] = await Promise.all(
    ["a.h5", "c.h5"].map((name) => readEmbeddings(join(folder, name), "")),
  );
  expect(direct!.encoder).toMatchObject({ model: "audio_cnn", dim: 128 });
  expect(direct!.encoder.weightsSha256).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.parse(direct!.encoder.featureConfig)).toEqual({ audio: DEFAULT_LOG_MEL });
  expect(preprocessed).toEqual(direct);
  const { embeddings } = direct!.splits.get("all")!;
  const rows = Array.from({ length: embeddings.rows }, (_, row) =>
    embeddings.data.slice(row * 128, (row + 1) * 128).join(),
  );
  expect(new Set(rows).size).toBe(embeddings.rows);
});

test("ONNX Runtime and TensorFlow.js give a clip the same embedding, padded or not", async () => {
  const notices: string[] = [];
  const model = join(temporaryFolder(), "model");
  writeAudioModel(model, 3);
  const onnx = await loadAudioCnnEncoder(model, "--weights");
  const tfjs = await loadAudioCnnEncoder(model, "--weights", {
    runtime: { ok: false, cause: "none here" },
    onNotice: (line) => notices.push(line),
  });
  expect(notices).toEqual([expect.stringMatching(/ONNX Runtime does not load \(none here\)/)]);
  const random = createRandom(1);
  const [mels, frames] = [DEFAULT_LOG_MEL.n_mels, 45];
  const clip = Float32Array.from({ length: mels * frames }, () => -40 + 10 * normal(random));
  const padded = new Float32Array(mels * (frames + 20)).fill(-80);
  for (let m = 0; m < mels; m += 1)
    padded.set(clip.subarray(m * frames, (m + 1) * frames), m * (frames + 20) + 10);
  const expected = await onnx.embed(clip, frames);
  expect(await tfjs.embed(clip, frames)).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
  expect(await onnx.embed(padded, frames + 20)).toEqual(expected);
  await onnx.dispose();
  await tfjs.dispose();
});

test("preprocessed audio of other settings, and a model that is damaged, are refused and leave nothing", async () => {
  const folder = workplace();
  const preprocess = ["--audio_dir", "voice", "--out_h5", "other.h5", "--out_dir", "pre2"];
  await runCommand("audio-preprocess", [...preprocess, "--hop_length", "256"], { cwd: folder });
  const before = namesIn(folder);
  const other = await embed(folder, "--audio_h5", "other.h5", "--out_h5", "new.h5", ...MODEL);
  expect(other).toMatchObject({
    exitCode: 1,
    names: before,
    stderr: expect.stringMatching(
      /other\.h5: must be made with the feature settings that the network/,
    ),
  });
  mkdirSync(join(folder, "damaged"));
  writeFileSync(join(folder, "damaged/model.json"), "{");
  const missing = ["--model", "audio_cnn", "--weights", "none"];
  expect(
    await embed(folder, "--audio_dir", "voice", "--out_h5", "new.h5", ...missing),
  ).toMatchObject({ exitCode: 1, stderr: expect.stringMatching(/--weights none: no such model/) });
  const damaged = ["--model", "audio_cnn", "--weights", "damaged"];
  const result = await embed(folder, "--audio_dir", "voice", "--out_h5", "new.h5", ...damaged);
  expect(result).toMatchObject({
    exitCode: 1,
    names: [...before, "damaged"].sort(),
    stderr: expect.stringMatching(/--weights damaged: is not a whole model/),
  });
});
