import { InvalidArgumentError, Option } from "@commander-js/extra-typings";

/** Parser of a number flag within [min, max]. */
export function numberIn(min: number, max = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isFinite(value) || value < min || value > max)
      throw new InvalidArgumentError(`must be a number ${range(min, max)}, got '${text}'.`);
    return value;
  };
}

/** Parser of a whole-number flag within [min, max]. */
export function integerIn(min: number, max = Infinity): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (text.trim() === "" || !Number.isInteger(value) || value < min || value > max)
      throw new InvalidArgumentError(`must be a whole number ${range(min, max)}, got '${text}'.`);
    return value;
  };
}

function range(min: number, max: number): string {
  return max === Infinity ? `of at least ${min}` : `from ${min} to ${max}`;
}

/** A flag with a number as its value, a default, and a parser of this file. */
export function numberOption<Flag extends string>(
  flag: Flag,
  text: string,
  value: number,
  parse: (text: string) => number,
) {
  return new Option(flag, text).default(value).argParser(parse);
}

/** `--workers <n>`: the same meaning in every command. */
export function workersOption(what: string) {
  return new Option("--workers <n>", what).default(4).argParser(integerIn(1, 256));
}

/** `--json`: one JSON object on stdout instead of the summary. */
export function jsonOption(text = "print one JSON object instead of the summary") {
  return new Option("--json", text).default(false);
}

/** `--quiet`: no progress on stderr. */
export function quietOption() {
  return new Option("--quiet", "no progress on stderr").default(false);
}

/** `--shard <i/n>`: read by readShard. */
export function shardOption() {
  return new Option(
    "--shard <i/n>",
    "process slice i of n, i from 1 (auto/n: i from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX; 1/1: everything); by default from SLURM_ARRAY_TASK_ID and _COUNT where these are set",
  );
}

/** `--resume`: the journal of a run that was stopped is gone on with. */
export function resumeOption() {
  return new Option(
    "--resume",
    "go on from what a run of the same flags that was stopped had finished",
  ).default(false);
}
