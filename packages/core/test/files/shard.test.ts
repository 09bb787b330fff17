import {
  type Shard,
  inputsSha256,
  isInShard,
  readShard,
  wholeNote,
} from "@emotion-service/core/files/shard";
import fc from "fast-check";
import { describe, expect, it, test } from "vitest";

/** A task of a SLURM array; `min` and `step` are not told by every version. */
const slurm = (id: string, count?: string, min?: string, step?: string): NodeJS.ProcessEnv => ({
  SLURM_ARRAY_TASK_ID: id,
  ...(count === undefined ? {} : { SLURM_ARRAY_TASK_COUNT: count }),
  ...(min === undefined ? {} : { SLURM_ARRAY_TASK_MIN: min }),
  ...(step === undefined ? {} : { SLURM_ARRAY_TASK_STEP: step }),
});

/** A pod of an indexed Kubernetes job. */
const job = (index: string, completions?: string): NodeJS.ProcessEnv => ({
  JOB_COMPLETION_INDEX: index,
  ...(completions === undefined ? {} : { JOB_COMPLETIONS: completions }),
});

const SLURM = "SLURM_ARRAY_TASK_ID";
const JOB = "JOB_COMPLETION_INDEX";

describe("the shard is", () => {
  const cases: [
    string,
    string | undefined,
    NodeJS.ProcessEnv,
    [number, number, string] | undefined,
  ][] = [
    ["what the flag says", "2/8", {}, [2, 8, "--shard"]],
    ["the last one", "8/8", {}, [8, 8, "--shard"]],
    ["the flag's, whatever the environment says", "2/8", slurm("5", "6", "1"), [2, 8, "--shard"]],
    ["everything by 1/1", "1/1", {}, undefined],
    ["everything by 1/1 in an array too", "1/1", slurm("5", "6", "1"), undefined],
    ["everything where nothing is said", undefined, {}, undefined],
    ["a SLURM task's, of --array=0-7", undefined, slurm("0", "8", "0"), [1, 8, SLURM]],
    ["the last of --array=0-7", undefined, slurm("7", "8", "0"), [8, 8, SLURM]],
    ["a SLURM task's, of --array=1-8", undefined, slurm("1", "8", "1"), [1, 8, SLURM]],
    ["the last of --array=1-8", undefined, slurm("8", "8", "1"), [8, 8, SLURM]],
    ["by steps, of --array=10-40:10", undefined, slurm("30", "4", "10", "10"), [3, 4, SLURM]],
    ["everything in an array of one", undefined, slurm("3", "1", "3"), undefined],
    ["everything where an array's size is not told", undefined, slurm("3"), undefined],
    ["a Kubernetes pod's", undefined, job("0", "4"), [1, 4, JOB]],
    ["the last pod's", undefined, job("3", "4"), [4, 4, JOB]],
    ["everything where the number of pods is not told", undefined, job("3"), undefined],
    [
      "SLURM's before Kubernetes'",
      undefined,
      { ...job("0", "4"), ...slurm("2", "3", "1") },
      [2, 3, SLURM],
    ],
    ["auto/n: a SLURM task's", "auto/8", slurm("8", "8", "1"), [8, 8, SLURM]],
    ["auto/n: a pod's, whose number is not told", "auto/4", job("3"), [4, 4, JOB]],
  ];
  it.each(cases)("%s (%s)", (_, flag, environment, expected) => {
    const shard = readShard(flag, environment);
    expect(shard && [shard.index, shard.count, shard.source]).toEqual(expected);
  });
});

test.each([0, 1])("an array whose first id is not told, from %i, has each shard once", (first) => {
  const ids = [0, 1, 2, 3].map((i) => String(first + i));
  const indexes = ids.map((id) => readShard(undefined, slurm(id, "4"))?.index ?? 0);
  expect(indexes.toSorted((a, b) => a - b)).toEqual([1, 2, 3, 4]);
});

describe("what is no shard is refused", () => {
  const wrong: [string, string | undefined, NodeJS.ProcessEnv, string][] = [
    ["no slash", "3", {}, "--shard 3: must be i/n, such as 2/8"],
    ["nothing", "", {}, "--shard : must be i/n"],
    ["words", "first/last", {}, "--shard first/last: must be i/n"],
    ["a fraction", "1.5/3", {}, "--shard 1.5/3: must be i/n"],
    ["a negative number", "-1/3", {}, "--shard -1/3: must be i/n"],
    ["spaces", "1 / 3", {}, "--shard 1 / 3: must be i/n"],
    ["a third part", "1/3/5", {}, "--shard 1/3/5: must be i/n"],
    ["index 0", "0/3", {}, "--shard 0/3: its index must be from 1 to 3"],
    ["an index beyond n", "4/3", {}, "--shard 4/3: its index must be from 1 to 3"],
    ["of none", "1/0", {}, "--shard 1/0: its number of shards must be from 1 to 100000"],
    [
      "of too many",
      "1/100001",
      {},
      "--shard 1/100001: its number of shards must be from 1 to 100000",
    ],
    [
      "auto without an array",
      "auto/3",
      {},
      "--shard auto/3: takes its index from SLURM_ARRAY_TASK_ID or JOB_COMPLETION_INDEX, which are not set",
    ],
    [
      "auto in one task run again",
      "auto/8",
      slurm("3", "1", "3"),
      "--shard auto/8: must be of an array of 8 tasks, SLURM_ARRAY_TASK_COUNT is 1",
    ],
    [
      "auto in fewer pods",
      "auto/8",
      job("3", "4"),
      "--shard auto/8: must be of an array of 8 tasks, JOB_COMPLETIONS is 4",
    ],
    [
      "a task beyond the array",
      undefined,
      slurm("9", "8", "1"),
      "SLURM_ARRAY_TASK_ID 9: is not one of 8 tasks",
    ],
    [
      "--array=1,3,7",
      undefined,
      slurm("7", "3", "1"),
      "SLURM_ARRAY_TASK_ID 7: is not one of 3 tasks that follow one another",
    ],
    [
      "--array=0,3,8 with a step",
      undefined,
      slurm("3", "3", "0", "2"),
      "SLURM_ARRAY_TASK_ID 3: is not one of 3 tasks",
    ],
    [
      "a task before the first",
      undefined,
      slurm("1", "3", "2"),
      "SLURM_ARRAY_TASK_ID 1: is not one of 3 tasks",
    ],
    [
      "a step of 0",
      undefined,
      slurm("1", "3", "1", "0"),
      "SLURM_ARRAY_TASK_ID 1: is not one of 3 tasks",
    ],
    [
      "a pod beyond the job",
      undefined,
      job("4", "4"),
      "JOB_COMPLETION_INDEX 4: is not one of 4 tasks",
    ],
    [
      "an array of none",
      undefined,
      slurm("0", "0"),
      "SLURM_ARRAY_TASK_COUNT 0: must be from 1 to 100000",
    ],
    [
      "an id that is no number",
      undefined,
      slurm("two", "3", "1"),
      "SLURM_ARRAY_TASK_ID two: must be a whole number",
    ],
    [
      "an array's size that is no number",
      undefined,
      slurm("2", "many", "1"),
      "SLURM_ARRAY_TASK_COUNT many: must be a whole number",
    ],
  ];
  it.each(wrong)("%s", (_, flag, environment, message) => {
    let error: unknown;
    try {
      readShard(flag, environment);
    } catch (caught) {
      error = caught;
    }
    expect(error).toMatchObject({
      code: "E_FLAG",
      message: expect.stringContaining(message),
      hint: "give --shard i/n with i from 1 to n, or --shard 1/1 for everything",
    });
  });
});

/** The n shards of a whole. */
const shardsOf = (count: number): Shard[] =>
  Array.from({ length: count }, (_, i) => ({ index: i + 1, count, source: "--shard" }));

describe("a slice", () => {
  const paths = fc.uniqueArray(fc.string({ unit: "grapheme", minLength: 1 }));

  it("has each file in exactly one of n", () => {
    fc.assert(
      fc.property(paths, fc.integer({ min: 1, max: 40 }), (all, count) => {
        const shards = shardsOf(count);
        for (const path of all)
          expect(shards.filter((shard) => isInShard(path, shard))).toHaveLength(1);
      }),
    );
  });

  it("is the same in any order of the files, and when files come or go", () => {
    fc.assert(
      fc.property(paths, paths, fc.integer({ min: 1, max: 40 }), (all, more, count) => {
        for (const shard of shardsOf(count)) {
          const slice = all.filter((path) => isInShard(path, shard));
          const later = [...more, ...all.toReversed()].filter((path) => isInShard(path, shard));
          expect(new Set(later.filter((path) => all.includes(path)))).toEqual(new Set(slice));
        }
      }),
    );
  });

  it("is the same however the file system composes accents", () => {
    for (const shard of shardsOf(7))
      expect(isInShard("Zoe\u0308/a.wav", shard)).toBe(isInShard("Zo\u00EB/a.wav", shard));
  });

  it.each([2, 8, 30])("is about as large as the other ones of %i", (count) => {
    const mean = 200;
    const names = Array.from({ length: mean * count }, (_, i) => `speaker_${i % 91}/take_${i}.wav`);
    for (const shard of shardsOf(count)) {
      const size = names.filter((name) => isInShard(name, shard)).length;
      // Binomial: five deviations of sqrt(mean), which chance passes once in two million.
      expect(Math.abs(size - mean)).toBeLessThan(5 * Math.sqrt(mean));
    }
  });

  it("stays what it was: an array may be finished by a later version", () => {
    // 1 + int.from_bytes(sha256(name).digest()[:6]) % 5, by Python's hashlib
    const names = ["1001_DFA_ANG_XX.wav", "b/happy/a.wav", "ä.wav", "三.flac"];
    const indexes = names.map((name) => shardsOf(5).find((shard) => isInShard(name, shard))?.index);
    expect(indexes).toEqual([3, 5, 3, 2]);
  });
});

describe("the fingerprint of the inputs", () => {
  it("is SHA-256 of the paths, a line each", () => {
    // printf 'a.wav\nb.wav' | sha256sum
    expect(inputsSha256(["a.wav", "b.wav"])).toBe(
      "f365b5330077a1d55452fee7f0a5ba67c4952eb566e2af8f279ed681ca8d0543",
    );
  });

  it.each([
    ["a file more", ["a.wav", "b.wav", "c.wav"]],
    ["a file less", ["a.wav"]],
    ["another name", ["a.wav", "B.wav"]],
    ["no file", []],
  ])("changes with %s", (_, others) => {
    expect(inputsSha256(others)).not.toBe(inputsSha256(["a.wav", "b.wav"]));
  });
});

describe("a task of an array that processes everything is told so", () => {
  it.each([
    [
      { JOB_COMPLETION_INDEX: "3" },
      "JOB_COMPLETION_INDEX is set and JOB_COMPLETIONS is not set: everything is processed; --shard i/n processes slice i of n",
    ],
    [
      { SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "1", SLURM_ARRAY_TASK_MIN: "3" },
      "SLURM_ARRAY_TASK_ID is set and SLURM_ARRAY_TASK_COUNT is 1: everything is processed; --shard i/n processes slice i of n",
    ],
    [{ SLURM_ARRAY_TASK_ID: "3", SLURM_ARRAY_TASK_COUNT: "8" }, undefined],
    [{}, undefined],
  ])("%j", (environment, note) => {
    expect(wholeNote(undefined, environment)).toBe(note);
    expect(wholeNote("1/1", environment)).toBeUndefined();
  });
});
