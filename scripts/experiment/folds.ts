import { writeFileSync } from "node:fs";
import { UserError } from "../../packages/core/src/errors.ts";

/**
 * The five sets of speakers, first and last number, into which EMO-SUPERB (https://emosuperb.github.io) divides CREMA-D.
 * Fold k tests on set k, validates on the next (after the last comes the first), trains on the other three.
 */
const SETS: readonly (readonly [first: number, last: number])[] = [
  [1001, 1018],
  [1019, 1036],
  [1037, 1054],
  [1055, 1072],
  [1073, 1091],
];

/** The folds' numbers, as EMO-SUPERB counts them. */
export const FOLDS = SETS.map((_, index) => index + 1);

export const FOLD_PARTS = ["train", "val", "test"] as const;
export type FoldPart = (typeof FOLD_PARTS)[number];

/**
 * The part of a speaker ("cremad:1001") in a fold.
 * @throws UserError when it is none of CREMA-D's
 */
export function partIn(fold: number, speaker: string): FoldPart {
  const number = Number(/^cremad:(\d{4})$/.exec(speaker)?.[1]);
  const set = SETS.findIndex(([first, last]) => number >= first && number <= last) + 1;
  if (set === 0)
    throw new UserError("E_LAYOUT", `${speaker}: must be a speaker of CREMA-D, 1001 to 1091`, {
      hint: "name a folder that holds CREMA-D alone, its files called as they were published",
    });
  if (set === fold) return "test";
  return set === (fold % SETS.length) + 1 ? "val" : "train";
}

/** Writes a fold as `pair --split_csv` reads it. */
export function writeFoldCsv(path: string, fold: number, speakers: readonly string[]): void {
  const lines = speakers.map((speaker) => `${speaker},${partIn(fold, speaker)}\n`);
  writeFileSync(path, `speaker,split\n${lines.join("")}`);
}

/** @throws UserError when a part of a fold has no speaker */
export function requireFold(fold: number, speakers: readonly string[]): void {
  const there = new Set(speakers.map((speaker) => partIn(fold, speaker)));
  for (const part of FOLD_PARTS)
    if (!there.has(part))
      throw new UserError("E_INPUT_EMPTY", `fold ${fold}: no speaker of its ${part} set is there`, {
        hint: "leave the fold out by --folds, or add clips of these speakers",
      });
}
