import { UserError } from "@emotion-service/core/errors";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { withWayOn } from "@emotion-service/core/files/unfinished";
import { MODALITIES } from "@emotion-service/core/model/fusion";
import { requireNamedFlags } from "@emotion-service/core/predict/encoderNames";
import type { FailedInput } from "@emotion-service/core/predict/predictInput";
import { openPredictor } from "@emotion-service/core/predict/predictor";
import type { Input, Prediction } from "@emotion-service/core/predict/scoreInput";
import { type InputFlags, batchOf, chooseInputs, requireOneSource } from "./chooseInputs.ts";
import { causesOf, listCauses } from "./failures.ts";
import {
  NO_SUCH_FILE,
  type PredictionWork,
  type WorkOptions,
  beginWork,
} from "./predictionWork.ts";
import { writePredictions } from "./writePredictions.ts";

export interface PredictOptions extends InputFlags, WorkOptions {
  readonly csv: string | undefined;
  readonly jsonl: string | undefined;
}

/** Of a folder or a manifest. */
export interface Predictions {
  readonly predictions: readonly Prediction[];
  readonly failed: readonly FailedInput[];
}

/** Of a folder or a manifest, where --jsonl has the predictions. */
export interface PredictionSummary {
  readonly jsonl: string;
  readonly csv: string | null;
  readonly inputs: number;
  readonly predicted: number;
  readonly failed: number;
  /** Inputs that an earlier run had finished. */
  readonly resumed: number;
  /** cause → inputs */
  readonly causes: Readonly<Record<string, number>>;
}

export type PredictResult = Prediction | Predictions | PredictionSummary;

/** One input → its prediction; a folder or a manifest → all of theirs. */
export async function predict(options: PredictOptions): Promise<PredictResult> {
  requireNamedFlags(options, options);
  requireFittingFlags(options);
  requireOneSource(options);
  const inputs = chooseInputs(options);
  requireTimeFor(inputs, options);
  const { csv, jsonl, signal } = options;
  const files = inputs.flatMap((input): string[] => Object.values(input));
  refuseReplacing(
    [csv, jsonl].filter((path) => path !== undefined),
    options.manifest === undefined ? files : [options.manifest, ...files],
  );
  let work: PredictionWork | undefined;
  try {
    const result = await withOutputs(async (outputs) => {
      const staged = { csv: csv && outputs.stage(csv), jsonl: jsonl && outputs.stage(jsonl) };
      const predictor = await openPredictor(options, modalitiesIn(inputs));
      try {
        const output = batchOf(options) === undefined ? undefined : (jsonl ?? csv);
        work = beginWork(inputs, predictor, output, options);
        await work.run();
        const found = resultOf(work, inputs.length, options);
        const classes = predictor.models.classifier?.checkpoint.classes ?? [];
        await writePredictions(staged, work.outcomes(), classes, signal);
        return found;
      } catch (error) {
        work?.close(false); // before its folder goes, should this run have made it
        throw error;
      } finally {
        await predictor.dispose();
      }
    });
    work?.close(true);
    return result;
  } catch (error) {
    work?.close(false);
    throw withWayOn(error, work?.countDone() ?? 0, inputs.length, "inputs");
  }
}

/** @throws UserError E_FLAG where a flag would not be heeded */
function requireFittingFlags(options: PredictOptions): void {
  const { window, step, image, imagesDir, minConfidence, multimodal, isolation } = options;
  const refuse = (rule: string, hint: string): never => {
    throw new UserError("E_FLAG", rule, { hint });
  };
  if (step !== undefined && window === undefined)
    refuse("--step: is the distance of the windows of --window", "give --window too");
  if (step !== undefined && window !== undefined && step > window)
    refuse(
      `--step ${step}: must be at most --window, ${window}`,
      "else what lies between two windows counts in none",
    );
  if (window !== undefined && (image ?? imagesDir) !== undefined) refuseWindow();
  if (minConfidence !== undefined && multimodal === undefined && isolation !== undefined)
    refuse("--min_confidence: is for a classifier", "name one with --multimodal");
  if (!options.resume) return;
  if (batchOf(options) === undefined)
    refuse("--resume: is for a folder or a manifest", "leave it out");
  if ((options.jsonl ?? options.csv) === undefined)
    refuse(
      "--resume: goes on with a file that was not finished, and none is named",
      "name it with --jsonl or --csv",
    );
}

/** Pictures among others have no timeline; those of a manifest of pictures alone need no --window. */
function requireTimeFor(inputs: readonly Input[], { window }: PredictOptions): void {
  if (window !== undefined && inputs.every(({ image }) => image !== undefined)) refuseWindow();
}

function refuseWindow(): never {
  throw new UserError("E_FLAG", "--window: is for videos and sound, a picture has no time", {
    hint: "leave it out",
  });
}

/** Manifests of other commands name files relative to the folder that these were given. */
function wayToPaths(
  causes: Readonly<Record<string, number>>,
  { manifest }: PredictOptions,
): string[] {
  const isLost = Object.keys(causes).join() === NO_SUCH_FILE;
  return manifest !== undefined && isLost ? ["relative paths start at the manifest's folder"] : [];
}

/** The modalities that inputs may have. */
function modalitiesIn(inputs: readonly Input[]) {
  return MODALITIES.filter((modality) =>
    inputs.some((input) => input[modality] !== undefined || input.video !== undefined),
  );
}

/**
 * What is printed: of many inputs whose predictions have a file, how many there are.
 * @throws UserError E_INPUT_BROKEN when no input gave a prediction
 */
function resultOf(work: PredictionWork, inputs: number, options: PredictOptions): PredictResult {
  const batch = batchOf(options);
  const { jsonl, csv = null } = options;
  const isListed = batch === undefined || jsonl === undefined;
  const predictions: Prediction[] = [];
  const failed: FailedInput[] = [];
  for (const outcome of work.outcomes()) {
    if ("error" in outcome) failed.push(outcome);
    else if (isListed) predictions.push(outcome);
  }
  if (batch === undefined && failed[0] !== undefined)
    throw new UserError("E_INPUT_BROKEN", failed[0].error);
  const causes = causesOf(failed);
  if (failed.length === inputs)
    throw new UserError(
      "E_INPUT_BROKEN",
      `${batch}: none of its ${inputs} inputs gave a prediction`,
      { hint: [...listCauses(causes), ...wayToPaths(causes, options)].join("; ") },
    );
  if (batch === undefined && predictions[0] !== undefined) return predictions[0];
  if (jsonl === undefined) return { predictions, failed };
  const predicted = inputs - failed.length;
  const { resumed } = work;
  return { jsonl, csv, inputs, predicted, failed: failed.length, resumed, causes };
}
