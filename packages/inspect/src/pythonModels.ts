import { readSklearnForest } from "@emotion-service/core/anomaly/sklearnForest";
import { UserError } from "@emotion-service/core/errors";
import { readPythonFusion } from "@emotion-service/core/interop/pythonFusion";
import { forestReport } from "./forestModel.ts";
import type { ModelReport } from "./modelReport.ts";

/** An isolation forest of scikit-learn. */
export function sklearnReport(path: string): ModelReport {
  const { forest, importedFrom, trainingRows, seed, scaled } = readSklearnForest(path, "<path>");
  const facts = {
    fitted_by: importedFrom,
    n_estimators: forest.trees.length,
    n_features: forest.nFeatures,
    max_samples: forest.maxSamples,
    contamination: forest.contamination,
    offset: forest.offset,
    seed,
    training_rows: trainingRows,
    standard_scaler: scaled,
  };
  const trees = forest.trees.map(({ left, right }) => ({
    left: Array.from(left),
    right: Array.from(right),
  }));
  return forestReport(path, facts, trees);
}

/** What a checkpoint of the Python service's classifier says of itself; undefined for any other state dict. */
export async function fusionFacts(path: string): Promise<ModelReport["facts"] | undefined> {
  try {
    const { classes, encoders, epoch } = await readPythonFusion(path, "<path>");
    return {
      classes,
      image_values: encoders.image?.dim ?? 0,
      audio_values: encoders.audio?.dim ?? 0,
      epoch,
    };
  } catch (error) {
    if (error instanceof UserError) return undefined; // the state dict can be read, or that says why not
    throw error;
  }
}
