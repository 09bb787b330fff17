import { join } from "node:path";
import type { Device } from "@emotion-service/core/devices";
import { UserError, causeOf } from "@emotion-service/core/errors";
import type { PictureEncoder } from "@emotion-service/core/image/pictureEncoder";
import { loadPicturePreparer } from "@emotion-service/core/image/preparePicture";
import { type FrameOptions, videoFrames } from "@emotion-service/core/video/frames";
import { type FrameEncoder, meanEmbedding } from "@emotion-service/core/video/meanEmbedding";
import type { Begin, EmbedRun } from "./embedRows.ts";
import { type EmbedInput, type EmbedWork, deviceSetting, fileInputs } from "./embedWork.ts";

/** resnet18 or an .onnx file. */
export interface FrameNetwork {
  /** Files that it is read from. */
  readonly files: readonly string[];
  readonly device: Device;
  load(): Promise<PictureEncoder>;
}

/**
 * Videos (relative paths) → the mean of the embeddings of their frames, as predict looks at a video. One after another: the network
 * has threads of its own, and ffmpeg decodes beside it.
 */
export async function embedVideoFrames(
  network: FrameNetwork,
  folder: string,
  paths: readonly string[],
  fps: number,
  options: EmbedRun,
  begin: Begin,
): Promise<void> {
  const encoder = await network.load();
  try {
    const preparer = await loadPicturePreparer(encoder.input);
    const ofFrames: FrameEncoder = {
      dim: encoder.info.dim,
      frame: (image) => preparer.image(image),
      embed: (pictures) => encoder.embed(pictures),
    };
    const work = begin({
      encoder: encoder.info,
      inputs: fileInputs(folder, paths),
      settings: { fps, ...deviceSetting(network.device) },
      unit: "videos, pictures",
    });
    for (const input of work.pending) {
      const file = join(folder, input.path);
      await embedVideo(ofFrames, file, { fps, signal: options.signal }, input, work);
    }
  } finally {
    await encoder.dispose();
  }
}

/** A video that cannot be read costs itself alone. */
async function embedVideo(
  encoder: FrameEncoder,
  file: string,
  options: FrameOptions,
  input: EmbedInput,
  work: EmbedWork,
): Promise<void> {
  try {
    const { embedding, frames } = await meanEmbedding(encoder, videoFrames(file, options));
    work.keep(input, embedding ?? `no face found in ${frames} frames`);
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "E_INPUT_BROKEN") throw error;
    work.fail(input, causeOf(error));
  }
}
