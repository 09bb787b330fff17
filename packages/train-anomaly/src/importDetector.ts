import { drawPcaRows } from "@emotion-service/core/anomaly/pca";
import { type SklearnForest, readSklearnForest } from "@emotion-service/core/anomaly/sklearnForest";
import { UserError } from "@emotion-service/core/errors";
import { type Detector, scoreByForest } from "./detector.ts";
import { type ReadOptions, surveyRows } from "./readRows.ts";
import type { Source } from "./rows.ts";

/** What the file of a forest that was fitted elsewhere says of it. */
export type Imported = Omit<SklearnForest, "forest">;

/**
 * The forest of --import in place of a fitted one.
 * @throws UserError when it cannot be read; E_SETTINGS when it takes other rows than the training file has
 */
export async function importDetector(
  path: string,
  train: Source,
  reading: ReadOptions,
): Promise<Detector> {
  const { forest, ...imported } = readSklearnForest(path, "--import");
  const columns = train.parts.map(([, part]) => part.columns);
  if (forest.nFeatures !== columns.reduce((sum, count) => sum + count, 0))
    throw new UserError(
      "E_SETTINGS",
      `--import ${path}: must take the rows of --train_h5, ${columns.join(" + ")} values (${train.parts.map(([modality]) => modality).join(", ")}), takes ${forest.nFeatures}`,
      { hint: "name pairs of the embeddings that it was fitted on, or other --modalities" },
    );
  const sampled = drawPcaRows(train.scorable.length).map((row) => train.scorable[row] ?? 0);
  const { means, rows } = await surveyRows(train, sampled, reading);
  return {
    forest,
    imported,
    maxSamples: forest.maxSamples,
    means,
    sample: rows,
    scoreSamples: (source, reads) => scoreByForest(source, means, forest, reads),
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
