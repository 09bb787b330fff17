import { join } from "node:path";
import { causeOf } from "@emotion-service/core/errors";
import type { FaceCrop } from "@emotion-service/core/face/faceCrop";
import {
  type FaceEncoder,
  type PreparedFace,
  loadFaceEncoder,
} from "@emotion-service/core/face/faceEncoder";
import { readImage } from "@emotion-service/core/face/image";
import type { TrainedModel } from "@emotion-service/core/model/modelFolder";
import { serveJobs } from "@emotion-service/core/workers/serve";
import type { Box } from "./embedWork.ts";

export interface FaceSettings {
  readonly folder: string;
  readonly crop: FaceCrop;
  /** A trained face_cnn; `face` without it. */
  readonly trained: TrainedModel | undefined;
}

export interface PictureSettings extends FaceSettings {
  /** Whether all faces of a picture are embedded; the largest one unless so. */
  readonly allFaces: boolean;
}

/** What became of a batch of pictures. */
export interface FaceBatch {
  /** One row a face, [faces, dim]. */
  readonly embeddings: Float32Array;
  /** Where the faces of each picture are, none where none is found, or why it cannot be read. [pictures] */
  readonly found: readonly (readonly Box[] | { readonly cause: string })[];
  /** Said when the encoder was loaded. */
  readonly notices: readonly string[];
}

serveJobs<PictureSettings, readonly string[], FaceBatch>(
  ({ folder, crop, trained, allFaces }) => {
    const notices: string[] = [];
    const loading = loadFaceEncoder(crop, { trained, onNotice: (line) => notices.push(line) });
    return async (paths) => {
      const encoder = await loading;
      const pictures = await Promise.all(
        paths.map((path) => facesIn(encoder, join(folder, path), allFaces)),
      );
      const faces = pictures.flatMap((picture) => ("cause" in picture ? [] : picture));
      return {
        embeddings: await encoder.embed(faces.map(({ face }) => face)),
        found: pictures.map((picture) => ("cause" in picture ? picture : picture.map(boxOf))),
        notices: notices.splice(0),
      };
    };
  },
  ({ embeddings }) => [embeddings.buffer as ArrayBuffer],
);

async function facesIn(
  encoder: FaceEncoder,
  path: string,
  all: boolean,
): Promise<PreparedFace[] | { readonly cause: string }> {
  try {
    return await encoder.prepareAll(await readImage(path), all ? undefined : 1);
  } catch (error) {
    return { cause: causeOf(error) };
  }
}

/** Whole pixels. */
function boxOf({ box: { x, y, width, height } }: PreparedFace): Box {
  return [Math.round(x), Math.round(y), Math.round(width), Math.round(height)];
}
