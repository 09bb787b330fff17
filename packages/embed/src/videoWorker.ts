import { join } from "node:path";
import { loadFaceEncoder } from "@emotion-service/core/face/faceEncoder";
import { videoFrames } from "@emotion-service/core/video/frames";
import { type FrameEncoder, meanEmbedding } from "@emotion-service/core/video/meanEmbedding";
import { serveJobs } from "@emotion-service/core/workers/serve";
import type { FaceSettings } from "./faceWorker.ts";

export interface VideoSettings extends FaceSettings {
  /** Frames a second that are looked at. */
  readonly fps: number;
}

/** What became of a video. */
export interface VideoFaces {
  /** The mean over its faces, [256]; undefined where none was found. */
  readonly embedding: Float32Array | undefined;
  readonly frames: number;
  /** Said when the encoder was loaded. */
  readonly notices: readonly string[];
}

serveJobs<VideoSettings, string, VideoFaces>(
  ({ folder, crop, fps }) => {
    const notices: string[] = [];
    const loading = loadFaceEncoder(crop, { onNotice: (line) => notices.push(line) });
    return async (path) => {
      const face = await loading;
      const encoder: FrameEncoder = {
        dim: face.info.dim,
        frame: (image) => face.prepare(image, "on"),
        embed: (faces) => face.embed(faces),
      };
      const mean = await meanEmbedding(encoder, videoFrames(join(folder, path), { fps }));
      return { embedding: mean.embedding, frames: mean.frames, notices: notices.splice(0) };
    };
  },
  ({ embedding }) => (embedding === undefined ? [] : [embedding.buffer as ArrayBuffer]),
);
