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
import { type InputEncoders, createInputEncoders } from "./embedInput.ts";
import { WEIGHTED_ENCODERS } from "./imageEncoder.ts";
import { type Models, chooseClassifier, loadModels } from "./models.ts";
import { type NamedEncoders, loadNamedEncoders, requireNamedFlags } from "./namedEncoders.ts";
import { type FailedInput, predictInput } from "./predictInput.ts";
import type { Input, Prediction } from "./scoreInput.ts";
import { writePredictionCsv } from "./writePredictionCsv.ts";

export interface PredictOptions extends NamedEncoders {
  readonly video: string | undefined;
  readonly image: string | undefined;
  readonly audio: string | undefined;
  readonly videosDir: string | undefined;
  readonly imagesDir: string | undefined;
  readonly audioDir: string | undefined;
  readonly multimodal: string | undefined;
  readonly isolation: string | undefined;
  readonly csv: string | undefined;
  /** Also lists this many of the likeliest emotions. */
  readonly top: number | undefined;
  /** Frames of a video that are looked at, per second. */
  readonly fps: number;
  /** Windows of the timeline, and from the start of one to that of the next, seconds; no timeline without. */
  readonly window: number | undefined;
  readonly step: number | undefined;
  /** Below this probability the emotion is "uncertain". */
  readonly minConfidence: number | undefined;
  /** The resnet18 or .onnx file that made the embeddings; undefined where it can be found, or is not needed. */
  readonly weights: string | undefined;
  /** The folder of the audio_cnn, or the .onnx file, that made the embeddings; undefined where none did, or it can be found. */
  readonly audioWeights: string | undefined;
  /** Where caches of weights lie is in the environment. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onProgress?: OnProgress;
  /** Told once, when it differs from what one would expect: what runs the models, and why. */
  readonly onNotice: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
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
  const onNotice = onceEach(options.onNotice);
  const multimodal = chooseClassifier(options, seen, onNotice);
  return withOutputs(async (outputs) => {
    const csv = options.csv === undefined ? undefined : outputs.stage(options.csv);
    const named = await loadNamedEncoders(options, { ...options, onNotice });
    const models = await loadModels(multimodal, options.isolation, named, onNotice);
    const weights = options.weights ?? models.ownWeights.image;
    const audioWeights = options.audioWeights ?? models.ownWeights.audio;
    const loading = { ...options, weights, audioWeights, onNotice };
    const encoders = createInputEncoders(models.encoders, loading);
    try {
      refuseUnusedWeights(options, models);
      const result = await predictInputs(inputs, models, encoders, options);
      const predictions = "predictions" in result ? result.predictions : [result];
      if (csv !== undefined)
        writePredictionCsv(csv, inputs, predictions, models.classifier?.checkpoint.classes ?? []);
      return result;
    } finally {
      await encoders.dispose();
      await models.classifier?.dispose();
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

/** A named encoder is loaded twice, to know what it is and to run; it says its notices once. */
function onceEach(tell: (line: string) => void): (line: string) => void {
  const told = new Set<string>();
  return (line) => {
    if (!told.has(line)) tell(line);
    told.add(line);
  };
}

/** A flag that the models do not heed must not look as if it did. */
function refuseUnusedWeights(
  { weights, audioWeights }: Pick<PredictOptions, "weights" | "audioWeights">,
  { encoders }: Models,
): void {
  const refused = (flag: string, models: string, kind: string, used: string | undefined) =>
    new UserError(
      "E_FLAG",
      `${flag}: is for models trained on ${models} embeddings, the encoder of ${kind} is ${used ?? "none"}`,
      { hint: "leave the flag out" },
    );
  const [image, audio] = [encoders.image?.model, encoders.audio?.model];
  if (weights !== undefined && !(image !== undefined && WEIGHTED_ENCODERS.includes(image)))
    throw refused("--weights", "resnet18, face_cnn or .onnx", "pictures", image);
  if (audioWeights !== undefined && audio !== "audio_cnn" && audio !== "onnx")
    throw refused("--audio_weights", "audio_cnn or .onnx", "sound", audio);
}

async function predictInputs(
  inputs: readonly Input[],
  models: Models,
  encoders: InputEncoders,
  options: PredictOptions,
): Promise<Prediction | Predictions> {
  const folder = options.videosDir ?? options.imagesDir ?? options.audioDir;
  if (folder === undefined) {
    const result = await predictInput(inputs[0] ?? {}, models, encoders, options);
    if ("error" in result) throw new UserError("E_INPUT_BROKEN", result.error);
    return result;
  }
  const predictions: Prediction[] = [];
  const failed: FailedInput[] = [];
  for (const input of inputs) {
    throwIfAborted(options.signal);
    const result = await predictInput(input, models, encoders, options);
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
