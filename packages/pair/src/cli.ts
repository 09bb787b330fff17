import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { integerIn, jsonOption, quietOption } from "@emotion-service/core/cli/flags";
import type { CliIo } from "@emotion-service/core/cli/run";
import { parseClasses, parsePattern, parseSplit } from "./flags.ts";
import type { GroupRule } from "./pairEmbeddings.ts";
import { MATCH_WAYS } from "./parts.ts";

/** The `pair` command; `io` is where it writes. */
export function createProgram(io: CliIo): CommandUnknownOpts {
  const program = new Command("pair")
    .description("Pair image and audio embeddings, and split the pairs with speakers apart.")
    .requiredOption("--img_h5 <file>", "image embeddings (HDF5, of embed)")
    .requiredOption("--aud_h5 <file>", "audio embeddings (HDF5, of embed)")
    .requiredOption(
      "--out_h5 <file>",
      "paired HDF5 to write; _train, _val, _test and _manifest.csv go beside it",
    )
    .addOption(
      new Option("--match_by <way>", "what an image and its clip share")
        .choices(["auto", ...MATCH_WAYS] as const)
        .default("auto" as const),
    )
    .option(
      "--id_pattern <regex>",
      "with --match_by id: its one group is what file names share (default: RAVDESS and CREMA-D names)",
      parsePattern,
    )
    .option("--manifest <csv>", "the pairs, as columns image_path,audio_path[,label]")
    .option(
      "--keep_unmatched",
      "keep rows without a partner: zeros and a presence flag of 0",
      false,
    )
    .option(
      "--seed <n>",
      "seed of the split and of pairs by label",
      integerIn(0, 2 ** 31 - 1),
      1234,
    )
    .addOption(
      new Option("--split <train,val,test>", "fractions of the rows in each part, or 'none'")
        .argParser(parseSplit)
        .default(parseSplit(DEFAULT_SPLIT), DEFAULT_SPLIT),
    )
    .addOption(
      new Option(
        "--group_by <rule>",
        "what must not stand in two parts: 'speaker', 'none', or a regex whose one group names it",
      )
        .argParser(parseGroupRule)
        .default("speaker", "speaker"),
    )
    .option("--classes <names>", "only these emotions, commas between (default: all)", parseClasses)
    .option(
      "--pairs_per_class <n>",
      "by label: pairs of each class in train, val and test in proportion (default: rows of the largest class)",
      integerIn(1),
    )
    .addOption(jsonOption())
    .addOption(quietOption());
  program.action(async (flags) => {
    const { match_by: matchBy, manifest, id_pattern: idPattern } = flags;
    if (matchBy === "manifest" && manifest === undefined)
      program.error("error: option '--match_by manifest' needs '--manifest <csv>'");
    if (manifest !== undefined && matchBy !== "manifest" && matchBy !== "auto")
      program.error(`error: option '--manifest <csv>' contradicts '--match_by ${matchBy}'`);
    if (idPattern !== undefined && matchBy !== "id" && matchBy !== "auto")
      program.error(`error: option '--id_pattern <regex>' contradicts '--match_by ${matchBy}'`);
    const { pairEmbeddings } = await import("./pairEmbeddings.ts");
    const { formatSummary } = await import("./summary.ts");
    const summary = await pairEmbeddings({
      imgH5: flags.img_h5,
      audH5: flags.aud_h5,
      outH5: flags.out_h5,
      matchBy,
      idPattern,
      manifestCsv: manifest,
      keepUnmatched: flags.keep_unmatched,
      seed: flags.seed,
      fractions: flags.split === "none" ? undefined : flags.split,
      splitRequired: program.getOptionValueSource("split") !== "default",
      groupBy: flags.group_by,
      classes: flags.classes,
      pairsPerClass: flags.pairs_per_class,
      signal: io.signal,
    });
    io.stdout.write(`${flags.json ? JSON.stringify(summary) : formatSummary(summary)}\n`);
  });
  return program;
}

const DEFAULT_SPLIT = "0.8,0.1,0.1";

function parseGroupRule(text: string): GroupRule {
  return text === "speaker" || text === "none" ? text : parsePattern(text);
}
