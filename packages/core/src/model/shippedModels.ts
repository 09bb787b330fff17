import { fileURLToPath } from "node:url";

/** The folders of the models that come along; models/README.md has their model cards. */
const shipped = (name: string): string =>
  fileURLToPath(new URL(`../../models/${name}`, import.meta.url));

/** Trained on CREMA-D. */
export const SHIPPED_AUDIO_CNN = shipped("audio_cnn");
/** Trained on faces of FER2013. */
export const SHIPPED_FACE_CNN = shipped("face_cnn");
