/** What the trainings of audio_cnn and of face_cnn share: their flags, the settings that these stand for, figures of folds. */
import {
  type ScoredRows,
  calibrationOf,
  fitTemperature,
} from "../packages/core/src/metrics/calibration.ts";
import { BACKENDS } from "../packages/core/src/model/backendNames.ts";
import { type Tf, loadTensorFlow } from "../packages/core/src/model/backend.ts";
import type { EpochRecord, TrainSettings } from "../packages/core/src/model/trainClassifier.ts";

/** The flags that they have, for parseArgs; --epochs and --lr have defaults of their own. */
export const RECIPE_FLAGS = {
  batch_size: { type: "string", default: "64" },
  weight_decay: { type: "string", default: "0.01" },
  seed: { type: "string", default: "1" },
  backend: { type: "string", default: "auto" },
} as const;

type RecipeFlags = Readonly<Record<keyof typeof RECIPE_FLAGS | "epochs" | "lr", string>>;

export function settingsOf(flags: RecipeFlags): TrainSettings {
  const lr = Number(flags.lr);
  return {
    epochs: Number(flags.epochs),
    batchSize: Number(flags.batch_size),
    lr,
    maxLr: 10 * lr,
    scheduler: "onecycle",
    weightDecay: Number(flags.weight_decay),
    gradClip: 1,
    labelSmoothing: 0.1,
    classWeights: "balanced",
    earlyStop: 0,
    seed: Number(flags.seed),
  };
}

/** TensorFlow.js on the backend that the flag names. */
export function backendOf({ backend }: RecipeFlags): Promise<{ tf: Tf; backend: string }> {
  return loadTensorFlow(BACKENDS.find((name) => name === backend) ?? "auto");
}

/** Which rows are trained on, and which are measured after each epoch, and choose nothing. */
export interface RowsOfFold {
  readonly isTrained: (row: number) => boolean;
  readonly isWatched: (row: number) => boolean;
}

/** One line on stderr an epoch. */
export function tellEpoch(
  name: string,
  epochs: number,
): (record: Pick<EpochRecord, "epoch" | "train_loss" | "val_uar">) => void {
  return ({ epoch, train_loss: loss, val_uar: recall }) =>
    process.stderr.write(
      `${name} epoch ${epoch}/${epochs}  train loss ${loss.toFixed(4)}  macro recall ${recall.toFixed(4)}\n`,
    );
}

/** Mean and deviation (of the population) of the folds. */
export function spreadOf(values: readonly number[]): { mean: number; deviation: number } {
  const mean = values.reduce((a, b) => a + b, 0) / values.length;
  const squares = values.reduce((a, b) => a + (b - mean) ** 2, 0);
  return { mean, deviation: Math.sqrt(squares / values.length) };
}

/** class → recall, of a confusion [meant, told]. */
export function recallsOf(
  classes: readonly string[],
  confusion: readonly (readonly number[])[],
): Record<string, number> {
  return Object.fromEntries(
    classes.map((name, i) => {
      const row = confusion[i] ?? [];
      return [name, (row[i] ?? 0) / row.reduce((a, b) => a + b, 0)];
    }),
  );
}

/**
 * How sure networks may be of what they have not seen: the temperature that suits the held-out rows of all folds best, and the
 * expected calibration error of each fold by the temperature of the others.
 */
export function calibrationOfFolds(folds: readonly ScoredRows[], classes: number) {
  const byOthers = folds.map((fold) => {
    const temperature = fitTemperature(joined(folds.filter((other) => other !== fold)), classes);
    return { ...fold, logits: fold.logits.map((score) => score / temperature) };
  });
  const all = joined(folds);
  const [before, after] = [calibrationOf(all, classes), calibrationOf(joined(byOthers), classes)];
  return {
    temperature: fitTemperature(all, classes),
    ece: { before: before.ece, after: after.ece },
  };
}

function joined(rows: readonly ScoredRows[]): ScoredRows {
  return {
    logits: Float32Array.from(rows.flatMap(({ logits }) => [...logits])),
    truth: Int32Array.from(rows.flatMap(({ truth }) => [...truth])),
  };
}
