import { type SklearnForest, readSklearnForest } from "@emotion-service/core/anomaly/sklearnForest";
import { scoreSamples } from "@emotion-service/core/anomaly/forest";
import { UserError } from "@emotion-service/core/errors";
import type { PairedFile } from "@emotion-service/core/hdf5/paired";
import type { Detector } from "./detector.ts";

/** What the file of a forest that was fitted elsewhere says of it. */
export type Imported = Omit<SklearnForest, "forest">;

/**
 * The forest of --import in place of a fitted one.
 * @throws UserError when it cannot be read; E_SETTINGS when it takes other rows than the training file has
 */
export function importDetector(
  path: string,
  { imageEncoder, audioEncoder }: PairedFile,
): Detector & { readonly imported: Imported } {
  const { forest, ...imported } = readSklearnForest(path, "--import");
  const { nFeatures, offset, maxSamples } = forest;
  if (nFeatures !== imageEncoder.dim + audioEncoder.dim)
    throw new UserError(
      "E_SETTINGS",
      `--import ${path}: must take the rows of --train_h5, ${imageEncoder.dim} + ${audioEncoder.dim} values (image, audio), takes ${nFeatures}`,
      { hint: "name pairs of the embeddings that it was fitted on" },
    );
  return {
    forest,
    offset,
    maxSamples,
    imported,
    scoreSamples: (rows) => scoreSamples(forest, rows),
  };
}

/** What one should know of it. */
export function importNotes({ scaled }: Imported): string[] {
  return [
    "it was fitted elsewhere: that its rows came from the same encoders cannot be checked",
    ...(scaled
      ? ["its file's StandardScaler is applied to the rows, and is part of the model"]
      : []),
  ];
}
