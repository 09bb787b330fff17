import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import { describe, expect, it } from "vitest";
import { writeFaceSample } from "../../../scripts/sample/writeSample.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";

const NOTHING = { weights: undefined, env: {} };

/** What embed says of a resnet18 encoder with weights of this hash. */
function encoderOf(weightsSha256: string): EncoderInfo {
  const featureConfig =
    '{"face_crop":"off","normalisation":"imagenet","resize":"pillow_bilinear","size":224}';
  return { model: "resnet18", weightsSha256, featureConfig, dim: 512 };
}

describe("a model trained on resnet18 embeddings", () => {
  it("gets the embeddings that embed wrote, bit for bit", async () => {
    const folder = temporaryFolder();
    await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
    const args = ["--images_dir", "faces", "--out_h5", "e.h5", "--model", "resnet18"];
    const result = await runCommand("embed", [...args, "--weights", "random"], { cwd: folder });
    expect(result).toMatchObject({ exitCode: 0 });
    const { encoder, splits } = await readEmbeddings(join(folder, "e.h5"), "");
    expect(encoder).toEqual(encoderOf("random-1234"));
    const { embeddings, paths } = splits.get("all")!;
    const inputs = createInputEncoders({ image: encoder }, NOTHING);
    for (const [row, path] of paths.entries()) {
      const { embedding } = await inputs.image(join(folder, "faces", path));
      expect(embedding).toEqual(embeddings.data.slice(row * 512, (row + 1) * 512));
    }
  });

  it.skipIf(!hasFfmpeg()).each(["off", "on"])(
    "gets those of a video, bit for bit, --face_crop %s (skipped where there is no ffmpeg)",
    async (crop) => {
      const folder = temporaryFolder();
      mkdirSync(join(folder, "videos"));
      await drawRoom(join(folder, "room.png"));
      makeVideo(folder, "videos/a.mp4", "room.png", ["-f", "lavfi", "-t", "2", "-i", "sine"]);
      const outputs = ["--out_h5", "e.h5", "--out_audio_h5", "a.h5"];
      const network = ["--model", "resnet18", "--weights", "random", "--face_crop", crop];
      const args = ["--videos_dir", "videos", ...outputs, ...network, "--fps", "9"]; // two batches
      expect(await runCommand("embed", args, { cwd: folder })).toMatchObject({ exitCode: 0 });
      const { encoder, splits } = await readEmbeddings(join(folder, "e.h5"), "");
      const inputs = createInputEncoders({ image: encoder }, NOTHING);
      const { embedding } = await inputs.videoFaces(join(folder, "videos/a.mp4"), { fps: 9 });
      expect(embedding).toEqual(splits.get("all")!.embeddings.data);
    },
  );

  it("asks for weights that nobody publishes", async () => {
    const inputs = createInputEncoders({ image: encoderOf("ab".repeat(32)) }, NOTHING);
    await expect(inputs.image("a.jpg")).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringMatching(/with the weights of SHA-256 abab.*not the published ones/),
      hint: expect.stringMatching(/--weights/),
    });
  });

  it("refuses other weights than it was trained on", async () => {
    const options = { weights: "random", env: {} };
    const inputs = createInputEncoders({ image: encoderOf("ab".repeat(32)) }, options);
    await expect(inputs.image("a.jpg")).rejects.toMatchObject({
      code: "E_SETTINGS",
      message: expect.stringMatching(/weights_sha256 is "random-1234", must be "abab/),
    });
  });

  it("is not predicted with without its weights: that they are broken is no missing face", async () => {
    const weights = join(temporaryFolder(), "cut.pth");
    writeFileSync(weights, "");
    const inputs = createInputEncoders({ image: encoderOf("ab".repeat(32)) }, { weights, env: {} });
    await expect(inputs.image("a.jpg")).rejects.toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringMatching(/cut\.pth: damaged or cut short/),
    });
  });

  it("takes a picture that cannot be read for a missing face", async () => {
    const inputs = createInputEncoders({ image: encoderOf("random-1234") }, NOTHING);
    const path = join(temporaryFolder(), "broken.jpg");
    writeFileSync(path, "no picture");
    expect(await inputs.image(path)).toEqual({
      embedding: undefined,
      cause: expect.stringMatching(/broken\.jpg: cannot be decoded/),
      unreadable: true,
    });
  });
});
