import { existsSync, realpathSync } from "node:fs";
import { UserError, throwIfAborted } from "@emotion-service/core/errors";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { factsOf } from "@emotion-service/core/labels";
import { checkSplit } from "./checkSplit.ts";
import { readPairingManifest } from "./matchManifest.ts";
import { type Fractions, type Item, PARTS } from "./parts.ts";
import { type Plan, type PlanOptions, planPairs } from "./planPairs.ts";
import { type PublishedSplit, isNamed, readPublishedSplit } from "./publishedSplit.ts";
import { readSide } from "./side.ts";
import { type PairSummary, summarise } from "./summary.ts";
import { outputNames, staleFiles, writePairs } from "./writePairs.ts";

/** What `--group_by` says a group is: the speaker, nothing (each file is its own), or what a pattern finds. */
export type GroupRule = "speaker" | "none" | ((path: string) => string | undefined);

export interface PairOptions extends Omit<PlanOptions, "groupNoun" | "manifest" | "published"> {
  readonly imgH5: string;
  readonly audH5: string;
  readonly outH5: string;
  /** CSV that names the pairs; undefined: none. */
  readonly manifestCsv: string | undefined;
  /** CSV of speaker → split; stands in place of `fractions`. undefined: none. */
  readonly splitCsv: string | undefined;
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
    [options.imgH5, options.audH5, options.manifestCsv ?? [], options.splitCsv ?? []].flat(),
  );
  refuseSameFile(options.imgH5, options.audH5);
  const groupOf = groupReader(options.groupBy);
  const { manifestCsv, splitCsv } = options;
  const published = splitCsv === undefined ? undefined : readPublishedSplit(splitCsv);
  const manifest = manifestCsv === undefined ? undefined : readPairingManifest(manifestCsv);
  const image = await readSide(options.imgH5, "--img_h5", "image", groupOf);
  const audio = await readSide(options.audH5, "--aud_h5", "audio", groupOf);
  throwIfAborted(options.signal);

  const groupNoun = nounOf(options.groupBy, audio.items);
  const matched = planPairs(image.items, audio.items, {
    ...options,
    manifest,
    published,
    groupNoun,
  });
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
      facts: {
        ...(plan.frames === undefined ? {} : { frames: plan.frames }),
        ...splitFacts(plan, options.fractions, published),
      },
    }),
  );
  return summarise(plan, contents, { groupNoun, splitCsv, files, stale: staleFiles(names, plan) });
}

/** A file paired with itself would pair every row, and teach nothing. */
function refuseSameFile(imgH5: string, audH5: string): void {
  const real = (path: string): string => (existsSync(path) ? realpathSync(path) : path);
  if (real(imgH5) === real(audH5))
    throw new UserError("E_FLAG", `--img_h5 and --aud_h5: must be two files, are both ${imgH5}`, {
      hint: "name the embeddings of the images and those of the sound",
    });
}

/** What the file says of its split. */
function splitFacts(
  { parts }: Plan,
  fractions: Fractions | undefined,
  published: PublishedSplit | undefined,
): Record<string, string> {
  if (parts.has("all")) return { split_rule: "none" };
  if (published !== undefined)
    return {
      split_rule: "published",
      split_csv: published.name,
      split_csv_sha256: published.sha256,
    };
  const shares = PARTS.map((part) => Number((fractions?.[part] ?? 0).toFixed(6)));
  return { split_rule: "seeded", split_fractions: shares.join(",") };
}

/** The function that tells a path's group: a path without one is its own. */
function groupReader(rule: GroupRule): (path: string) => string {
  if (rule === "none") return (path) => path;
  if (rule === "speaker") return (path) => factsOf(path).speaker ?? path;
  return (path) => rule(path) ?? path;
}

/** Rows without a speaker are groups of one file each: it would be wrong to call them speakers. */
function nounOf(rule: GroupRule, items: readonly Item[]): string {
  return rule === "speaker" && items.some(isNamed) ? "speakers" : "groups";
}
