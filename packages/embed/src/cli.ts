import { Command, Option } from "@commander-js/extra-typings";
import { integerIn, jsonOption, quietOption, workersOption } from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";
import { FACE_CROPS } from "@emotion-service/core/face/faceCrop";

/** The flags of embed; the action calls embed. */
export function createProgram(io: CliIo) {
  return new Command("embed")
    .description("Images, audio features or audio files -> embeddings in HDF5.")
    .option(
      "--images_dir <dir>",
      "folder of pictures; class folders give labels, train/val/test folders give groups",
    )
    .option("--audio_h5 <file>", "preprocessed audio, as audio-preprocess writes it")
    .option(
      "--audio_dir <dir>",
      "folder of audio files, preprocessed at audio-preprocess's defaults on the way",
    )
    .requiredOption("--out_h5 <file>", "output HDF5 file")
    .option(
      "--model <name>",
      "encoder: auto (face for pictures, audio_stats for sound), face, audio_stats",
      "auto",
    )
    .addOption(
      new Option(
        "--face_crop <rule>",
        "on: find, level and cut out the face; off: pictures are aligned faces; auto: decides by size and shape",
      )
        .choices(FACE_CROPS)
        .default("auto" as const),
    )
    .addOption(
      new Option("--batch_size <n>", "pictures a forward pass")
        .default(8)
        .argParser(integerIn(1, 4096)),
    )
    .addOption(workersOption("worker threads"))
    .option(
      "--manifest_name <name>",
      "CSV manifest beside the output (default: the output's name with _manifest.csv)",
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (flags) => {
      const { embed } = await import("./embed.ts");
      const { formatSummary } = await import("./summary.ts");
      const progress = createProgress(io, flags.quiet);
      const summary = await embed({
        imagesDir: flags.images_dir,
        audioH5: flags.audio_h5,
        audioDir: flags.audio_dir,
        outH5: flags.out_h5,
        model: flags.model,
        faceCrop: flags.face_crop,
        batchSize: flags.batch_size,
        workers: flags.workers,
        manifestName: flags.manifest_name,
        onProgress: progress.report,
        signal: io.signal,
      }).finally(progress.end);
      io.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : formatSummary(summary));
    });
}
