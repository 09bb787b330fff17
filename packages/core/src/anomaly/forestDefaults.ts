import type { ForestOptions } from "./forest.ts";

/** The defaults of train-anomaly; those of scikit-learn but for contamination ("auto" there). Apart from the forest, which loads the kernel: --help needs none. */
export const FOREST_DEFAULTS: ForestOptions = {
  nEstimators: 100,
  maxSamples: "auto",
  contamination: 0.01,
  randomState: 42,
};
