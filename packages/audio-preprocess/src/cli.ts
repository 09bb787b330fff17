import { Command, InvalidArgumentError, Option } from "@commander-js/extra-typings";
import {
  integerIn,
  jsonOption,
  numberIn,
  numberOption,
  quietOption,
  resumeOption,
  shardOption,
  workersOption,
} from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";
import { FRAME_FEATURES, type FrameFeature } from "@emotion-service/core/audio/frameFeatures";
import { readShard, wholeNote } from "@emotion-service/core/files/shard";
import { DEFAULT_LOG_MEL, PAD_MODES } from "@emotion-service/core/audio/logMelConfig";

/** The flags of audio-preprocess; the action calls preprocessAudio. */
export function createProgram(io: CliIo) {
  const d = DEFAULT_LOG_MEL;
  return new Command("audio-preprocess")
    .description("Audio files -> log-mel features in HDF5, with a CSV manifest of every file.")
    .requiredOption(
      "--audio_dir <dir>",
      "root folder containing audio files (searched with its subfolders)",
    )
    .option("--out_h5 <file>", "output HDF5 file", "preprocessed_audio.h5")
    .option("--out_dir <dir>", "folder of the CSV manifest", "preprocessed_audio")
    .addOption(numberOption("--sr <hz>", "target sample rate, Hz", d.sr, integerIn(1000, 384_000)))
    .addOption(
      numberOption(
        "--n_fft <samples>",
        "length of a frame, samples",
        d.n_fft,
        integerIn(16, 65_536),
      ),
    )
    .addOption(
      numberOption(
        "--hop_length <samples>",
        "step from frame to frame, samples",
        d.hop_length,
        integerIn(1, 65_536),
      ),
    )
    .addOption(numberOption("--n_mels <bands>", "mel bands", d.n_mels, integerIn(1, 512)))
    .addOption(
      numberOption(
        "--fixed_duration <seconds>",
        "if > 0, crop or pad every clip to this duration, seconds; 0 keeps its own",
        d.fixed_duration,
        numberIn(0, 86_400),
      ),
    )
    .addOption(
      numberOption(
        "--top_db <db>",
        "trim silence this many decibels below the loudest frame; 0: no trimming",
        d.top_db,
        numberIn(0, 200),
      ),
    )
    .addOption(
      new Option("--pad_mode <mode>", "padding of the ends, so that frames are centred")
        .choices(PAD_MODES)
        .default(d.pad_mode),
    )
    .addOption(workersOption("worker threads"))
    .option("--manifest_name <name>", "name of the CSV manifest", "audio_manifest.csv")
    .option(
      "--labels <rule>",
      "where labels come from: cremad, ravdess, emodb, tess, savee (file names), folder (class folders), auto (all of these), or csv:FILE with columns path,label and perhaps speaker",
      "auto",
    )
    .addOption(
      new Option(
        "--features <list>",
        `what to store: mel, and any of ${FRAME_FEATURES.join(", ")} (as librosa defines them)`,
      )
        .argParser(parseFeatures)
        .default([], "mel"),
    )
    .addOption(shardOption())
    .addOption(resumeOption())
    .addOption(
      numberOption(
        "--time_limit <seconds>",
        "a file that takes longer has failed, seconds",
        300,
        numberIn(1, 86_400),
      ),
    )
    .addOption(
      new Option("--compression <kind>", "compression of the features")
        .choices(["none", "gzip"] as const)
        .default("none" as const),
    )
    .addOption(
      numberOption("--batch_write <rows>", "rows written at a time", 64, integerIn(1, 65_536)),
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (flags) => {
      const { preprocessAudio } = await import("./preprocessAudio.ts");
      const { formatSummary } = await import("./summary.ts");
      const note = wholeNote(flags.shard, process.env);
      if (note !== undefined) io.stderr.write(`${note}\n`);
      const progress = createProgress(io, flags.quiet);
      const summary = await preprocessAudio({
        audioDir: flags.audio_dir,
        outH5: flags.out_h5,
        manifestDir: flags.out_dir,
        manifestName: flags.manifest_name,
        config: {
          sr: flags.sr,
          n_fft: flags.n_fft,
          hop_length: flags.hop_length,
          n_mels: flags.n_mels,
          fixed_duration: flags.fixed_duration,
          top_db: flags.top_db,
          pad_mode: flags.pad_mode,
        },
        extras: flags.features,
        labels: flags.labels,
        shard: readShard(flags.shard, process.env),
        resume: flags.resume,
        timeLimitSeconds: flags.time_limit,
        workers: flags.workers,
        batchRows: flags.batch_write,
        compression: flags.compression,
        onProgress: progress.report,
        signal: io.signal,
      }).finally(progress.end);
      io.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : formatSummary(summary));
    });
}

/** "mel,rms" → the extras, in the order in which they are stored. */
function parseFeatures(text: string): FrameFeature[] {
  const names = text.split(",").map((name) => name.trim());
  for (const name of names)
    if (name !== "mel" && !FRAME_FEATURES.some((known) => known === name))
      throw new InvalidArgumentError(
        `must be mel and any of ${FRAME_FEATURES.join(", ")}, got '${name}'.`,
      );
  if (!names.includes("mel"))
    throw new InvalidArgumentError(`must have mel in it, got '${text}': it is always stored.`);
  return FRAME_FEATURES.filter((name) => names.includes(name));
}
