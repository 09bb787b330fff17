import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { type Outputs, createOutputs } from "@emotion-service/core/files/outputs";
import { fitTemperature } from "@emotion-service/core/metrics/calibration";
import type { TensorFlow } from "@emotion-service/core/model/backend";
import type { LabelledBatch } from "@emotion-service/core/model/rowSource";
import {
  type EpochRecord,
  type TrainSettings,
  trainClassifier,
} from "@emotion-service/core/model/trainClassifier";
import { writeTrainingState } from "@emotion-service/core/model/trainingState";
import { createRandom } from "@emotion-service/core/random";
import type { Plan, Saved } from "./plan.ts";
import { type Folders, type Stopped, readStopped, setupOf } from "./resume.ts";

export interface TrainSeedOptions {
  readonly settings: TrainSettings;
  readonly folders: Folders;
  /** Go on with what the folders hold. */
  readonly resume: boolean;
  /** Before the first epoch is saved. */
  readonly onFirstSave: () => void;
  readonly onNotice: (line: string) => void;
  readonly onProgress?: OnProgress | undefined;
  readonly signal?: AbortSignal | undefined;
}

export interface TrainedSeed {
  readonly best: Pick<Saved, "weights" | "temperature" | "epoch">;
  readonly history: readonly EpochRecord[];
  /** Of the epochs that were trained now. */
  readonly epochSeconds: readonly number[];
}

/** The folders of a seed's checkpoints within `folder`. */
export function foldersIn(folder: string): Folders {
  return { best: join(folder, "multimodal_best"), last: join(folder, "multimodal_last") };
}

/** Trains; after each epoch saves the last checkpoint with what resuming needs, and the best where it is the best so far. */
export async function trainSeed<B extends LabelledBatch>(
  { tf, backend }: TensorFlow,
  plan: Plan<B>,
  options: TrainSeedOptions,
): Promise<TrainedSeed> {
  const { settings, folders } = options;
  prepareFolders(folders);
  const setup = setupOf(plan, settings, backend);
  const stopped = options.resume ? readStopped(plan, folders, setup) : undefined;
  if (options.resume) options.onNotice(resumeLine(folders, stopped));
  if (stopped !== undefined) putBestInPlace(plan, folders, stopped);
  const model = plan.create(
    tf,
    stopped?.last.weights ?? plan.initialWeights(createRandom(settings.seed)),
  );
  const history = [...(stopped?.state.history ?? [])];
  const epochSeconds: number[] = [];
  let best: TrainedSeed["best"] = {
    temperature: 1,
    ...(stopped?.best ?? { epoch: 0, weights: model.weights() }),
  };
  try {
    await trainClassifier(tf, model, {
      settings,
      classes: plan.classes,
      train: plan.train,
      val: plan.val,
      from: stopped?.state,
      onEpoch: (record, improved, weights, seconds, { validation, state }) => {
        if (epochSeconds.length === 0) options.onFirstSave();
        history.push(record);
        epochSeconds.push(seconds);
        const { epoch, val_loss, val_accuracy, val_uar } = record;
        const temperature = fitTemperature(validation, plan.classes.length);
        const metrics = { val_loss, val_accuracy, val_uar };
        const saved = { weights, temperature, epoch, settings: { ...settings }, metrics };
        if (improved) best = saved;
        saveTogether((outputs) => {
          const last = outputs.stage(folders.last, "folder"); // first: see readStopped
          plan.write(last, saved);
          writeTrainingState(last, { setup, state: state() });
          if (improved) plan.write(outputs.stage(folders.best, "folder"), saved);
        });
        options.onNotice(epochLine(record, settings.epochs, improved));
      },
      onStep: (done, total) => options.onProgress?.(done, total, "steps"),
      signal: options.signal,
    });
    return { best, history, epochSeconds };
  } catch (error) {
    throw withWayOn(error, history.length);
  } finally {
    model.dispose();
  }
}

function resumeLine({ last }: Folders, stopped: Stopped | undefined): string {
  if (stopped === undefined) return `${last}: nothing to go on with, the training starts`;
  return `${last}: going on after epoch ${stopped.last.epoch}`;
}

/** A run that was killed between the two checkpoints of its best epoch left that of an older one. */
function putBestInPlace<B extends LabelledBatch>(
  plan: Plan<B>,
  folders: Folders,
  { best, last }: Stopped,
): void {
  if (best !== last) return;
  saveTogether((outputs) =>
    plan.write(outputs.stage(folders.best, "folder"), { temperature: 1, ...last }),
  );
}

function saveTogether(write: (outputs: Outputs) => void): void {
  const outputs = createOutputs();
  try {
    write(outputs);
    outputs.commit();
  } finally {
    outputs.discard();
  }
}

/** Finds out before the first epoch that nothing can be saved, and puts right what a killed run left half moved. */
function prepareFolders({ best, last }: Folders): void {
  const outputs = createOutputs();
  try {
    for (const folder of [best, last]) outputs.stage(folder, "folder");
  } finally {
    outputs.discard();
  }
}

/** A training that was stopped says how to go on. */
function withWayOn(error: unknown, epochs: number): unknown {
  if (!(error instanceof UserError) || error.code !== "E_ABORTED" || epochs === 0) return error;
  return new UserError("E_ABORTED", `stopped after epoch ${epochs}, which is saved`, {
    hint: "the same command with --resume goes on from there",
    cause: error,
  });
}

function epochLine(record: EpochRecord, epochs: number, improved: boolean): string {
  const { epoch, train_loss, val_loss, val_accuracy, val_uar } = record;
  return `epoch ${epoch}/${epochs}  train loss ${train_loss.toFixed(4)}  val loss ${val_loss.toFixed(4)}  accuracy ${val_accuracy.toFixed(4)}  macro recall ${val_uar.toFixed(4)}${improved ? "  best" : ""}`;
}
