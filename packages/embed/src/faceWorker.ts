import { join } from "node:path";
import { causeOf } from "@emotion-service/core/errors";
import type { FaceCrop } from "@emotion-service/core/face/faceCrop";
import { loadFaceEncoder } from "@emotion-service/core/face/faceEncoder";
import { type RgbImage, readImage } from "@emotion-service/core/face/image";
import { serveJobs } from "@emotion-service/core/workers/serve";

export interface FaceSettings {
  readonly folder: string;
  readonly crop: FaceCrop;
}

/** What became of a batch of pictures. */
export interface FaceBatch {
  /** One row for each picture with a face, [rows, 256]. */
  readonly embeddings: Float32Array;
  /** Why a picture has no row, "" where no face is found in it; undefined where it has one. [pictures] */
  readonly causes: readonly (string | undefined)[];
  /** Said when the encoder was loaded. */
  readonly notices: readonly string[];
}

serveJobs<FaceSettings, readonly string[], FaceBatch>(
  ({ folder, crop }) => {
    const notices: string[] = [];
    const loading = loadFaceEncoder(crop, { onNotice: (line) => notices.push(line) });
    return async (paths) => {
      const encoder = await loading;
      const faces: RgbImage[] = [];
      const causes = await Promise.all(
        paths.map(async (path) => {
          try {
            const face = await encoder.prepare(await readImage(join(folder, path)));
            return face === undefined ? { cause: "" } : { face };
          } catch (error) {
            return { cause: causeOf(error) };
          }
        }),
      );
      for (const { face } of causes) if (face !== undefined) faces.push(face);
      return {
        embeddings: await encoder.embed(faces),
        causes: causes.map(({ cause }) => cause),
        notices: notices.splice(0),
      };
    };
  },
  ({ embeddings }) => [embeddings.buffer as ArrayBuffer],
);
