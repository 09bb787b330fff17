import { fileURLToPath } from "node:url";

/** The folder of the audio_cnn that comes along, trained on CREMA-D; models/README.md is its model card. */
export const SHIPPED_AUDIO_CNN = fileURLToPath(new URL("../../models/audio_cnn", import.meta.url));
