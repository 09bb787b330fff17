import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError } from "@emotion-service/core/errors";
import { withOutputs } from "@emotion-service/core/files/outputs";
import { type TensorFlow, loadTensorFlow } from "@emotion-service/core/model/backend";
import type { BackendChoice, TrainingDevice } from "@emotion-service/core/model/backendNames";
import type { LabelledBatch } from "@emotion-service/core/model/rowSource";
import type { TrainSettings } from "@emotion-service/core/model/trainClassifier";
import { holdsClips, planAudioCnn, requireSoundAlone } from "./audioPlan.ts";
import { planFusion } from "./fusionPlan.ts";
import { measure } from "./measure.ts";
import type { Plan } from "./plan.ts";
import type { ReadOptions } from "./readSets.ts";
import { repeatsOf } from "./repeats.ts";
import type { Measures, TrainReport, WrittenReport } from "./report.ts";
import { type TrainedSeed, foldersIn, trainSeed } from "./trainSeed.ts";
import { removeReports, writeReports } from "./writeReports.ts";

export interface TrainMultimodalOptions extends Omit<ReadOptions, "seed"> {
  readonly saveDir: string;
  readonly device: TrainingDevice;
  readonly backend: BackendChoice;
  readonly settings: TrainSettings;
  /** Chance that a row of a batch that has both modalities loses one, [0, 1). */
  readonly modalityDropout: number;
  /** Trainings, by the seeds from `settings.seed` on. */
  readonly repeats: number;
  /** Go on with the trainings that `saveDir` holds. */
  readonly resume: boolean;
  readonly onProgress?: OnProgress;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pairs → a trained fusion classifier, or log-mel clips → a trained audio_cnn: read, standardise, train, save the best and the last,
 * measure the best, report.
 */
export async function trainMultimodal(options: TrainMultimodalOptions): Promise<TrainReport> {
  const reading: ReadOptions = { ...options, seed: options.settings.seed };
  refuseContradiction(options);
  const hasClips = await holdsClips(options.trainH5, "--train_h5");
  if (hasClips) requireSoundAlone(reading);
  const tensorFlow = await chooseBackend(options);
  return hasClips
    ? trainPlan(await planAudioCnn(reading), tensorFlow, options)
    : trainPlan(await planFusion(reading, options.modalityDropout), tensorFlow, options);
}

function refuseContradiction({ device, backend }: TrainMultimodalOptions): void {
  if (device === "cuda" && backend !== "auto" && backend !== "tensorflow")
    throw new UserError("E_FLAG", `--device cuda: needs --backend tensorflow, got ${backend}`);
}

async function chooseBackend(options: TrainMultimodalOptions): Promise<TensorFlow> {
  const { device, backend } = options;
  const tensorFlow = await loadTensorFlow(backend, { device });
  options.onNotice(`TensorFlow.js on ${tensorFlow.backend}: ${tensorFlow.reason}`);
  return tensorFlow;
}

/** The training of one seed, measured. */
interface Run extends TrainedSeed {
  readonly seed: number;
  readonly bestEpoch: number;
  readonly folder: string;
  readonly measures: Measures;
}

async function trainPlan<B extends LabelledBatch>(
  plan: Plan<B>,
  tensorFlow: TensorFlow,
  options: TrainMultimodalOptions,
): Promise<TrainReport> {
  const runs = [await trainAndMeasure(plan, tensorFlow, options, 0)] as [Run, ...Run[]];
  for (let repeat = 1; repeat < options.repeats; repeat += 1)
    runs.push(await trainAndMeasure(plan, tensorFlow, options, repeat));
  const report = reportOf(plan, tensorFlow.backend, options, runs);
  const files = await withOutputs((outputs) => writeReports(options.saveDir, report, outputs));
  return {
    ...report,
    median_epoch_seconds: median(runs.flatMap(({ epochSeconds }) => epochSeconds)),
    files: [...report.files, ...files],
  };
}

/** The first seed's checkpoints stand in `saveDir`, those of the others in folders of their own. */
async function trainAndMeasure<B extends LabelledBatch>(
  plan: Plan<B>,
  tensorFlow: TensorFlow,
  options: TrainMultimodalOptions,
  repeat: number,
): Promise<Run> {
  const { saveDir, signal, onNotice } = options;
  const settings = { ...options.settings, seed: options.settings.seed + repeat };
  const { seed } = settings;
  const folder = repeat === 0 ? saveDir : join(saveDir, "repeats", `seed_${seed}`);
  if (options.repeats > 1) onNotice(`seed ${seed} (${repeat + 1} of ${options.repeats})`);
  const trained = await trainSeed(tensorFlow, plan, {
    ...options,
    settings,
    folders: foldersIn(folder),
    onFirstSave: () => removeReports(saveDir),
  });
  const measures = await measure(tensorFlow.tf, plan, trained.best, seed, signal);
  return { ...trained, seed, bestEpoch: trained.best.epoch, folder, measures };
}

function reportOf<B extends LabelledBatch>(
  plan: Plan<B>,
  backend: string,
  { settings }: TrainMultimodalOptions,
  runs: readonly [Run, ...Run[]],
): WrittenReport {
  const [{ best, history, measures }] = runs;
  return {
    classes: plan.classes,
    modalities: plan.modalities,
    match_by: plan.matchBy,
    backend,
    parameters: [...best.weights.values()].reduce((sum, { data }) => sum + data.length, 0),
    epochs: history.length,
    best_epoch: best.epoch,
    ...measures,
    repeats: runs.length > 1 ? repeatsOf(runs) : null,
    data: plan.data,
    inputs: plan.inputs,
    settings: { ...settings, ...plan.ownSettings },
    history,
    files: runs.flatMap(({ folder }) => Object.values(foldersIn(folder))),
  };
}

function median(values: readonly number[]): number | null {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? null;
}
