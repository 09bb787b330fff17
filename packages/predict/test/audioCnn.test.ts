import { join } from "node:path";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { describe, expect, it } from "vitest";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { writeAudioModel } from "../../../test/audioModel.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { createInputEncoders } from "../src/embedInput.ts";

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
