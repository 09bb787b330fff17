import { Command, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { integerIn, jsonOption, numberOption, quietOption } from "@emotion-service/core/cli/flags";
import { createProgress } from "@emotion-service/core/cli/progress";
import type { CliIo } from "@emotion-service/core/cli/run";

/** The flags of merge-h5; the action calls mergeH5. */
export function createProgram(io: CliIo): CommandUnknownOpts {
  const program = new Command("merge-h5")
    .description(
      "The shards of audio-preprocess --shard or embed --shard -> the file that one run would write.",
    )
    .argument("<shards...>", "the HDF5 file of every shard, in any order")
    .requiredOption("--out_h5 <file>", "the merged HDF5 file")
    .option("--manifests <csv...>", "the CSV manifest of every shard, in any order")
    .option("--out_manifest <csv>", "the merged manifest")
    .addOption(
      numberOption(
        "--batch_write <rows>",
        "preprocessed audio: rows written at a time",
        64,
        integerIn(1, 65_536),
      ),
    )
    .addOption(jsonOption())
    .addOption(quietOption());
  program.action(async (shards, flags) => {
    const { manifests: files, out_manifest: out } = flags;
    if (files === undefined && out !== undefined)
      program.error("error: option '--out_manifest <csv>' needs '--manifests <csv...>'");
    if (files !== undefined && out === undefined)
      program.error("error: option '--manifests <csv...>' needs '--out_manifest <csv>'");
    const { mergeH5 } = await import("./mergeH5.ts");
    const { formatSummary } = await import("./summary.ts");
    const progress = createProgress(io, flags.quiet);
    const summary = await mergeH5({
      shards,
      outH5: flags.out_h5,
      manifests: files === undefined || out === undefined ? undefined : { files, out },
      batchRows: flags.batch_write,
      onProgress: progress.report,
      signal: io.signal,
    }).finally(progress.end);
    io.stdout.write(flags.json ? `${JSON.stringify(summary)}\n` : formatSummary(summary));
  });
  return program;
}
