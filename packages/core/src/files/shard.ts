import { createHash } from "node:crypto";
import { UserError } from "../errors.ts";

/** A slice of the inputs: number `index` (from 1) of `count`. */
export interface Shard {
  readonly index: number;
  readonly count: number;
  /** Where it was read from: "--shard" or the variable's name. */
  readonly source: string;
}

/** Beyond this a number is a slip. */
const MOST_SHARDS = 100_000;

/**
 * The shard that a flag or the environment names: `i/n` (from 1), or, without the flag, SLURM_ARRAY_TASK_ID with
 * SLURM_ARRAY_TASK_COUNT, or JOB_COMPLETION_INDEX (from 0) with JOB_COMPLETIONS. `auto/n` takes the index from the
 * environment and the count from the flag; `1/1` is the whole.
 * @returns undefined for the whole
 * @throws UserError E_FLAG naming what does not fit
 */
export function readShard(
  flag: string | undefined,
  environment: NodeJS.ProcessEnv,
): Shard | undefined {
  const shard = flag === undefined ? fromEnvironment(environment) : fromFlag(flag, environment);
  return shard === undefined || shard.count === 1 ? undefined : shard;
}

/** What is said to a task of an array that processes everything, where it may not have been meant to. */
export function wholeNote(
  flag: string | undefined,
  environment: NodeJS.ProcessEnv,
): string | undefined {
  if (flag !== undefined || readShard(flag, environment) !== undefined) return undefined;
  const { id, count } = variablesOf(environment);
  if (environment[id] === undefined) return undefined;
  const why = environment[count] === undefined ? "is not set" : `is ${environment[count]}`;
  return `${id} is set and ${count} ${why}: everything is processed; --shard i/n processes slice i of n`;
}

function fromFlag(flag: string, environment: NodeJS.ProcessEnv): Shard {
  const [, place = "", number = ""] = /^(\d+|auto)\/(\d+)$/.exec(flag) ?? [];
  const count = Number(number);
  if (number === "") throw wrong(`--shard ${flag}`, "must be i/n, such as 2/8");
  if (count < 1 || count > MOST_SHARDS)
    throw wrong(`--shard ${flag}`, `its number of shards must be from 1 to ${MOST_SHARDS}`);
  if (place === "auto") return { ...autoIndex(flag, count, environment), count };
  const index = Number(place);
  if (index < 1 || index > count)
    throw wrong(`--shard ${flag}`, `its index must be from 1 to ${count}`);
  return { index, count, source: "--shard" };
}

/**
 * The index of `auto/n`. An array of another size is refused: when the task 3 of 8 is run again alone, its ids do not
 * tell which slice it was.
 */
function autoIndex(flag: string, count: number, environment: NodeJS.ProcessEnv): TaskIndex {
  const task = taskIndex(environment, count);
  if (task === undefined)
    throw wrong(
      `--shard ${flag}`,
      "takes its index from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX, which are not set",
    );
  const { count: name } = variablesOf(environment);
  const tasks = environment[name];
  if (tasks === undefined || wholeNumber(tasks, name) === count) return task;
  throw wrong(`--shard ${flag}`, `must be of an array of ${count} tasks, ${name} is ${tasks}`);
}

function fromEnvironment(environment: NodeJS.ProcessEnv): Shard | undefined {
  const { id, count: name } = variablesOf(environment);
  const tasks = environment[name];
  if (environment[id] === undefined || tasks === undefined) return undefined;
  const count = wholeNumber(tasks, name);
  if (count < 1 || count > MOST_SHARDS)
    throw wrong(`${name} ${tasks}`, `must be from 1 to ${MOST_SHARDS}`);
  const task = taskIndex(environment, count);
  return task && { ...task, count };
}

/** The variables of the array of tasks that this one is in: its own id, and how many there are. */
function variablesOf(environment: NodeJS.ProcessEnv): {
  readonly id: string;
  readonly count: string;
} {
  return environment["SLURM_ARRAY_TASK_ID"] === undefined
    ? { id: "JOB_COMPLETION_INDEX", count: "JOB_COMPLETIONS" }
    : { id: "SLURM_ARRAY_TASK_ID", count: "SLURM_ARRAY_TASK_COUNT" };
}

/** A task's place, from 1, and the variable that it was read from. */
type TaskIndex = Omit<Shard, "count">;

/** The place of this task among `count`; undefined where none is set. */
function taskIndex(environment: NodeJS.ProcessEnv, count: number): TaskIndex | undefined {
  const { id: name } = variablesOf(environment);
  const text = environment[name];
  if (text === undefined) return undefined;
  const id = wholeNumber(text, name);
  const index = name === "SLURM_ARRAY_TASK_ID" ? slurmIndex(id, count, environment) : id;
  if (Number.isInteger(index) && index >= 0 && index < count)
    return { index: index + 1, source: name };
  throw wrong(`${name} ${text}`, `is not one of ${count} tasks that follow one another`);
}

/** The place of a task in its array, from 0; an array of step 1 without its first id may start at 0 or 1. */
function slurmIndex(id: number, count: number, environment: NodeJS.ProcessEnv): number {
  const first = environment["SLURM_ARRAY_TASK_MIN"];
  if (first === undefined) return id <= count ? id % count : id;
  const step = environment["SLURM_ARRAY_TASK_STEP"] ?? "1";
  return (
    (id - wholeNumber(first, "SLURM_ARRAY_TASK_MIN")) / wholeNumber(step, "SLURM_ARRAY_TASK_STEP")
  );
}

function wholeNumber(text: string, name: string): number {
  if (/^\d+$/.test(text)) return Number(text);
  throw wrong(`${name} ${text}`, "must be a whole number");
}

function wrong(thing: string, rule: string): UserError {
  return new UserError("E_FLAG", `${thing}: ${rule}`, {
    hint: "give --shard i/n with i from 1 to n, or --shard 1/1 for everything",
  });
}

/**
 * Whether a file is in a shard, by its relative path alone: the slice is the same in whatever order files are listed, and
 * a file that is added moves no other.
 */
export function isInShard(path: string, { index, count }: Shard): boolean {
  const hash = createHash("sha256").update(path.normalize()).digest();
  return hash.readUIntBE(0, 6) % count === index - 1;
}

/** A fingerprint of all inputs, by which shards of one whole are known. */
export function inputsSha256(paths: readonly string[]): string {
  return createHash("sha256").update(paths.join("\n")).digest("hex");
}
