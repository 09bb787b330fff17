import type { Tf } from "@emotion-service/core/model/backend";
import type { Modality } from "@emotion-service/core/model/fusion";
import type { Weights } from "@emotion-service/core/model/graph";
import type { LabelledBatch, RowSource } from "@emotion-service/core/model/rowSource";
import type { EvaluateOptions, Learner } from "@emotion-service/core/model/trainClassifier";
import type { DataFacts } from "./chooseRows.ts";

/** A learner that must be given back. */
interface Trainee<B extends LabelledBatch> extends Learner<B> {
  dispose(): void;
}

/** What a checkpoint says of its epoch. */
export interface Saved {
  readonly weights: Weights;
  readonly temperature: number;
  readonly epoch: number;
  readonly settings: Readonly<Record<string, unknown>>;
  readonly metrics: Readonly<Record<string, unknown>>;
}

/** A checkpoint as it is read: older ones have no temperature. */
export type Resumed = Omit<Saved, "temperature"> & { readonly temperature?: number };

/** Everything that a training needs, ready: its sets, and the model that learns from them. */
export interface Plan<B extends LabelledBatch> {
  readonly classes: readonly string[];
  readonly modalities: readonly Modality[];
  /** "label": the two modalities of a row are of different people. */
  readonly matchBy: string;
  readonly train: RowSource<B>;
  readonly val: RowSource<B>;
  readonly test: RowSource<B> | undefined;
  readonly data: DataFacts;
  /** What made the inputs, by modality or as "features". */
  readonly inputs: Readonly<Record<string, unknown>>;
  /** By what the training rows' order depends on beside the seed. */
  readonly rowOrder: string;
  /** Settings of this kind of model alone, by the name that a checkpoint has for them. */
  readonly ownSettings: Readonly<Record<string, unknown>>;
  /** Of the training rows: what the inputs are standardised by, part of the model's weights. */
  readonly statistics: Weights;
  /** The model before its first step. */
  initialWeights(random: () => number): Weights;
  create(tf: Tf, weights: Weights): Trainee<B>;
  /** Writes a checkpoint into a folder that it makes. */
  write(folder: string, saved: Saved): void;
  /** Reads one. */
  read(folder: string): Resumed;
  /** What is measured beside the sets, on the test set (or the validation set where there is no test). */
  conditions(seed: number): Readonly<Record<string, EvaluateOptions<B>>>;
}
