import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import {
  AUDIO_EXTENSIONS,
  IMAGE_EXTENSIONS,
  VIDEO_EXTENSIONS,
  listFiles,
  requireFile,
} from "@emotion-service/core/files/listFiles";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { MODALITIES } from "@emotion-service/core/model/fusion";
import { requireNamedFlags } from "@emotion-service/core/predict/namedEncoders";
import type { FailedInput, InputOptions } from "@emotion-service/core/predict/predictInput";
import {
  type Predictor,
  type PredictorOptions,
  openPredictor,
} from "@emotion-service/core/predict/predictor";
import type { Input, Prediction } from "@emotion-service/core/predict/scoreInput";
import { writePredictionCsv } from "./writePredictionCsv.ts";

export interface PredictOptions extends PredictorOptions, InputOptions {
  readonly video: string | undefined;
  readonly image: string | undefined;
  readonly audio: string | undefined;
  readonly videosDir: string | undefined;
  readonly imagesDir: string | undefined;
  readonly audioDir: string | undefined;
  readonly csv: string | undefined;
  readonly onProgress?: OnProgress;
}

/** Of a folder. */
export interface Predictions {
  readonly predictions: readonly Prediction[];
  readonly failed: readonly FailedInput[];
}

/** One input → its prediction; folders → all of theirs. */
export async function predict(options: PredictOptions): Promise<Prediction | Predictions> {
  requireNamedFlags(options, options);
  requireFittingFlags(options);
  const inputs = chooseInputs(options);
  if (options.csv !== undefined)
    refuseReplacing(
      [options.csv],
      inputs.flatMap((input) => Object.values(input)),
    );
  const seen = MODALITIES.filter((modality) =>
    inputs.some((input) => input[modality] !== undefined || input.video !== undefined),
  );
  return withOutputs(async (outputs) => {
    const csv = options.csv === undefined ? undefined : outputs.stage(options.csv);
    const predictor = await openPredictor(options, seen);
    try {
      const result = await predictInputs(inputs, predictor, options);
      const predictions = "predictions" in result ? result.predictions : [result];
      const classes = predictor.models.classifier?.checkpoint.classes ?? [];
      if (csv !== undefined) writePredictionCsv(csv, inputs, predictions, classes);
      return result;
    } finally {
      await predictor.dispose();
    }
  });
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
  if (window !== undefined && (image ?? imagesDir) !== undefined)
    refuse("--window: is for videos and sound, a picture has no time", "leave it out");
  if (minConfidence !== undefined && multimodal === undefined && isolation !== undefined)
    refuse("--min_confidence: is for a classifier", "name one with --multimodal");
}

async function predictInputs(
  inputs: readonly Input[],
  predictor: Predictor,
  options: PredictOptions,
): Promise<Prediction | Predictions> {
  const folder = options.videosDir ?? options.imagesDir ?? options.audioDir;
  if (folder === undefined) {
    const result = await predictor.predict(inputs[0] ?? {}, options);
    if ("error" in result) throw new UserError("E_INPUT_BROKEN", result.error);
    return result;
  }
  const predictions: Prediction[] = [];
  const failed: FailedInput[] = [];
  for (const input of inputs) {
    throwIfAborted(options.signal);
    const result = await predictor.predict(input, options);
    if ("error" in result) failed.push(result);
    else predictions.push(result);
    options.onProgress?.(predictions.length + failed.length, inputs.length, "inputs");
  }
  if (predictions.length === 0)
    throw new UserError(
      "E_INPUT_BROKEN",
      `${folder}: none of its ${inputs.length} files gave a prediction`,
      {
        hint: `the first: ${failed[0]?.error ?? ""}`,
      },
    );
  return { predictions, failed };
}

/** The inputs that the flags name: one, or those of one folder. */
function chooseInputs(options: PredictOptions): Input[] {
  const { video, image, audio, videosDir, imagesDir, audioDir } = options;
  const folders = [videosDir, imagesDir, audioDir].filter((folder) => folder !== undefined);
  const files = [video, image, audio].filter((file) => file !== undefined);
  if (folders.length + Math.min(1, files.length) !== 1 || (video !== undefined && files.length > 1))
    throw new UserError(
      "E_FLAG",
      "one input is needed: --video, or --image and/or --audio, or one of --videos_dir, --images_dir, --audio_dir",
      { hint: "a video brings its own faces and sound" },
    );
  const inFolder = (folder: string, flag: string, extensions: readonly string[]): string[] =>
    listFiles(folder, extensions, flag).map((path) => join(folder, path));
  if (videosDir !== undefined)
    return inFolder(videosDir, "--videos_dir", VIDEO_EXTENSIONS).map((path) => ({ video: path }));
  if (imagesDir !== undefined)
    return inFolder(imagesDir, "--images_dir", IMAGE_EXTENSIONS).map((path) => ({ image: path }));
  if (audioDir !== undefined)
    return inFolder(audioDir, "--audio_dir", AUDIO_EXTENSIONS).map((path) => ({ audio: path }));
  for (const [flag, path] of Object.entries({ video, image, audio }))
    if (path !== undefined) requireFile(path, `--${flag}`);
  return [
    {
      ...(video === undefined ? {} : { video }),
      ...(image === undefined ? {} : { image }),
      ...(audio === undefined ? {} : { audio }),
    },
  ];
}
