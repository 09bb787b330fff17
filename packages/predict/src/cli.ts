import { Command, Option } from "@commander-js/extra-typings";
import {
  integerIn,
  jsonOption,
  numberIn,
  quietOption,
  resumeOption,
} from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";
import { DEFAULT_FPS } from "@emotion-service/core/video/frames";
import { AUDIO_ENCODERS, IMAGE_ENCODERS } from "@emotion-service/core/predict/encoderNames";
import { FPS, MIN_CONFIDENCE, TOP, WINDOW_SECONDS } from "@emotion-service/core/predict/ranges";
import { PREDICTION_SCHEMA } from "@emotion-service/core/predict/predictionSchema";

/** The flags of predict; the action calls predict and prints its JSON. */
export function createProgram(io: CliIo) {
  return new Command("predict")
    .description(
      "A video, a picture, a clip, or a picture and a clip of one person -> emotion and anomaly, as JSON.",
    )
    .option("--video <file>", "a video: its faces and its sound")
    .option("--image <file>", "a picture with a face")
    .option("--audio <file>", "a clip of speech")
    .option("--videos_dir <dir>", "every video of a folder")
    .option("--images_dir <dir>", "every picture of a folder")
    .option("--audio_dir <dir>", "every clip of a folder")
    .option(
      "--manifest <file>",
      "every input that a CSV file names, a row each: column path, or image, audio, video; relative paths start at its folder",
    )
    .option(
      "--multimodal <folder>",
      "trained classifier, such as saved_models/multimodal_best, or the Python service's multimodal_best.pth (default, where no model is named: what comes along, face_cnn for faces and audio_cnn for voices)",
    )
    .option(
      "--isolation <file>",
      "trained anomaly detector, such as results/anomaly/isolation_forest.json, or scikit-learn's isolation_forest.joblib",
    )
    .addOption(
      new Option(
        "--image_encoder <name>",
        "for models that do not say it, such as the Python service's: what embedded their pictures; onnx needs --weights, none leaves pictures out",
      ).choices(IMAGE_ENCODERS),
    )
    .addOption(
      new Option(
        "--audio_encoder <name>",
        "the same for their sound, with features at the defaults of audio-preprocess",
      ).choices(AUDIO_ENCODERS),
    )
    .option(
      "--weights <file>",
      "for models trained on resnet18, face_cnn or .onnx embeddings: the weights, the folder or the .onnx file that embed had (default: resnet18's published ones, from a cache or downloaded once; the face_cnn that comes along)",
    )
    .option(
      "--audio_weights <path>",
      "for models trained on audio_cnn or .onnx embeddings of sound: the folder of the trained network, or the .onnx file, that embed had (default: the audio_cnn that comes along)",
    )
    .option(
      "--csv <file>",
      "also write a row an input: path, emotion, confidence, prob_<name>…, anomaly_score, anomaly_flag, error",
    )
    .option(
      "--jsonl <file>",
      "write a line of JSON an input, a prediction or why there is none; of a folder or a manifest a summary is printed then",
    )
    .addOption(resumeOption())
    .addOption(
      new Option("--top <n>", "also list the n likeliest emotions under 'top'").argParser(
        integerIn(...TOP),
      ),
    )
    .addOption(
      new Option("--fps <rate>", "frames of a video that are looked at, per second")
        .default(DEFAULT_FPS)
        .argParser(numberIn(...FPS)),
    )
    .addOption(
      new Option(
        "--window <seconds>",
        "videos and sound: also tell of each window of this length under 'timeline', 0.1 to 600",
      ).argParser(numberIn(...WINDOW_SECONDS)),
    )
    .addOption(
      new Option(
        "--step <seconds>",
        "from the start of one window to that of the next, 0.1 up to --window (default: --window)",
      ).argParser(numberIn(...WINDOW_SECONDS)),
    )
    .addOption(
      new Option(
        "--min_confidence <p>",
        "the emotion is 'uncertain' where the largest probability is below p, 0 to 1",
      ).argParser(numberIn(...MIN_CONFIDENCE)),
    )
    .addOption(jsonOption("print the JSON on one line"))
    .addOption(
      new Option(
        "--schema",
        "print the JSON Schema of what is printed, and of a line of --jsonl, and end",
      ).default(false),
    )
    .addOption(quietOption())
    .action(async (flags) => {
      const print = (value: object): void => {
        io.stdout.write(`${JSON.stringify(value, null, flags.json ? undefined : 2)}\n`);
      };
      if (flags.schema) {
        print(PREDICTION_SCHEMA);
        return;
      }
      const notice = (line: string): void => {
        if (!flags.quiet) io.stderr.write(`${line}\n`);
      };
      const { predict } = await import("./predict.ts");
      const { describeFailures } = await import("./failures.ts");
      const progress = createProgress(io, flags.quiet);
      const result = await predict({
        video: flags.video,
        image: flags.image,
        audio: flags.audio,
        videosDir: flags.videos_dir,
        imagesDir: flags.images_dir,
        audioDir: flags.audio_dir,
        manifest: flags.manifest,
        multimodal: flags.multimodal,
        isolation: flags.isolation,
        csv: flags.csv,
        jsonl: flags.jsonl,
        resume: flags.resume,
        top: flags.top,
        fps: flags.fps,
        window: flags.window,
        step: flags.step,
        minConfidence: flags.min_confidence,
        weights: flags.weights,
        audioWeights: flags.audio_weights,
        imageEncoder: flags.image_encoder,
        audioEncoder: flags.audio_encoder,
        env: process.env,
        onProgress: progress.report,
        onNotice: notice,
        signal: io.signal,
      }).finally(progress.end);
      print(result);
      for (const line of describeFailures(result)) notice(line);
    });
}
