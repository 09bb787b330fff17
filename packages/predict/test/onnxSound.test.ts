import { copyFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddingRows, readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { describe, expect, it } from "vitest";
import { writeFaceSample, writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { bandsNetwork, framesNetwork } from "../../../test/onnxNetworks.ts";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";

const WAV2VEC2 = join(import.meta.dirname, "../../core/test/fixtures/onnx/wav2vec2.onnx");

/** Clips, and what embed made of them with a network of its own folder. */
async function embedded(makeNetwork: (folder: string) => void, ...flags: string[]) {
  const folder = temporaryFolder();
  writeSpeechSample(join(folder, "voice"), { speakers: 2, sentences: 1 });
  makeNetwork(folder);
  const args = ["--audio_dir", "voice", "--out_h5", "e.h5", "--model", "network.onnx", ...flags];
  const { exitCode, stderr } = await runCommand("embed", args, { cwd: folder });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  const { encoder, splits } = await readEmbeddings(join(folder, "e.h5"), "");
  return { folder, encoder, ...(splits.get("all") as EmbeddingRows) };
}

describe("a model trained on embeddings of sound by an .onnx file", () => {
  it.each<[string, (folder: string) => void, string[]]>([
    [
      "a waveform as metadata and flags have it",
      (folder) => {
        copyFileSync(WAV2VEC2, join(folder, "network.onnx"));
        writeFileSync(join(folder, "preprocessor_config.json"), '{"do_normalize": true}');
      },
      ["--sr", "8000", "--output", "last_hidden_state"],
    ],
    [
      "log-mel of a fixed number of frames, scaled",
      (folder) => bandsNetwork(["batch", "a", "b"], "ntc", {}, folder),
      ["--audio_input", "logmel", "--layout", "ntc", "--mean", "-40", "--std", "20"],
    ],
  ])("gets the embeddings that embed wrote, bit for bit: %s", async (_, makeNetwork, flags) => {
    const { folder, encoder, embeddings, paths } = await embedded(makeNetwork, ...flags);
    writeFileSync(join(folder, "preprocessor_config.json"), '{"do_normalize": false}'); // counts no more
    const audioWeights = join(folder, "network.onnx");
    const options = { weights: undefined, env: {}, audioWeights };
    const inputs = createInputEncoders({ audio: encoder }, options);
    for (const [row, path] of paths.entries()) {
      const { embedding } = await inputs.audio(join(folder, "voice", path));
      const expected = embeddings.data.slice(row * encoder.dim, (row + 1) * encoder.dim);
      expect(embedding).toEqual(expected);
    }
  });

  it("asks for its file, and refuses another", async () => {
    const { folder, encoder, paths } = await embedded((at) =>
      framesNetwork(["batch", "samples"], { folder: at }),
    );
    const clip = join(folder, "voice", paths[0]!);
    const without = createInputEncoders({ audio: encoder }, { weights: undefined, env: {} });
    await expect(without.audio(clip)).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringContaining(`SHA-256 ${encoder.weightsSha256}`),
      hint: expect.stringContaining("--audio_weights"),
    });
    const audioWeights = framesNetwork(["batch", "samples"], { metadata: { other: "one" } });
    const other = createInputEncoders({ audio: encoder }, { weights: undefined, env: {}, audioWeights }); // prettier-ignore
    await expect(other.audio(clip)).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringMatching(/weights_sha256/),
    });
  });

  it("predicts, with --audio_weights", async () => {
    const { folder, paths } = await embedded((at) =>
      copyFileSync(WAV2VEC2, join(at, "network.onnx")),
    );
    await writeFaceSample(join(folder, "faces"), { facesPerClass: 2 });
    const steps = [
      "embed --images_dir faces --out_h5 images.h5",
      "pair --img_h5 images.h5 --aud_h5 e.h5 --out_h5 pairs.h5 --match_by label",
      "train-multimodal --train_h5 pairs.h5 --epochs 1 --batch_size 4 --save_dir models",
    ];
    for (const step of steps) {
      const [command = "", ...args] = step.split(" ");
      const result = await runCommand(command, [...args, "--quiet"], { cwd: folder });
      expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    }
    const clip = join("voice", paths[0]!);
    const args = ["--audio", clip, "--multimodal", "models/multimodal_best"];
    const named = [...args, "--audio_weights", "network.onnx", "--json"];
    const { exitCode, stdout, stderr } = await runCommand("predict", named, { cwd: folder });
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    const told = JSON.parse(stdout) as { emotion_probs: Record<string, number> };
    expect(Object.values(told.emotion_probs).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    const without = await runCommand("predict", args, { cwd: folder });
    expect(without).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/--audio_weights/),
    });
  });
});
