import type { Tf } from "@emotion-service/core/model/backend";
import type { Modality } from "@emotion-service/core/model/fusion";
import type { Weights } from "@emotion-service/core/model/graph";
import type { LabelledBatch, RowSource } from "@emotion-service/core/model/rowSource";
import type { EvaluateOptions, Learner } from "@emotion-service/core/model/trainClassifier";

/** A learner that must be given back. */
interface Trainee<B extends LabelledBatch> extends Learner<B> {
  dispose(): void;
}

/** What a checkpoint says of its epoch. */
export interface Saved {
  readonly weights: Weights;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** Everything that a training needs, ready: its sets, and the model that learns from them. */
export interface Plan<B extends LabelledBatch> {
  readonly classes: readonly string[];
  readonly modalities: readonly Modality[];
  /** "label": the two modalities of a row are of different people. */
  readonly matchBy: string;
  readonly train: RowSource<B>;
  readonly val: RowSource<B>;
  readonly test: RowSource<B> | undefined;
  /** The model before its first step. */
  initialWeights(random: () => number): Weights;
  create(tf: Tf, weights: Weights): Trainee<B>;
  /** Writes a checkpoint into a folder that it makes. */
  write(folder: string, saved: Saved): void;
  /** What is measured beside the sets, on the test set (or the validation set where there is no test). */
  readonly conditions: Readonly<Record<string, EvaluateOptions<B>>>;
}
