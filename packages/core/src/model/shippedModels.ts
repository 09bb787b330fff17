import { fileURLToPath } from "node:url";
import type { TrainedModel } from "./modelFolder.ts";

/** The folders of the models that come along; models/README.md has their model cards. */
const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../models/${name}`, import.meta.url));

/** Trained on CREMA-D. */
export const SHIPPED_AUDIO_CNN = shipped("audio_cnn");
/** Trained on faces of FER2013. */
export const SHIPPED_FACE_CNN = shipped("face_cnn");

const FOLDERS = { audio_cnn: SHIPPED_AUDIO_CNN, face_cnn: SHIPPED_FACE_CNN } as const;

/** What messages call a model of those, in the place of the flag that would have named it. */
export const SHIPPED = "the model that comes along,";

/** The trained network of a kind that was named with `flag`, or the one that comes along. */
export function trainedOrShipped(
  kind: keyof typeof FOLDERS,
  folder: string | undefined,
  flag: string,
): TrainedModel {
  return folder === undefined ? { folder: FOLDERS[kind], flag: SHIPPED } : { folder, flag };
}
