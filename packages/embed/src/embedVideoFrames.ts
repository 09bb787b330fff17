import { join } from "node:path";
import { UserError, causeOf } from "@emotion-service/core/errors";
import { type PictureEncoder, causeOfRow } from "@emotion-service/core/image/pictureEncoder";
import { loadPicturePreparer } from "@emotion-service/core/image/preparePicture";
import { factsOf } from "@emotion-service/core/labels";
import { type FrameOptions, videoFrames } from "@emotion-service/core/video/frames";
import { type FrameEncoder, meanEmbedding } from "@emotion-service/core/video/meanEmbedding";
import type { Embedded, EmbedRun, EmbeddedRow } from "./embedRows.ts";

/** resnet18 or an .onnx file. */
export interface FrameNetwork {
  /** Files that it is read from. */
  readonly files: readonly string[];
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
): Promise<Embedded> {
  const encoder = await network.load();
  try {
    const preparer = await loadPicturePreparer(encoder.input);
    const ofFrames: FrameEncoder = {
      dim: encoder.info.dim,
      frame: (image) => preparer.image(image),
      embed: (pictures) => encoder.embed(pictures),
    };
    const rows: EmbeddedRow[] = [];
    for (const path of paths) {
      const found = await embedVideo(ofFrames, join(folder, path), { fps, signal: options.signal });
      rows.push({ path, label: factsOf(path).label, ...found });
      options.onProgress?.(rows.length, paths.length, "videos, pictures");
    }
    return { encoder: encoder.info, rows };
  } finally {
    await encoder.dispose();
  }
}

/** Its embedding, or why it has none: a video that cannot be read costs itself alone. */
async function embedVideo(
  encoder: FrameEncoder,
  path: string,
  options: FrameOptions,
): Promise<Pick<EmbeddedRow, "embedding" | "cause">> {
  try {
    const { embedding, frames } = await meanEmbedding(encoder, videoFrames(path, options));
    const cause =
      embedding === undefined ? `no face found in ${frames} frames` : causeOfRow(embedding);
    return { embedding: cause === "" ? embedding : undefined, cause };
  } catch (error) {
    if (!(error instanceof UserError) || error.code !== "E_INPUT_BROKEN") throw error;
    return { embedding: undefined, cause: causeOf(error) };
  }
}
