import { join } from "node:path";
import type { OnProgress } from "@emotion-service/core/cli/progress";
import type { Device } from "@emotion-service/core/devices";
import { type JournalSettings, openJournal } from "@emotion-service/core/files/journal";
import { type Shard, isInShard } from "@emotion-service/core/files/shard";
import { keyOfFile } from "@emotion-service/core/files/unfinished";
import { type EncoderInfo, encoderSettings } from "@emotion-service/core/hdf5/encoder";
import { CREATED_BY } from "@emotion-service/core/hdf5/format";
import { causeOfRow } from "@emotion-service/core/image/pictureEncoder";
import { factsOf } from "@emotion-service/core/labels";

/** One input: a file, or a row of preprocessed audio. */
export interface EmbedInput {
  /** Of its row: relative to the folder. */
  readonly path: string;
  readonly label: string;
  /** Its key in the journal. */
  readonly key: string;
}

/** What is to be embedded; known once the encoder is loaded. */
export interface EmbedPlan {
  readonly encoder: EncoderInfo;
  /** All inputs, those of other shards too, in the order of their rows. */
  readonly inputs: readonly EmbedInput[];
  /** What an embedding depends on beside the input and what its encoder says of itself. */
  readonly settings?: JournalSettings;
  /** What the inputs are called in the progress. */
  readonly unit: string;
  /** Whether an input has a row for each of its faces, numbered, in place of one row. */
  readonly allFaces?: boolean;
}

/** Where in its picture a face is, pixels: left, top, width, height. */
export type Box = readonly [number, number, number, number];

/** How the work on an output is begun. */
export interface WorkOptions {
  /** The slice of the inputs to embed; all of them without it. */
  readonly shard: Shard | undefined;
  /** Go on from what a run that was stopped had finished. */
  readonly resume: boolean;
  readonly onProgress?: OnProgress;
}

/** What became of an input. */
interface EmbeddedRow {
  /** [D], or [faces · D]; lent until the next call; undefined when the input has none, for the cause given. */
  readonly embedding: Float32Array | undefined;
  readonly cause: string;
  /** Of each face, where all of them are embedded. */
  readonly boxes: readonly Box[];
}

/**
 * The work on one output. What is found of an input goes to a journal beside the output, in whatever order it comes; from
 * there a run that was stopped is gone on with, and the rows are written in their order.
 */
export interface EmbedWork {
  readonly plan: EmbedPlan;
  /** Those of this shard, in the order of their rows. */
  readonly inputs: readonly EmbedInput[];
  /** Those of them that are still to be embedded. */
  readonly pending: readonly EmbedInput[];
  /** Keeps an embedding, [D], or those of its faces, or the cause why the input can have none: then too it is not looked at again. */
  keep(input: EmbedInput, found: Float32Array | string, boxes?: readonly Box[]): void;
  /** Notes why an input failed: the next run tries it again. */
  fail(input: EmbedInput, cause: string): void;
  /** What became of an input that was kept or failed. */
  rowOf(input: EmbedInput): EmbeddedRow;
  /** Inputs that the next run need not look at. */
  countDone(): number;
  /** Closes the journal, which stays unless the whole work is done. Again it does nothing. */
  close(isDone: boolean): void;
}

/**
 * Begins the work on the output `target`, or goes on with it.
 * @throws UserError E_SETTINGS when it was begun with other settings, E_OUTPUT when the journal cannot be written
 */
export function beginWork(target: string, plan: EmbedPlan, options: WorkOptions): EmbedWork {
  const { shard, onProgress } = options;
  const isMine = ({ path }: EmbedInput): boolean => shard === undefined || isInShard(path, shard);
  const inputs = plan.inputs.filter(isMine);
  const journal = openJournal<{ readonly cause: string; readonly boxes?: readonly Box[] }>(
    target,
    { ...encoderSettings(plan.encoder), ...plan.settings, created_by: CREATED_BY },
    options.resume,
  );
  const failures = new Map<string, string>();
  const pending = inputs.filter(({ key }) => !journal.has(key));
  let settled = inputs.length - pending.length;
  const report = (): void => onProgress?.(settled, inputs.length, plan.unit);
  const step = (): void => {
    settled += 1;
    report();
  };
  report();
  return {
    plan,
    inputs,
    pending,
    keep: ({ key }, found, boxes) => {
      const cause = typeof found === "string" ? found : causeOfRow(found);
      const facts = boxes === undefined ? { cause } : { cause, boxes };
      journal.append(key, facts, typeof found === "string" || cause !== "" ? NONE : found);
      step();
    },
    fail: ({ key }, cause) => {
      failures.set(key, cause);
      step();
    },
    rowOf: ({ key }) => {
      if (!journal.has(key))
        return { embedding: undefined, cause: failures.get(key) ?? "", boxes: [] };
      const { facts, numbers } = journal.read(key);
      const { cause, boxes = [] } = facts;
      return { embedding: cause === "" ? numbers : undefined, cause, boxes };
    },
    countDone: () => inputs.filter(({ key }) => journal.has(key)).length,
    close: (isDone) => journal.close(isDone),
  };
}

const NONE = new Float32Array(0);

/** The files of a folder as inputs; their names tell the labels. */
export function fileInputs(folder: string, paths: readonly string[]): EmbedInput[] {
  return paths.map((path) => ({
    path,
    label: factsOf(path).label,
    key: keyOfFile(join(folder, path)),
  }));
}

/** What a network runs on, as a setting: the last bits depend on it. */
export function deviceSetting(device: Device): JournalSettings {
  return { device: device === "auto" ? "cpu" : device };
}
