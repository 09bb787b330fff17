import { Command, type CommandUnknownOpts, Option } from "@commander-js/extra-typings";
import { integerIn, jsonOption, quietOption } from "@emotion-service/core/cli/flags";
import type { CliIo } from "@emotion-service/core/cli/run";
import type { MatchOptions } from "./choose.ts";
import { parseClasses, parsePattern, parseSplit } from "./flags.ts";
import type { GroupRule } from "./pairEmbeddings.ts";
import { FRAME_RULES, MATCH_WAYS, type MatchWay } from "./parts.ts";

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
    .addOption(
      new Option(
        "--frames <rule>",
        "several images of one clip: their mean, the first by path, or a row each (default: mean by id, each by manifest; by name they are not paired)",
      ).choices(FRAME_RULES),
    )
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
    .option(
      "--split_csv <file>",
      "a published split instead: columns speaker,split (train, val, test or ignore)",
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
    const isSplitGiven = program.getOptionValueSource("split") !== "default";
    const contradiction = contradictionIn(flags, isSplitGiven);
    if (contradiction !== undefined) program.error(`error: option ${contradiction}`);
    const { pairEmbeddings } = await import("./pairEmbeddings.ts");
    const { formatSummary } = await import("./summary.ts");
    const summary = await pairEmbeddings({
      imgH5: flags.img_h5,
      audH5: flags.aud_h5,
      outH5: flags.out_h5,
      matchBy: flags.match_by,
      idPattern: flags.id_pattern,
      manifestCsv: flags.manifest,
      keepUnmatched: flags.keep_unmatched,
      seed: flags.seed,
      frames: flags.frames,
      fractions: flags.split === "none" ? undefined : flags.split,
      splitRequired: isSplitGiven,
      splitCsv: flags.split_csv,
      groupBy: flags.group_by,
      classes: flags.classes,
      pairsPerClass: flags.pairs_per_class,
      signal: io.signal,
    });
    io.stdout.write(`${flags.json ? JSON.stringify(summary) : formatSummary(summary)}\n`);
  });
  return program;
}

/** The flags that only some ways of matching, or of splitting, have. */
interface GivenFlags {
  readonly match_by: MatchOptions["matchBy"];
  readonly manifest?: string | undefined;
  readonly id_pattern?: unknown;
  readonly frames?: unknown;
  readonly pairs_per_class?: unknown;
  readonly split_csv?: string | undefined;
}

/** Two flags that cannot both be meant, in words; undefined where there are none. */
function contradictionIn(flags: GivenFlags, isSplitGiven: boolean): string | undefined {
  const { match_by: matchBy, manifest } = flags;
  if (matchBy === "manifest" && manifest === undefined)
    return "'--match_by manifest' needs '--manifest <csv>'";
  const wayOf = (flag: string): string => `'${flag}' contradicts '--match_by ${matchBy}'`;
  const isNot = (way: MatchWay): boolean => matchBy !== way && matchBy !== "auto";
  if (manifest !== undefined && isNot("manifest")) return wayOf("--manifest <csv>");
  if (flags.id_pattern !== undefined && isNot("id")) return wayOf("--id_pattern <regex>");
  if (flags.pairs_per_class !== undefined && isNot("label")) return wayOf("--pairs_per_class <n>");
  if (flags.frames !== undefined && matchBy === "label") return wayOf("--frames <rule>");
  if (manifest !== undefined && flags.id_pattern !== undefined)
    return "'--id_pattern <regex>' contradicts '--manifest <csv>'";
  if (flags.split_csv !== undefined && isSplitGiven)
    return "'--split_csv <file>' contradicts '--split <train,val,test>'";
  return undefined;
}

const DEFAULT_SPLIT = "0.8,0.1,0.1";

function parseGroupRule(text: string): GroupRule {
  return text === "speaker" || text === "none" ? text : parsePattern(text);
}
