import { join } from "node:path";
import { loadFaceEncoder } from "@emotion-service/core/face/faceEncoder";
import type { RgbImage } from "@emotion-service/core/face/image";
import { videoFrames } from "@emotion-service/core/video/frames";
import { meanEmbedding } from "@emotion-service/core/video/meanEmbedding";
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
      const { info, prepare, embed } = await loading;
      const frame = (image: RgbImage): Promise<RgbImage | undefined> => prepare(image, "on");
      const encoder = { dim: info.dim, frame, embed };
      const mean = await meanEmbedding(encoder, videoFrames(join(folder, path), fps));
      return { embedding: mean.embedding, frames: mean.frames, notices: notices.splice(0) };
    };
  },
  ({ embedding }) => (embedding === undefined ? [] : [embedding.buffer as ArrayBuffer]),
);
