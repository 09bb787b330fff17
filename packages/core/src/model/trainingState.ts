import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { UserError, causeOf } from "../errors.ts";
import { statOf } from "../files/listFiles.ts";
import { CREATED_BY } from "../hdf5/format.ts";
import type { AdamWState } from "./adamW.ts";
import type { TrainingState } from "./trainClassifier.ts";

const FORMAT = "emotion-service training state";
const FORMAT_VERSION = 1;
const JSON_FILE = "training_state.json";
const BIN_FILE = "training_state.bin";

/** What a training was made with, by the flag or the fact's name: to go on with it, it must be the same. */
export type TrainingSetup = Readonly<Record<string, unknown>>;

export interface SavedTraining {
  readonly setup: TrainingSetup;
  readonly state: TrainingState;
}

interface StateJson {
  readonly format: string;
  readonly format_version: number;
  readonly created_by: string;
  readonly setup: TrainingSetup;
  readonly history: TrainingState["history"];
  readonly random: TrainingState["random"];
  readonly optimiser_steps: number;
  /** In the order of training_state.bin: of each first the mean gradients, then the mean squares. */
  readonly moments: readonly { readonly name: string; readonly size: number }[];
}

/** Writes what a training needs to go on, beside the checkpoint in `folder`. */
export function writeTrainingState(folder: string, { setup, state }: SavedTraining): void {
  const { history, random, optimiser } = state;
  const moments = [...optimiser.moments];
  const json: StateJson = {
    format: FORMAT,
    format_version: FORMAT_VERSION,
    created_by: CREATED_BY,
    setup,
    history,
    random,
    optimiser_steps: optimiser.steps,
    moments: moments.map(([name, { first }]) => ({ name, size: first.length })),
  };
  const chunks = moments.flatMap(([, { first, second }]) => [bytesOf(first), bytesOf(second)]);
  writeFileSync(join(folder, JSON_FILE), `${JSON.stringify(json, null, 2)}\n`);
  writeFileSync(join(folder, BIN_FILE), Buffer.concat(chunks));
}

function bytesOf({ buffer, byteOffset, byteLength }: Float32Array): Buffer {
  return Buffer.from(buffer, byteOffset, byteLength);
}

/**
 * What {@link writeTrainingState} wrote.
 * @throws UserError when it is not there or damaged
 */
export function readTrainingState(folder: string): SavedTraining {
  if (statOf(join(folder, JSON_FILE)) === undefined)
    throw new UserError(
      "E_INPUT_MISSING",
      `${folder}: must hold ${JSON_FILE} to be gone on with, which checkpoints of older versions lack`,
      { hint: "train it again without --resume" },
    );
  try {
    const json = JSON.parse(readFileSync(join(folder, JSON_FILE), "utf8")) as StateJson;
    if (json.format !== FORMAT || !(json.format_version <= FORMAT_VERSION))
      throw new Error(`${JSON_FILE} is '${json.format}' version ${json.format_version}`);
    const { setup, history, random } = json;
    if (!Array.isArray(history) || !isObject(setup) || random === undefined)
      throw new Error(`${JSON_FILE} lacks setup, history or random`);
    const optimiser = optimiserFrom(json, readFileSync(join(folder, BIN_FILE)));
    return { setup, state: { history, random, optimiser } };
  } catch (error) {
    throw new UserError(
      "E_INPUT_BROKEN",
      `${folder}: holds no whole training state (${causeOf(error)})`,
      { hint: "train it again without --resume", cause: error },
    );
  }
}

function isObject(value: unknown): boolean {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function optimiserFrom({ moments, optimiser_steps: steps }: StateJson, bytes: Buffer): AdamWState {
  const values = new Float32Array(new Uint8Array(bytes).buffer);
  let end = 0;
  const take = (size: number): Float32Array => values.slice(end, (end += size));
  const state: AdamWState = {
    steps,
    moments: new Map(
      moments.map(({ name, size }) => [name, { first: take(size), second: take(size) }]),
    ),
  };
  if (end !== values.length) throw new Error(`${BIN_FILE} must hold ${end} values`);
  return state;
}
