import type { ClassificationMetrics } from "@emotion-service/core/metrics/classification";
import type { Modality } from "@emotion-service/core/model/fusion";
import type { EpochRecord } from "@emotion-service/core/model/trainClassifier";

/** The result of a training; `--json` prints it. */
export interface TrainReport {
  readonly classes: readonly string[];
  readonly modalities: readonly Modality[];
  /** "label": the two modalities of a row are of different people. */
  readonly match_by: string;
  readonly backend: string;
  readonly parameters: number;
  readonly epochs: number;
  readonly best_epoch: number;
  /** How long an epoch trained, without its validation. In no file: the same command writes the same bytes. */
  readonly median_epoch_seconds: number;
  /** Of the best checkpoint. */
  readonly train: ClassificationMetrics;
  readonly val: ClassificationMetrics;
  readonly test: ClassificationMetrics | null;
  /** The best checkpoint with one modality withheld, on test (or val): how well it holds up. */
  readonly conditions: Readonly<Record<string, ClassificationMetrics>>;
  readonly history: readonly EpochRecord[];
  /** checkpoints, history, plots */
  readonly files: readonly string[];
}
