import { createHash } from "node:crypto";
import { UserError } from "@emotion-service/core/errors";
import { statOf } from "@emotion-service/core/files/listFiles";
import { stableJson } from "@emotion-service/core/hdf5/encoder";
import type { LabelledBatch } from "@emotion-service/core/model/rowSource";
import {
  type TrainSettings,
  type TrainingState,
  bestOf,
} from "@emotion-service/core/model/trainClassifier";
import { type TrainingSetup, readTrainingState } from "@emotion-service/core/model/trainingState";
import type { Plan, Resumed } from "./plan.ts";

/** A training that was stopped, as it was after its last whole epoch. */
export interface Stopped {
  readonly state: TrainingState;
  readonly last: Resumed;
  readonly best: Resumed;
}

/** Where a seed's checkpoints stand. */
export interface Folders {
  readonly best: string;
  readonly last: string;
}

/**
 * Everything by which the steps of a training depend on its flags and its data. Not the flags that only say when it ends:
 * --early_stop, and --epochs unless the learning rate is scheduled over them.
 */
export function setupOf<B extends LabelledBatch>(
  plan: Plan<B>,
  settings: TrainSettings,
  backend: string,
): TrainingSetup {
  const { scheduler } = settings;
  const { train, val } = plan.data;
  return {
    "--seed": settings.seed,
    "--batch_size": settings.batchSize,
    "--lr": settings.lr,
    "--scheduler": scheduler,
    "--max_lr": scheduler === "onecycle" ? settings.maxLr : null,
    "--epochs": scheduler === "none" ? null : settings.epochs,
    "--weight_decay": settings.weightDecay,
    "--grad_clip": settings.gradClip,
    "--label_smoothing": settings.labelSmoothing,
    "--class_weights": settings.classWeights,
    "--modality_dropout": plan.ownSettings["modalityDropout"] ?? null,
    "--modalities": plan.modalities,
    "--backend": backend,
    "what made the inputs": plan.inputs,
    "rows of each class to train on": train.classes,
    "rows of each class to validate on": val.classes,
    "the SHA-256 of the training rows' means and deviations": statisticsHash(plan),
    "the order of the training rows": plan.rowOrder,
  };
}

function statisticsHash<B extends LabelledBatch>({ statistics }: Plan<B>): string {
  const hash = createHash("sha256");
  for (const { data } of statistics.values()) hash.update(data);
  return hash.digest("hex");
}

/**
 * The training that `folders` hold; undefined where there is none.
 * @throws UserError E_SETTINGS naming what differs, or E_INPUT_BROKEN
 */
export function readStopped<B extends LabelledBatch>(
  plan: Plan<B>,
  folders: Folders,
  setup: TrainingSetup,
): Stopped | undefined {
  if (statOf(folders.last) === undefined) return undefined;
  const saved = readTrainingState(folders.last);
  requireSameSetup(folders.last, saved.setup, setup);
  const { state } = saved;
  const last = plan.read(folders.last);
  const bestEpoch = bestOf(state.history)?.epoch;
  // A run that was killed between the two had put the last in its place already, not yet the best.
  const best = last.epoch === bestEpoch ? last : plan.read(folders.best);
  if (last.epoch !== state.history.length || best.epoch !== bestEpoch)
    throw new UserError(
      "E_INPUT_BROKEN",
      `${folders.best}: must be of epoch ${bestEpoch}, is of ${best.epoch}: it is not of the training in ${folders.last}`,
      { hint: "train again without --resume" },
    );
  return { state, last, best };
}

function requireSameSetup(folder: string, before: TrainingSetup, now: TrainingSetup): void {
  for (const [name, value] of Object.entries(now)) {
    const [was, is] = [stableJson(before[name]), stableJson(value)];
    if (was !== is)
      throw new UserError(
        "E_SETTINGS",
        `${name}: must be as in the training of ${folder}, which is gone on with, ${was}, is ${is}`,
        { hint: "give the flags of that training again, or train anew without --resume" },
      );
  }
}
