import { throwIfAborted } from "@emotion-service/core/errors";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { factsOf } from "@emotion-service/core/labels";
import { checkSplit } from "./checkSplit.ts";
import type { MatchOptions } from "./choose.ts";
import { readPairingManifest } from "./matchManifest.ts";
import type { Item } from "./parts.ts";
import { type PlanOptions, planPairs } from "./planPairs.ts";
import { readSide } from "./side.ts";
import { type PairSummary, summarise } from "./summary.ts";
import { outputNames, staleFiles, writePairs } from "./writePairs.ts";

/** What `--group_by` says a group is: the speaker, nothing (each file is its own), or what a pattern finds. */
export type GroupRule = "speaker" | "none" | ((path: string) => string | undefined);

export interface PairOptions extends Omit<PlanOptions, "groupNoun" | "manifest"> {
  readonly imgH5: string;
  readonly audH5: string;
  readonly outH5: string;
  readonly matchBy: MatchOptions["matchBy"];
  /** CSV that names the pairs; undefined: none. */
  readonly manifestCsv: string | undefined;
  readonly groupBy: GroupRule;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Pairs the rows of an image and an audio embeddings file and writes the paired files, split with groups apart, and a
 * manifest that says what became of each row.
 */
export async function pairEmbeddings(options: PairOptions): Promise<PairSummary> {
  const names = outputNames(options.outH5);
  refuseReplacing(
    [names.all, ...Object.values(names.parts), names.manifest],
    [options.imgH5, options.audH5, options.manifestCsv ?? []].flat(),
  );
  const groupOf = groupReader(options.groupBy);
  const { manifestCsv } = options;
  const manifest = manifestCsv === undefined ? undefined : readPairingManifest(manifestCsv);
  const image = await readSide(options.imgH5, "--img_h5", "image", groupOf);
  const audio = await readSide(options.audH5, "--aud_h5", "audio", groupOf);
  throwIfAborted(options.signal);

  const groupNoun = nounOf(options.groupBy, audio.items);
  const matched = planPairs(image.items, audio.items, { ...options, manifest, groupNoun });
  const plan = { ...matched, dropped: [...image.broken, ...audio.broken, ...matched.dropped] };
  const contents = checkSplit(plan.parts);
  throwIfAborted(options.signal);

  const files = await withOutputs((outputs) =>
    writePairs(outputs, names, plan, {
      imageEncoder: image.encoder,
      audioEncoder: audio.encoder,
      matchBy: plan.matchBy,
      matchReason: plan.reason,
      seed: options.seed,
    }),
  );
  return summarise(plan, contents, groupNoun, files, staleFiles(names, plan));
}

/** The function that tells a path's group: a path without one is its own. */
function groupReader(rule: GroupRule): (path: string) => string {
  if (rule === "none") return (path) => path;
  if (rule === "speaker") return (path) => factsOf(path).speaker ?? path;
  return (path) => rule(path) ?? path;
}

/** Rows without a speaker are groups of one file each: it would be wrong to call them speakers. */
function nounOf(rule: GroupRule, items: readonly Item[]): string {
  const named = items.some(({ path, group }) => group !== path);
  return rule === "speaker" && named ? "speakers" : "groups";
}
