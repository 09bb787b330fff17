import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { FOREST_DEFAULTS } from "@emotion-service/core/anomaly/forestDefaults";
import { integerIn, jsonOption, numberOption, quietOption } from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";
import { parseContamination, parseMaxSamples } from "./flags.ts";

/** The `train-anomaly` command; `io` is where it writes. */
export function createProgram(io: CliIo): CommandUnknownOpts {
  const program = new Command("train-anomaly")
    .description(
      "Fit an isolation forest on paired embeddings, and score each row: higher is stranger.",
    )
    .requiredOption("--train_h5 <file>", "training rows: paired HDF5, of pair")
    .option("--test_h5 <file>", "rows to score besides, of the same encoders (default: none)")
    .option("--save_dir <folder>", "where the model, scores and plots go", "saved_models")
    .option("--n_estimators <n>", "trees of the forest", integerIn(1), FOREST_DEFAULTS.nEstimators)
    .option(
      "--contamination <share>",
      "share of training rows taken as anomalies, above 0 and up to 0.5; or 'auto': a fixed threshold",
      parseContamination,
      FOREST_DEFAULTS.contamination,
    )
    .option(
      "--random_state <n>",
      "seed, a whole number",
      integerIn(0, 2 ** 32 - 1),
      FOREST_DEFAULTS.randomState,
    )
    .option(
      "--eval_with_labels",
      "if labels look binary (0/1; 1: anomaly), measure against them",
      false,
    )
    .addOption(
      new Option(
        "--max_samples <n>",
        "rows a tree is grown on: a number, a share between 0 and 1, or 'auto': 256 at most",
      )
        .argParser(parseMaxSamples)
        .default(FOREST_DEFAULTS.maxSamples),
    )
    .addOption(
      new Option(
        "--engine <name>",
        "native: ours, seeded, saved; isolation-forest: the npm package, scores only",
      )
        .choices(["native", "isolation-forest"] as const)
        .default("native" as const),
    )
    .addOption(
      new Option(
        "--import <file>",
        "instead of fitting: scikit-learn's forest, such as isolation_forest.joblib, which scores the rows and is saved as ours",
      ).conflicts(["n_estimators", "contamination", "random_state", "max_samples", "engine"]),
    )
    .addOption(
      new Option(
        "--modalities <which>",
        "what a row is made of; a missing one is filled with its mean",
      )
        .choices(["both", "image", "audio"] as const)
        .default("both" as const),
    )
    .addOption(
      numberOption(
        "--batch_size <n>",
        "rows read at once, about: whole chunks of the file",
        4096,
        integerIn(1),
      ),
    )
    .addOption(jsonOption())
    .addOption(quietOption());
  program.action(async (flags) => {
    const { trainAnomaly } = await import("./trainAnomaly.ts");
    const { formatSummary } = await import("./summary.ts");
    const progress = createProgress(io, flags.quiet);
    const options = {
      trainH5: flags.train_h5,
      testH5: flags.test_h5,
      importFrom: flags.import,
      saveDir: flags.save_dir,
      engine: flags.engine,
      modalities: flags.modalities === "both" ? (["image", "audio"] as const) : [flags.modalities],
      batchSize: flags.batch_size,
      evalWithLabels: flags.eval_with_labels,
      forest: {
        nEstimators: flags.n_estimators,
        maxSamples: flags.max_samples,
        contamination: flags.contamination,
        randomState: flags.random_state,
      },
    };
    try {
      const summary = await trainAnomaly(options, progress.report, io.signal);
      progress.end();
      io.stdout.write(`${flags.json ? JSON.stringify(summary) : formatSummary(summary)}\n`);
    } finally {
      progress.end();
    }
  });
  return program;
}
