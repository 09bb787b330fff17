import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { AUDIO_EXTENSIONS, listFiles } from "@emotion-service/core/files/listFiles";
import { readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { SHIPPED_FACE_CNN } from "@emotion-service/core/model/shippedModels";
import { describe, expect, it } from "vitest";
import { drawFace } from "../../../scripts/sample/faces.ts";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";
import { createInputEncoders } from "@emotion-service/core/predict/embedInput";

interface Told {
  readonly emotion: string | null;
  readonly emotion_probs: Readonly<Record<string, number>>;
  readonly modalities: Readonly<Record<"image" | "audio", { present: boolean; cause?: string }>>;
}

async function workplace(): Promise<string> {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "face.jpg"), await drawFace({ emotion: "happy", face: 1, seed: 2 }));
  await drawRoom(join(folder, "room.png"));
  return folder;
}

async function predict(folder: string, ...args: readonly string[]): Promise<Told> {
  const { exitCode, stdout, stderr } = await runCommand("predict", args, { cwd: folder });
  expect({ exitCode, stderr }).toMatchObject({ exitCode: 0 });
  return JSON.parse(stdout) as Told;
}

describe("the face_cnn that comes along", () => {
  it("predicts of a picture where no model is named, as where it is named", async () => {
    const folder = await workplace();
    for (const picture of ["face.jpg", "room.png"]) {
      const told = await predict(folder, "--image", picture);
      expect(Object.keys(told.emotion_probs).sort()).toEqual(
        ["angry", "disgust", "fear", "happy", "neutral", "sad", "surprise"], // prettier-ignore
      );
      expect(Object.values(told.emotion_probs).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
      const named = await predict(folder, "--image", picture, "--multimodal", SHIPPED_FACE_CNN);
      expect(named).toEqual(told);
    }
  });

  it("makes at prediction what embed made, bit for bit", async () => {
    const folder = await workplace();
    const args = ["--images_dir", ".", "--out_h5", "e.h5", "--model", "face_cnn"];
    expect(await runCommand("embed", args, { cwd: folder })).toMatchObject({ exitCode: 0 });
    const { encoder, splits } = await readEmbeddings(join(folder, "e.h5"), "");
    const { embeddings, paths } = splits.get("all")!;
    const inputs = createInputEncoders({ image: encoder }, { weights: undefined, env: {} });
    for (const [row, path] of paths.entries()) {
      const { embedding } = await inputs.image(join(folder, path));
      expect(embedding).toEqual(embeddings.data.slice(row * 128, (row + 1) * 128));
    }
    expect(paths).toEqual(["face.jpg", "room.png"]);
  });

  it.skipIf(!hasFfmpeg())(
    "and audio_cnn are averaged where there is a face and a voice",
    async () => {
      const folder = await workplace();
      writeSpeechSample(join(folder, "voice"), { speakers: 1, sentences: 1 });
      const clip = join("voice", listFiles(join(folder, "voice"), AUDIO_EXTENSIONS, "")[0] ?? "");
      makeVideo(folder, "both.mp4", "room.png", ["-i", clip, "-c:a", "aac"]);
      makeVideo(folder, "mute.mp4", "room.png", []);
      const [face, both] = [
        await predict(folder, "--image", "room.png"),
        await predict(folder, "--image", "room.png", "--audio", clip),
      ];
      const voice = await predict(folder, "--audio", clip);
      for (const [emotion, probability] of Object.entries(both.emotion_probs))
        expect(probability).toBeCloseTo(
          (face.emotion_probs[emotion]! + (voice.emotion_probs[emotion] ?? 0)) / 2,
          6,
        );
      expect(await predict(folder, "--video", "both.mp4")).toMatchObject({
        modalities: { image: { present: true }, audio: { present: true } },
      });
      const mute = await predict(folder, "--video", "mute.mp4");
      expect(mute.modalities.audio.present).toBe(false);
      expect(Object.values(mute.emotion_probs).reduce((a, b) => a + b)).toBeCloseTo(1, 6);
    },
  );
});
