import { join } from "node:path";
import type { RgbImage } from "@emotion-service/core/face/image";
import { type PictureInput, loadPicturePreparer } from "@emotion-service/core/image/preparePicture";
import { serveJobs } from "@emotion-service/core/workers/serve";

export interface PictureSettings {
  readonly folder: string;
  readonly input: PictureInput;
}

serveJobs<PictureSettings, string, RgbImage | undefined>(
  ({ folder, input }) => {
    const loading = loadPicturePreparer(input);
    return async (path) => (await loading).file(join(folder, path));
  },
  (picture) => (picture === undefined ? [] : [picture.data.buffer as ArrayBuffer]),
);
