import {
  Command,
  type CommandUnknownOpts,
  InvalidArgumentError,
} from "@commander-js/extra-typings";
import { integerIn, jsonOption, quietOption } from "@emotion-service/core/cli/flags";
import type { CliIo } from "@emotion-service/core/cli/run";

/** The `inspect-h5` command; `io` is where it writes. */
export function createProgram(io: CliIo): CommandUnknownOpts {
  return new Command("inspect-h5")
    .description("Show what an HDF5 file holds: groups, datasets, attributes, labels.")
    .argument("<file>", "any HDF5 file")
    .option("--rows <n>", "show the first n rows of every dataset", integerIn(0, 1000), 0)
    .option(
      "--stats",
      "min, mean, max, deviation, NaN and infinity counts of every numeric dataset",
      false,
    )
    .option(
      "--plot <out.png>",
      "draw a few spectrograms of preprocessed audio: one an emotion, at most six",
      pngPath,
    )
    .addOption(jsonOption())
    .addOption(quietOption())
    .action(async (file, flags) => {
      const { inspectH5 } = await import("./inspectH5.ts");
      const { formatH5 } = await import("./formatH5.ts");
      const report = await inspectH5(file, {
        rows: flags.rows,
        stats: flags.stats,
        plot: flags.plot,
        signal: io.signal,
      });
      io.stdout.write(`${flags.json ? JSON.stringify(report) : formatH5(report)}\n`);
    });
}

function pngPath(text: string): string {
  if (text.toLowerCase().endsWith(".png")) return text;
  throw new InvalidArgumentError(`must be the name of a .png file, got '${text}'.`);
}
