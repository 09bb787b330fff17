import { UserError } from "@emotion-service/core/errors";
import { requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import { EMOTIONS, factsOf } from "@emotion-service/core/labels";
import { type Dataset, datasetFromPairs, selectRows } from "@emotion-service/core/model/dataset";
import { MODALITIES, type Modality } from "@emotion-service/core/model/fusion";
import { createRandom, shuffle } from "@emotion-service/core/random";

/** The share of the training rows that is held out when there is no validation file. */
const HELD_OUT = 0.2;

export interface ReadOptions {
  readonly trainH5: string;
  readonly valH5: string | undefined;
  readonly testH5: string | undefined;
  readonly modalities: readonly Modality[];
  readonly preferPairsBase: "images" | "audios" | undefined;
  readonly seed: number;
  readonly onNotice: (line: string) => void;
}

export interface Sets {
  readonly train: Dataset;
  readonly val: Dataset;
  readonly test: Dataset | undefined;
  /** In canonical order. */
  readonly classes: readonly string[];
}

/** Reads the sets, keeps the rows that can be used, and sees that all were made with the same encoders. */
export async function readSets(options: ReadOptions): Promise<Sets> {
  const read = (path: string, flag: string): Promise<Dataset> => readSet(path, flag, options);
  const all = await read(options.trainH5, "--train_h5");
  const classes = EMOTIONS.filter((emotion) => all.labels.includes(emotion));
  if (classes.length < 2)
    throw new UserError(
      "E_LAYOUT",
      `--train_h5 ${options.trainH5}: needs rows of at least 2 emotions, has ${classes.length === 0 ? "none" : `only '${classes[0]}'`}`,
      {
        hint: "labels come from file names or class folders when features are made; see the manifest",
      },
    );
  const others: { val?: Dataset; test?: Dataset } = {};
  for (const [name, path] of [["val", options.valH5] as const, ["test", options.testH5] as const]) {
    if (path === undefined) continue;
    const set = knownClasses(await read(path, `--${name}_h5`), classes, path, options.onNotice);
    requireSameEncoders(all, set, options.trainH5, path);
    tellSharedSpeakers(all, set, path, options.onNotice);
    others[name] = set;
  }
  const { train, val } =
    others.val === undefined ? holdOut(all, options) : { train: all, val: others.val };
  return { train, val, test: others.test, classes };
}

async function readSet(
  path: string,
  flag: string,
  { modalities, preferPairsBase, onNotice }: ReadOptions,
): Promise<Dataset> {
  const paired = await readPaired(path, flag, (name) => factsOf(name).speaker);
  const dataset = datasetFromPairs(paired, modalities);
  requireFinite(dataset, `${flag} ${path}`);
  const emotions: readonly string[] = EMOTIONS;
  const usable: number[] = [];
  const dropped = {
    "no emotion label": 0,
    "none of --modalities": 0,
    "not of --prefer_pairs_base": 0,
  };
  for (let row = 0; row < dataset.rows; row += 1) {
    if (!emotions.includes(dataset.labels[row] ?? "")) dropped["no emotion label"] += 1;
    else if (!MODALITIES.some((name) => dataset[name]?.present[row] === 1))
      dropped["none of --modalities"] += 1;
    else if (lacksBase(paired.rows, row, preferPairsBase))
      dropped["not of --prefer_pairs_base"] += 1;
    else usable.push(row);
  }
  for (const [cause, count] of Object.entries(dropped))
    if (count > 0) onNotice(`${path}: ${count} rows left out (${cause})`);
  if (usable.length === 0)
    throw new UserError(
      "E_INPUT_EMPTY",
      `${flag} ${path}: has no row that can be used (of ${dataset.rows})`,
      {
        hint: "its labels must be emotions, and its rows must have the modality that --modalities names",
      },
    );
  return usable.length === dataset.rows ? dataset : selectRows(dataset, usable);
}

function requireFinite(dataset: Dataset, name: string): void {
  for (const modality of MODALITIES) {
    const rows = dataset[modality];
    if (rows === undefined) continue;
    const { data, columns } = rows.values;
    const bad = data.findIndex(
      (value, i) => !Number.isFinite(value) && rows.present[Math.floor(i / columns)] === 1,
    );
    if (bad === -1) continue;
    const row = Math.floor(bad / columns);
    throw new UserError(
      "E_INPUT_BROKEN",
      `${name}: '${modality}_embeddings' must hold finite numbers, has NaN or infinity in row ${row} (${dataset.paths[row]})`,
      { hint: "make its embedding again, or leave that row out" },
    );
  }
}

function lacksBase(
  rows: { readonly imagePresent: Uint8Array; readonly audioPresent: Uint8Array },
  row: number,
  base: "images" | "audios" | undefined,
): boolean {
  if (base === undefined) return false;
  return (base === "images" ? rows.imagePresent : rows.audioPresent)[row] !== 1;
}

function knownClasses(
  dataset: Dataset,
  classes: readonly string[],
  path: string,
  onNotice: (line: string) => void,
): Dataset {
  const known = [...dataset.labels.keys()].filter((row) =>
    classes.includes(dataset.labels[row] ?? ""),
  );
  const unknown = dataset.rows - known.length;
  if (unknown === 0) return dataset;
  onNotice(`${path}: ${unknown} rows left out (an emotion that training does not have)`);
  if (known.length === 0)
    throw new UserError(
      "E_LAYOUT",
      `${path}: shares no emotion with the training rows (${classes.join(", ")})`,
    );
  return selectRows(dataset, known);
}

function requireSameEncoders(
  train: Dataset,
  other: Dataset,
  trainPath: string,
  path: string,
): void {
  for (const modality of MODALITIES) {
    const [expected, actual] = [train[modality]?.encoder, other[modality]?.encoder];
    if (expected !== undefined && actual !== undefined)
      requireSameEncoder(expected, actual, {
        expected: trainPath,
        actual: `${path} (${modality})`,
      });
  }
}

/** A speaker who is in two sets makes a model look better on the second than it is on strangers. */
function tellSharedSpeakers(
  train: Dataset,
  other: Dataset,
  path: string,
  onNotice: (line: string) => void,
): void {
  const known = new Set(train.groups);
  const speakers = new Set(other.groups);
  const shared = [...speakers].filter((speaker) => known.has(speaker)).length;
  if (shared > 0)
    onNotice(
      `${path}: ${shared} of ${speakers.size} speakers are in the training rows too, so that its numbers say little about strangers`,
    );
}

/** Without a validation file: about a fifth of the rows, whole speakers, drawn by the seed. */
function holdOut(all: Dataset, { seed, onNotice }: ReadOptions): { train: Dataset; val: Dataset } {
  const groups = shuffle([...new Set(all.groups)].sort(), createRandom(seed));
  if (groups.length < 2)
    throw new UserError(
      "E_LAYOUT",
      `--train_h5: all rows are of one speaker (${groups[0] ?? "none"}), so that none can be held out for validation`,
      { hint: "name a validation file with --val_h5" },
    );
  const sizes = new Map<string, number>();
  for (const group of all.groups) sizes.set(group, (sizes.get(group) ?? 0) + 1);
  const held = new Set<string>();
  let rows = 0;
  for (const group of groups.slice(0, -1)) {
    if (rows >= HELD_OUT * all.rows) break;
    held.add(group);
    rows += sizes.get(group) ?? 0;
  }
  onNotice(
    `no --val_h5: ${held.size} of ${groups.length} speakers (${rows} rows) are held out for validation`,
  );
  if (all.matchBy === "label" && all.image !== undefined)
    onNotice(
      "pairs made by label: one picture may go with speakers of both parts; pair's own _val file, by --val_h5, has pictures apart too",
    );
  const indices = (inside: boolean): number[] =>
    [...all.groups.keys()].filter((row) => held.has(all.groups[row] ?? "") === inside);
  const train = selectRows(all, indices(false));
  const gone = [...new Set(all.labels)].filter((label) => !train.labels.includes(label));
  if (gone.length > 0)
    onNotice(
      `no row of ${gone.join(", ")} is left to train on: its speakers are held out; name a --val_h5`,
    );
  return { train, val: selectRows(all, indices(true)) };
}
