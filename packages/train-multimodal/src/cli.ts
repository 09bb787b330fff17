import { Command, Option } from "@commander-js/extra-typings";
import {
  integerIn,
  jsonOption,
  numberIn,
  numberOption,
  quietOption,
  workersOption,
} from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";
import { BACKENDS, TRAINING_DEVICES } from "@emotion-service/core/model/backendNames";

/** The flags of train-multimodal; the action calls trainMultimodal. */
export function createProgram(io: CliIo) {
  return new Command("train-multimodal")
    .description(
      "Paired embeddings, or log-mel clips of sound -> a trained emotion classifier (saves multimodal_best/ and multimodal_last/).",
    )
    .requiredOption(
      "--train_h5 <file>",
      "training pairs of pair, or with --modalities audio clips of audio-preprocess, HDF5",
    )
    .option(
      "--val_h5 <file>",
      "validation set, HDF5 (default: a part of the training speakers, kept apart)",
    )
    .option("--test_h5 <file>", "test set, HDF5: measured once, with the best checkpoint")
    .addOption(
      numberOption("--epochs <n>", "passes over the training rows", 30, integerIn(1, 100_000)),
    )
    .addOption(numberOption("--batch_size <rows>", "rows a step", 64, integerIn(2, 65_536)))
    .addOption(numberOption("--lr <rate>", "learning rate", 1e-3, numberIn(1e-9, 10)))
    .addOption(
      new Option(
        "--device <device>",
        "cuda: a GPU, through the native TensorFlow binding; auto: that where there is one, else the processor",
      )
        .choices(TRAINING_DEVICES)
        .default("auto" as const),
    )
    .option(
      "--save_dir <dir>",
      "folder of the checkpoints, the history and the plots",
      "saved_models",
    )
    .addOption(
      workersOption("threads that read ahead, with --prefetch, of rows that stay in their file"),
    )
    .addOption(
      numberOption(
        "--seed <n>",
        "seed of the weights, the order and the dropout",
        42,
        integerIn(0, 2 ** 32 - 1),
      ),
    )
    .addOption(
      numberOption(
        "--repeats <k>",
        "trainings, by the seeds from --seed on: their mean and deviation are reported",
        1,
        integerIn(1, 1000),
      ),
    )
    .option(
      "--resume",
      "go on with the training that --save_dir holds, as if it had never stopped: the same weights",
      false,
    )
    .option(
      "--prefetch",
      "read ahead of the training, in --workers threads, where rows stay in their file",
      false,
    )
    .addOption(
      numberOption(
        "--memory <MiB>",
        "values that are held in memory; a file of pairs that has more is read along the way, in each epoch",
        512,
        integerIn(1),
      ),
    )
    .addOption(
      new Option("--modalities <which>", "what the model sees")
        .choices(["both", "image", "audio"] as const)
        .default("both" as const),
    )
    .addOption(
      new Option(
        "--prefer_pairs_base <side>",
        "keep only rows that have this side (default: rows that have either)",
      ).choices(["images", "audios"] as const),
    )
    .addOption(
      new Option("--scheduler <name>", "learning rate over the steps")
        .choices(["none", "onecycle", "cosine"] as const)
        .default("none" as const),
    )
    .addOption(
      new Option(
        "--max_lr <rate>",
        "peak of --scheduler onecycle (default: 10 times --lr)",
      ).argParser(numberIn(1e-9, 100)),
    )
    .addOption(
      numberOption(
        "--weight_decay <rate>",
        "AdamW's decoupled weight decay",
        1e-5,
        numberIn(0, 10),
      ),
    )
    .addOption(
      numberOption(
        "--grad_clip <norm>",
        "largest global norm of the gradients; 0: not clipped",
        1,
        numberIn(0, 1e6),
      ),
    )
    .addOption(
      numberOption(
        "--early_stop <epochs>",
        "stop after this many epochs without a better validation; 0: never",
        0,
        integerIn(0, 100_000),
      ),
    )
    .addOption(
      numberOption(
        "--modality_dropout <chance>",
        "chance that a training row loses one of its two modalities",
        0.1,
        numberIn(0, 0.9),
      ),
    )
    .addOption(
      numberOption(
        "--label_smoothing <share>",
        "share of a target spread over all classes",
        0,
        numberIn(0, 0.9),
      ),
    )
    .addOption(
      new Option("--class_weights <rule>", "weights of the classes in the loss")
        .choices(["balanced", "none"] as const)
        .default("balanced" as const),
    )
    .addOption(
      new Option(
        "--backend <name>",
        "TensorFlow.js backend; auto: native where it is installed, else wasm",
      )
        .choices(BACKENDS)
        .default("auto" as const),
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (flags) => {
      const { trainMultimodal } = await import("./trainMultimodal.ts");
      const { formatSummary } = await import("./summary.ts");
      const progress = createProgress(io, flags.quiet);
      const report = await trainMultimodal({
        trainH5: flags.train_h5,
        valH5: flags.val_h5,
        testH5: flags.test_h5,
        saveDir: flags.save_dir,
        device: flags.device,
        backend: flags.backend,
        modalities: flags.modalities === "both" ? ["image", "audio"] : [flags.modalities],
        preferPairsBase: flags.prefer_pairs_base,
        memoryBytes: flags.memory * 2 ** 20,
        prefetch: flags.prefetch,
        workers: flags.workers,
        settings: {
          epochs: flags.epochs,
          batchSize: flags.batch_size,
          lr: flags.lr,
          maxLr: flags.max_lr ?? 10 * flags.lr,
          scheduler: flags.scheduler,
          weightDecay: flags.weight_decay,
          gradClip: flags.grad_clip,
          labelSmoothing: flags.label_smoothing,
          classWeights: flags.class_weights,
          earlyStop: flags.early_stop,
          seed: flags.seed,
        },
        modalityDropout: flags.modality_dropout,
        repeats: flags.repeats,
        resume: flags.resume,
        onNotice: (line) => {
          if (!flags.quiet) io.stderr.write(`${line}\n`);
        },
        onProgress: progress.report,
        signal: io.signal,
      }).finally(progress.end);
      io.stdout.write(flags.json ? `${JSON.stringify(report)}\n` : formatSummary(report));
    });
}
