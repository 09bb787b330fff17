import { copyFileSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type EmbeddingsFile, readEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import type { OnnxNode } from "@emotion-service/core/onnx/model";
import {
  type InputEncoderOptions,
  type InputEncoders,
  createInputEncoders,
} from "@emotion-service/core/predict/embedInput";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { drawFace } from "../../../scripts/sample/faces.ts";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { writeAudioModel } from "../../../test/audioModel.ts";
import { runCommand, temporaryFolder } from "../../../test/command.ts";
import { onnxFile } from "../../../test/onnxNetworks.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";

const WAV2VEC2 = join(import.meta.dirname, "../../core/test/fixtures/onnx/wav2vec2.onnx");
const NETWORK = "network.onnx";

/**
 * Two convolutions and a product with random weights, whose sums are long enough for their order to show: [batch, 3, h, w] → [batch, 32].
 * @param batch pictures of a run, or a name for any number
 */
function writePictureNetwork(folder: string, batch: number | string): void {
  const random = createRandom(7);
  const weight = (name: string, ...dims: readonly number[]) => {
    const size = dims.reduce((a, b) => a * b, 1);
    return { name, dims, data: Float32Array.from({ length: size }, () => random() - 0.5) };
  };
  const conv = (input: string, kernel: string, output: string): OnnxNode => ({
    op: "Conv",
    inputs: [input, kernel],
    output,
    attributes: { strides: { ints: [2, 2] } },
  });
  const node = (op: string, output: string, ...inputs: readonly string[]): OnnxNode => ({
    op,
    inputs,
    output,
    attributes: {},
  });
  onnxFile(
    {
      inputs: [{ name: "x", type: "float32", dims: [batch, 3, 64, 48] }],
      outputs: [{ name: "out", type: "float32", dims: [batch, 32] }],
      nodes: [
        conv("x", "w1", "a"),
        node("Relu", "b", "a"),
        conv("b", "w2", "c"),
        node("Relu", "d", "c"),
        node("GlobalAveragePool", "e", "d"),
        node("Flatten", "f", "e"),
        node("MatMul", "out", "f", "w3"),
      ],
      constants: [weight("w1", 16, 3, 5, 5), weight("w2", 40, 16, 3, 3), weight("w3", 40, 32)],
    },
    folder,
  );
}

async function embed(folder: string, ...args: readonly string[]): Promise<void> {
  const result = await runCommand("embed", [...args, "--quiet"], { cwd: folder });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
}

/** Each row of a file is what `again` makes of its path, to the last bit. */
async function expectSameBits(
  file: string,
  options: Pick<InputEncoderOptions, "weights" | "audioWeights">,
  again: (
    inputs: InputEncoders,
    path: string,
  ) => Promise<{ readonly embedding: Float32Array | undefined }>,
  modality: "image" | "audio" = "image",
): Promise<EmbeddingsFile> {
  const found = await readEmbeddings(file, "");
  const { encoder, splits } = found;
  const { embeddings, paths } = splits.get("all")!;
  const inputs = createInputEncoders({ [modality]: encoder }, { ...options, env: {} });
  for (const [row, path] of paths.entries()) {
    const { embedding } = await again(inputs, path);
    expect(embedding).toEqual(embeddings.data.slice(row * encoder.dim, (row + 1) * encoder.dim));
  }
  await inputs.dispose();
  return found;
}

describe("pictures embedded by an .onnx file", () => {
  it.each<[string, number | string, string[]]>([
    ["whole, in batches", "batch", ["--batch_size", "4"]],
    ["their faces", "batch", ["--face_crop", "on"]],
    ["one at a time", 1, ["--mean", "0.5", "--std", "0.25,0.5,0.5"]],
    ["three at a time, as the network takes them", 3, []],
  ])("have the same bits at prediction: %s", async (_, batch, flags) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "pictures"));
    writePictureNetwork(folder, batch);
    for (const [i, emotion] of (["happy", "sad", "fear", "angry"] as const).entries())
      writeFileSync(
        join(folder, `pictures/${emotion}.jpg`),
        await drawFace({ emotion, face: i + 1, seed: 2 }),
      );
    await drawRoom(join(folder, "pictures/room.png"));
    const files = ["--images_dir", "pictures", "--out_h5", "e.h5", "--model", NETWORK];
    await embed(folder, ...files, ...flags);
    const { splits } = await expectSameBits(
      join(folder, "e.h5"),
      { weights: join(folder, NETWORK) },
      (inputs, path) => inputs.image(join(folder, "pictures", path)),
    );
    expect(splits.get("all")!.paths.length).toBeGreaterThanOrEqual(1);
  });
});

describe.skipIf(!hasFfmpeg())("videos (skipped where there is no ffmpeg)", () => {
  it.each<[string, string, string[], Pick<InputEncoderOptions, "weights" | "audioWeights">]>([
    ["face_cnn and audio_cnn", "", ["--model", "face_cnn", "--audio_model", "audio_cnn"], { weights: undefined }], // prettier-ignore
    ["an audio_cnn of one's own", "", ["--audio_model", "audio_cnn", "--audio_weights", "heard"], { weights: undefined, audioWeights: "heard" }], // prettier-ignore
    [".onnx files, whole frames", "batch", ["--model", NETWORK, "--audio_model", "wav2vec2.onnx"], { weights: NETWORK, audioWeights: "wav2vec2.onnx" }], // prettier-ignore
    ["an .onnx file, faces", "batch", ["--model", NETWORK, "--face_crop", "on"], { weights: NETWORK }], // prettier-ignore
  ])("have the same bits at prediction: %s", async (_, batch, flags, named) => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "videos"));
    if (batch !== "") writePictureNetwork(folder, batch);
    writeAudioModel(join(folder, "heard"), 3);
    copyFileSync(WAV2VEC2, join(folder, "wav2vec2.onnx"));
    const [clip = "", other = ""] = writeSpeechSample(join(folder, "voice"), { speakers: 1, sentences: 1 }); // prettier-ignore
    await drawRoom(join(folder, "room.png"));
    for (const [name, voice] of [
      ["a.mp4", clip],
      ["b.mkv", other],
    ] as const)
      // prettier-ignore
      makeVideo(folder, `videos/${name}`, "room.png", ["-i", join("voice", voice), "-c:a", "aac"]);
    const outputs = ["--out_h5", "faces.h5", "--out_audio_h5", "voices.h5", "--fps", "9"]; // two batches
    await embed(folder, "--videos_dir", "videos", ...outputs, ...flags);
    const options = Object.fromEntries(
      Object.entries(named).map(([flag, name]) => [flag, name && join(folder, name)]),
    ) as typeof named;
    const faces = await expectSameBits(join(folder, "faces.h5"), options, (inputs, path) =>
      inputs.videoFaces(join(folder, "videos", path), { fps: 9 }),
    );
    expect(faces.splits.get("all")!.paths).toEqual(["a.mp4", "b.mkv"]);
    const voices = await expectSameBits(
      join(folder, "voices.h5"),
      options,
      (inputs, path) => inputs.audio(join(folder, "videos", path)),
      "audio",
    );
    expect(voices.splits.get("all")!.paths).toEqual(["a.mp4", "b.mkv"]);
  });
});
