import type { ReliabilityBin } from "@emotion-service/core/metrics/calibration";
import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import type { Modality } from "@emotion-service/core/model/fusion";
import type { EpochRecord } from "@emotion-service/core/model/trainClassifier";
import type { DataFacts } from "./chooseRows.ts";

/** Before and after the scores are divided by the temperature. */
interface BeforeAfter<T> {
  readonly before: T;
  readonly after: T;
}

/** How confidence and accuracy meet on a set. */
export interface SetCalibration {
  /** Expected calibration error, [0, 1]. */
  readonly ece: BeforeAfter<number>;
  /** Mean negative log likelihood, nats. */
  readonly nll: BeforeAfter<number>;
  readonly bins: BeforeAfter<readonly ReliabilityBin[]>;
}

/** What is measured of a checkpoint. */
export interface Measures {
  readonly train: ClassificationMetrics;
  readonly val: ClassificationMetrics;
  readonly test: ClassificationMetrics | null;
  /** Modalities withheld, noise added: on test (or val). */
  readonly conditions: Readonly<Record<string, ClassificationMetrics>>;
  readonly calibration: {
    readonly temperature: number;
    /** Of the rows that the temperature was fitted on. */
    readonly val: SetCalibration;
    readonly test: SetCalibration | null;
  };
}

/** Over the seeds; the deviation is that of the sample (n - 1). */
export interface Spread {
  readonly mean: number;
  readonly deviation: number;
  /** One a seed. */
  readonly values: readonly number[];
}
export type Spreads = Readonly<Record<"accuracy" | "uar" | "macro_f1", Spread>>;

export interface Repeats {
  readonly seeds: readonly number[];
  readonly best_epochs: readonly number[];
  readonly val: Spreads;
  readonly test: Spreads | null;
  readonly conditions: Readonly<Record<string, Spreads>>;
  /** Expected calibration error on test (or val). */
  readonly ece: BeforeAfter<Spread>;
}

/** The result of a training; `--json` prints it. */
export interface TrainReport extends Measures {
  readonly classes: readonly string[];
  readonly modalities: readonly Modality[];
  /** "label": the two modalities of a row are of different people. */
  readonly match_by: string;
  readonly backend: string;
  readonly parameters: number;
  readonly epochs: number;
  readonly best_epoch: number;
  /** How long an epoch trained, without its validation; null where none was left to train. In no file: the same command writes the same bytes. */
  readonly median_epoch_seconds: number | null;
  /** Of all seeds; null of one. */
  readonly repeats: Repeats | null;
  readonly data: DataFacts;
  /** What made the inputs, by modality or as "features". */
  readonly inputs: Readonly<Record<string, unknown>>;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly history: readonly EpochRecord[];
  /** checkpoints, history, plots */
  readonly files: readonly string[];
}

/** What the report's files hold. */
export type WrittenReport = Omit<TrainReport, "median_epoch_seconds">;

/** What people call a condition. */
export const CONDITION_NAMES: Readonly<Record<string, string>> = {
  both: "both",
  image_only: "image only",
  audio_only: "audio only",
  noise: "noise",
};

/** The set on which conditions are measured, and its numbers. */
export function measuredSet({ val, test, calibration }: Measures): {
  readonly name: "validation" | "test";
  readonly metrics: ClassificationMetrics;
  readonly calibration: SetCalibration;
} {
  if (test !== null && calibration.test !== null)
    return { name: "test", metrics: test, calibration: calibration.test };
  return { name: "validation", metrics: val, calibration: calibration.val };
}

/** Pairs that were made by label are not of one person. */
export function pairedByLabel({ match_by: matchBy, modalities }: WrittenReport): boolean {
  return matchBy === "label" && modalities.length > 1;
}

export const LABEL_WARNING =
  "pairs were made by label: the face and the voice of a row are of different people";
