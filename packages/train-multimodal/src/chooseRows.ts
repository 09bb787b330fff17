import { UserError } from "@emotion-service/core/errors";
import { requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import { type PairedIndex, indexPaired } from "@emotion-service/core/hdf5/pairedIndex";
import { EMOTIONS, factsOf } from "@emotion-service/core/labels";
import type { Modality } from "@emotion-service/core/model/fusion";
import { createRandom, firstIntegers, shuffle } from "@emotion-service/core/random";

/** The share of the training rows that is held out when there is no validation file. */
const HELD_OUT = 0.2;

export interface ChooseOptions {
  readonly trainH5: string;
  readonly valH5: string | undefined;
  readonly testH5: string | undefined;
  readonly modalities: readonly Modality[];
  readonly preferPairsBase: "images" | "audios" | undefined;
  readonly seed: number;
  readonly onNotice: (line: string) => void;
  readonly signal?: AbortSignal | undefined;
}

/** What a file must say of its rows for them to be chosen. */
export type RowIndex = Pick<
  PairedIndex,
  "path" | "rows" | "emotions" | "groups" | "groupNames" | "matchBy"
>;

/** Rows of a file. */
export interface Choice<I extends RowIndex = PairedIndex> {
  readonly index: I;
  /** Their numbers in the file, ascending. */
  readonly rows: Int32Array;
}

export interface Choices<I extends RowIndex = PairedIndex> {
  readonly train: Choice<I>;
  /** Of the training file, where there is no validation file. */
  readonly val: Choice<I>;
  readonly test: Choice<I> | undefined;
  /** In canonical order. */
  readonly classes: readonly string[];
}

/** What a report says of a set. */
export interface SetFacts {
  readonly file: string;
  /** A part of the training file's rows, where no validation file was named. */
  readonly held_out: boolean;
  readonly rows: number;
  readonly speakers: number;
  /** Rows of each class. */
  readonly classes: Readonly<Record<string, number>>;
}

export interface DataFacts {
  readonly train: SetFacts;
  readonly val: SetFacts;
  readonly test: SetFacts | null;
}

export function dataFacts<I extends RowIndex>(sets: Choices<I>): DataFacts {
  const factsOfSet = (choice: Choice<I>, heldOut = false): SetFacts => {
    const counts = Object.fromEntries(sets.classes.map((name) => [name, 0]));
    for (const row of choice.rows) {
      const emotion = emotionOf(choice.index, row);
      counts[emotion] = (counts[emotion] ?? 0) + 1;
    }
    return {
      file: choice.index.path,
      held_out: heldOut,
      rows: choice.rows.length,
      speakers: speakersOf(choice).size,
      classes: counts,
    };
  };
  return {
    train: factsOfSet(sets.train),
    val: factsOfSet(sets.val, sets.val.index === sets.train.index),
    test: sets.test === undefined ? null : factsOfSet(sets.test),
  };
}

/** Chooses the rows of pairs that can be used, by all but their values, and sees that all sets were made with the same encoders. */
export function chooseRows(options: ChooseOptions): Promise<Choices> {
  return chooseSets(options, {
    read: (path, flag) => usableRows(path, flag, options),
    requireSame: (train, other) => requireSameEncoders(train, other, options.modalities),
  });
}

/** How a kind of file is read, and what two of them must have in common. */
interface ReadingRows<I extends RowIndex> {
  readonly read: (path: string, flag: string) => Promise<Choice<I>>;
  readonly requireSame: (train: I, other: I) => void;
}

/** Chooses the rows of the training set, of the validation set (held out where there is no file) and of the test set. */
export async function chooseSets<I extends RowIndex>(
  options: ChooseOptions,
  { read, requireSame }: ReadingRows<I>,
): Promise<Choices<I>> {
  const all = await read(options.trainH5, "--train_h5");
  const classes = emotionsOf(all);
  if (classes.length < 2)
    throw new UserError(
      "E_LAYOUT",
      `--train_h5 ${options.trainH5}: needs rows of at least 2 emotions, has ${classes.length === 0 ? "none" : `only '${classes[0]}'`}`,
      {
        hint: "labels come from file names or class folders when features are made; see the manifest",
      },
    );
  const others: { val?: Choice<I>; test?: Choice<I> } = {};
  for (const [name, path] of [["val", options.valH5] as const, ["test", options.testH5] as const]) {
    if (path === undefined) continue;
    const set = knownClasses(await read(path, `--${name}_h5`), classes, options.onNotice);
    requireSame(all.index, set.index);
    tellSharedSpeakers(all, set, options.onNotice);
    others[name] = set;
  }
  const { train, val } =
    others.val === undefined ? holdOut(all, options) : { train: all, val: others.val };
  return { train, val, test: others.test, classes };
}

async function usableRows(
  path: string,
  flag: string,
  { modalities, preferPairsBase, onNotice, signal }: ChooseOptions,
): Promise<Choice> {
  const index = await indexPaired(path, flag, (name) => factsOf(name).speaker, signal);
  const dropped = {
    "no emotion label": 0,
    "none of --modalities": 0,
    "not of --prefer_pairs_base": 0,
  };
  const base = { images: index.image, audios: index.audio };
  const usable = firstIntegers(index.rows).filter((row) => {
    if (index.emotions[row] === -1) dropped["no emotion label"] += 1;
    else if (!modalities.some((name) => index[name].present[row] === 1))
      dropped["none of --modalities"] += 1;
    else if (preferPairsBase !== undefined && base[preferPairsBase].present[row] !== 1)
      dropped["not of --prefer_pairs_base"] += 1;
    else return true;
    return false;
  });
  tellLeftOut(path, dropped, onNotice);
  if (usable.length === 0)
    throw noUsableRow(
      `${flag} ${path}`,
      index.rows,
      "its labels must be emotions, and its rows must have the modality that --modalities names",
    );
  return { index, rows: usable };
}

/** Tells how many rows were left out, by their cause. */
export function tellLeftOut(
  path: string,
  dropped: Readonly<Record<string, number>>,
  onNotice: (line: string) => void,
): void {
  for (const [cause, count] of Object.entries(dropped))
    if (count > 0) onNotice(`${path}: ${count} rows left out (${cause})`);
}

export function noUsableRow(name: string, rows: number, hint: string): UserError {
  return new UserError("E_INPUT_EMPTY", `${name}: has no row that can be used (of ${rows})`, {
    hint,
  });
}

/** The emotion of a row; every chosen row has one. */
function emotionOf({ emotions }: RowIndex, row: number): string {
  return EMOTIONS[emotions[row] ?? 0] ?? "";
}

/** The class of each row of the file, its place in `classes`, [rows]; −1 where the row was not chosen. */
export function classIdsOf(
  { index, rows }: Choice<RowIndex>,
  classes: readonly string[],
): Int32Array {
  const ids = new Int32Array(index.rows).fill(-1);
  for (const row of rows) ids[row] = classes.indexOf(emotionOf(index, row));
  return ids;
}

/** The emotions of the rows, in canonical order. */
function emotionsOf({ index, rows }: Choice<RowIndex>): string[] {
  const there = new Set<number | undefined>();
  for (const row of rows) there.add(index.emotions[row]);
  return EMOTIONS.filter((_, id) => there.has(id));
}

function knownClasses<I extends RowIndex>(
  { index, rows }: Choice<I>,
  classes: readonly string[],
  onNotice: (line: string) => void,
): Choice<I> {
  const known = rows.filter((row) => classes.includes(emotionOf(index, row)));
  const unknown = rows.length - known.length;
  tellLeftOut(index.path, { "an emotion that training does not have": unknown }, onNotice);
  if (known.length === 0)
    throw new UserError(
      "E_LAYOUT",
      `${index.path}: shares no emotion with the training rows (${classes.join(", ")})`,
    );
  return { index, rows: known };
}

function requireSameEncoders(
  train: PairedIndex,
  other: PairedIndex,
  modalities: readonly Modality[],
): void {
  for (const modality of modalities)
    requireSameEncoder(train[modality].encoder, other[modality].encoder, {
      expected: train.path,
      actual: `${other.path} (${modality})`,
    });
}

/** The names of the speakers of the rows. */
function speakersOf({ index, rows }: Choice<RowIndex>): Set<string> {
  const speakers = new Set<string>();
  for (const row of rows) speakers.add(speakerOf(index, row));
  return speakers;
}

function speakerOf({ groups, groupNames }: RowIndex, row: number): string {
  return groupNames[groups[row] ?? 0] ?? "";
}

/** A speaker who is in two sets makes a model look better on the second than it is on strangers. */
function tellSharedSpeakers(
  train: Choice<RowIndex>,
  other: Choice<RowIndex>,
  onNotice: (line: string) => void,
): void {
  const known = speakersOf(train);
  const speakers = speakersOf(other);
  const shared = [...speakers].filter((speaker) => known.has(speaker)).length;
  if (shared > 0)
    onNotice(
      `${other.index.path}: ${shared} of ${speakers.size} speakers are in the training rows too, so that its numbers say little about strangers`,
    );
}

/** Without a validation file: about a fifth of the rows, whole speakers, drawn by the seed. */
function holdOut<I extends RowIndex>(
  all: Choice<I>,
  { seed, modalities, onNotice }: ChooseOptions,
): { train: Choice<I>; val: Choice<I> } {
  const { index } = all;
  const speakers = shuffle([...speakersOf(all)].sort(), createRandom(seed));
  if (speakers.length < 2)
    throw new UserError(
      "E_LAYOUT",
      `--train_h5: all rows are of one speaker (${speakers[0] ?? "none"}), so that none can be held out for validation`,
      { hint: "name a validation file with --val_h5" },
    );
  const held = heldSpeakers(all, speakers);
  const part = (inside: boolean): Choice<I> => ({
    index,
    rows: all.rows.filter((row) => held.has(speakerOf(index, row)) === inside),
  });
  const [train, val] = [part(false), part(true)];
  onNotice(
    `no --val_h5: ${held.size} of ${speakers.length} speakers (${val.rows.length} rows) are held out for validation`,
  );
  if (index.matchBy === "label" && modalities.includes("image"))
    onNotice(
      "pairs made by label: one picture may go with speakers of both parts; pair's own _val file, by --val_h5, has pictures apart too",
    );
  const left = emotionsOf(train);
  const gone = emotionsOf(all).filter((label) => !left.includes(label));
  if (gone.length > 0)
    onNotice(
      `no row of ${gone.join(", ")} is left to train on: its speakers are held out; name a --val_h5`,
    );
  return { train, val };
}

/** The first of the speakers whose rows make up the share to hold out, never all of them. */
function heldSpeakers({ index, rows }: Choice<RowIndex>, speakers: readonly string[]): Set<string> {
  const sizes = new Map<string, number>();
  for (const row of rows) {
    const speaker = speakerOf(index, row);
    sizes.set(speaker, (sizes.get(speaker) ?? 0) + 1);
  }
  const held = new Set<string>();
  let count = 0;
  for (const speaker of speakers.slice(0, -1)) {
    if (count >= HELD_OUT * rows.length) break;
    held.add(speaker);
    count += sizes.get(speaker) ?? 0;
  }
  return held;
}
