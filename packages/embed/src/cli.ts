import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import {
  integerIn,
  jsonOption,
  numberIn,
  quietOption,
  resumeOption,
  shardOption,
  workersOption,
} from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";
import { DEVICES } from "@emotion-service/core/devices";
import { FACE_CROPS } from "@emotion-service/core/face/faceCrop";
import { readShard, wholeNote } from "@emotion-service/core/files/shard";
import { DEFAULT_FPS } from "@emotion-service/core/video/frames";
import { ONNX_LAYOUTS } from "./onnxFlags.ts";

const BATCH_SIZE = 8;
/** ResNet-18's threads wait for each other at every layer: the larger the batch the less, until memory tells. */
const RESNET18_BATCH_SIZE = 16;

/** "0.5,0.5,0.5" → a number a channel, "0.5" → one for all. */
function oneOrThree(min: number, max: number): (text: string) => number[] {
  const parse = numberIn(min, max);
  return (text) => {
    const parts = text.split(",");
    if (parts.length !== 3 && parts.length !== 1)
      throw new InvalidArgumentError("must be one number, or three numbers, r,g,b");
    return parts.map((part) => parse(part));
  };
}

/** The flags of embed; the action calls embed. */
export function createProgram(io: CliIo) {
  return new Command("embed")
    .description("Images, audio features, audio files or videos -> embeddings in HDF5.")
    .option(
      "--images_dir <dir>",
      "folder of pictures; class folders give labels, train/val/test folders give groups",
    )
    .option("--audio_h5 <file>", "preprocessed audio, as audio-preprocess writes it")
    .option(
      "--audio_dir <dir>",
      "folder of audio files, preprocessed at audio-preprocess's defaults on the way",
    )
    .option(
      "--videos_dir <dir>",
      "folder of videos: their pictures and their sound, under the same names",
    )
    .requiredOption("--out_h5 <file>", "output HDF5 file; with --videos_dir that of the pictures")
    .option("--out_audio_h5 <file>", "with --videos_dir: output HDF5 file of the sound")
    .addOption(
      new Option(
        "--fps <rate>",
        `with --videos_dir: frames that are looked at, per second (default: ${DEFAULT_FPS})`,
      ).argParser(numberIn(0.01, 60)),
    )
    .option(
      "--audio_model <name>",
      "with --videos_dir: encoder of the sound, audio_stats (default), audio_cnn, or an .onnx file",
    )
    .option(
      "--audio_weights <folder>",
      "with --audio_model audio_cnn: a trained one (default: the one that comes along)",
    )
    .option(
      "--model <name>",
      "encoder: auto (face for pictures, audio_stats for sound), face, face_cnn, resnet18, audio_stats, audio_cnn, or an .onnx file that takes pictures or sound",
      "auto",
    )
    .option(
      "--weights <file>",
      "resnet18: a state dict of PyTorch (.pth, .safetensors), or random (default: the published one, from a cache or downloaded once); face_cnn, audio_cnn: the folder of a trained one (default: the one that comes along)",
    )
    .addOption(
      new Option("--device <device>", "resnet18, .onnx: what the network runs on; auto is cpu")
        .choices(DEVICES)
        .default("auto" as const),
    )
    .addOption(
      new Option(
        "--face_crop <rule>",
        "on: find, level and cut out the face; off: pictures are aligned faces; auto: decides by size and shape (resnet18, .onnx: takes whole pictures, as off)",
      )
        .choices(FACE_CROPS)
        .default("auto" as const),
    )
    .addOption(
      new Option(
        "--faces <which>",
        "face, face_cnn: the largest face of a picture, or a row for each, named picture.jpg#01, picture.jpg#02 …, the largest first",
      )
        .choices(["largest", "all"] as const)
        .default("largest" as const),
    )
    .addOption(
      new Option(
        "--input_size <pixels>",
        ".onnx: pixels a side, where the shape of its input leaves them open (default: what the file states, 224)",
      ).argParser(integerIn(1, 4096)),
    )
    .addOption(
      new Option(
        "--mean <r,g,b>",
        ".onnx: taken from pixels of [0, 1], before --std divides them; of log-mel, one number, dB (default: what the file states, ImageNet's; log-mel: 0)",
      ).argParser(oneOrThree(-1000, 1000)),
    )
    .addOption(
      new Option(
        "--std <r,g,b>",
        ".onnx: pixels, or log-mel, are divided by it (default: what the file states, ImageNet's; log-mel: 1)",
      ).argParser(oneOrThree(1e-6, 1000)),
    )
    .addOption(
      new Option(
        "--layout <axes>",
        ".onnx: order of the axes behind the batch, where the shape does not tell it: channels first or last of pictures, mel bands before or behind time of log-mel",
      ).choices(ONNX_LAYOUTS),
    )
    .addOption(
      new Option(
        "--sr <hz>",
        ".onnx: sample rate of the sound that it takes (default: what the file states, 16000)",
      ).argParser(integerIn(1000, 384_000)),
    )
    .addOption(
      new Option(
        "--audio_input <kind>",
        ".onnx: what it takes, where the shape does not tell it",
      ).choices(["waveform", "logmel"] as const),
    )
    .addOption(
      new Option(
        "--do_normalize <rule>",
        ".onnx: brings a waveform to zero mean and unit variance (default: what the file states, off)",
      ).choices(["on", "off"] as const),
    )
    .option("--output <name>", ".onnx: the output that is the embedding (default: the first)")
    .addOption(
      new Option(
        "--batch_size <n>",
        `pictures a forward pass (default: ${BATCH_SIZE}; resnet18: ${RESNET18_BATCH_SIZE})`,
      ).argParser(integerIn(1, 4096)),
    )
    .addOption(workersOption("worker threads"))
    .addOption(shardOption())
    .addOption(resumeOption())
    .option(
      "--manifest_name <name>",
      "CSV manifest beside the output (default: the output's name with _manifest.csv)",
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (flags) => {
      const { embed } = await import("./embed.ts");
      const { formatSummary } = await import("./summary.ts");
      const note = wholeNote(flags.shard, process.env);
      if (note !== undefined) io.stderr.write(`${note}\n`);
      const progress = createProgress(io, flags.quiet);
      const summary = await embed({
        imagesDir: flags.images_dir,
        audioH5: flags.audio_h5,
        audioDir: flags.audio_dir,
        videosDir: flags.videos_dir,
        outH5: flags.out_h5,
        outAudioH5: flags.out_audio_h5,
        audioModel: flags.audio_model,
        audioWeights: flags.audio_weights,
        fps: flags.fps,
        model: flags.model,
        weights: flags.weights,
        device: flags.device,
        onnx: {
          inputSize: flags.input_size,
          mean: flags.mean,
          std: flags.std,
          layout: flags.layout,
          output: flags.output,
          sr: flags.sr,
          audioInput: flags.audio_input,
          doNormalize: flags.do_normalize,
        },
        env: process.env,
        faceCrop: flags.face_crop,
        faces: flags.faces,
        batchSize:
          flags.batch_size ?? (flags.model === "resnet18" ? RESNET18_BATCH_SIZE : BATCH_SIZE),
        workers: flags.workers,
        manifestName: flags.manifest_name,
        shard: readShard(flags.shard, process.env),
        resume: flags.resume,
        onNotice: (line) => {
          if (!flags.quiet) io.stderr.write(`${line}\n`);
        },
        onProgress: progress.report,
        signal: io.signal,
      }).finally(progress.end);
      const parts = "images" in summary ? [summary.images, summary.audio] : [summary];
      io.stdout.write(
        flags.json ? `${JSON.stringify(summary)}\n` : parts.map(formatSummary).join("\n"),
      );
    });
}
