import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import { describe, expect, it } from "vitest";

interface Job {
  readonly value: number;
  readonly ms?: number;
  readonly how?: "well" | "throws" | "exits" | "crashes";
}

const script = new URL("jobWorker.mjs", import.meta.url);

function start(jobs: readonly Job[], workers: number, signal?: AbortSignal) {
  return mapInWorkers<Job, Float64Array>(jobs, {
    script,
    settings: { offset: 1 },
    workers,
    signal,
  });
}

/** The outcomes, of those that went well the value. */
async function outcomes(jobs: readonly Job[], workers: number): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const outcome of start(jobs, workers)) all.push(short(outcome));
  return all;
}

const short = (outcome: Outcome<Float64Array>): unknown =>
  outcome.ok ? outcome.value[0] : outcome.cause;

const plain = (count: number): Job[] => Array.from({ length: count }, (_, value) => ({ value }));
const answers = (count: number): number[] =>
  Array.from({ length: count }, (_, value) => 2 * value + 1);

describe("the order of the jobs", () => {
  it.each([1, 2, 3, 8])("is kept by %i workers, whichever ends first", async (workers) => {
    const jobs = plain(12).map((job) => ({ ...job, ms: job.value % 3 === 0 ? 20 : 0 }));
    expect(await outcomes(jobs, workers)).toEqual(answers(12));
  });

  it("is kept where there are more workers than jobs, and none", async () => {
    expect(await outcomes(plain(2), 6)).toEqual([1, 3]);
    expect(await outcomes([], 3)).toEqual([]);
  });

  it("is kept over many more jobs than may be ahead of a slow one", async () => {
    const jobs = plain(300).map((job) => ({ ...job, ms: job.value === 0 ? 300 : 0 }));
    expect(await outcomes(jobs, 2)).toEqual(answers(300));
  });

  it("is kept by a consumer that is slow", async () => {
    const all: unknown[] = [];
    for await (const outcome of start(plain(100), 2)) {
      if (all.length % 20 === 0) await new Promise((resolve) => setTimeout(resolve, 10));
      all.push(short(outcome));
    }
    expect(all).toEqual(answers(100));
  });
});

describe("a job that fails", () => {
  it.each([
    ["throws", "no good: 5"],
    ["exits", "its worker ended"],
    ["crashes", "its worker crashed: out of nowhere"],
  ] as const)("because it %s costs that job alone", async (how, cause) => {
    for (const workers of [1, 3]) {
      const jobs = plain(12).map((job) => (job.value === 5 ? { ...job, how } : job));
      const expected: unknown[] = answers(12);
      expected[5] = cause;
      expect(await outcomes(jobs, workers)).toEqual(expected);
    }
  });

  it("does so each time", async () => {
    const jobs = plain(9).map((job) => ({ ...job, how: "exits" as const }));
    expect(await outcomes(jobs, 2)).toEqual(jobs.map(() => "its worker ended"));
  });

  it("holds nothing up when all that may be ahead of it is done", async () => {
    // Job 0 fails long after the other worker has come as far as it may; job 1 waits behind it in the same worker.
    const jobs = plain(300).map((job): Job =>
      job.value === 0 ? { ...job, ms: 400, how: "exits" } : job,
    );
    expect(await outcomes(jobs, 2)).toEqual(["its worker ended", ...answers(300).slice(1)]);
  });

  it("is every job when the worker cannot start", async () => {
    const all: unknown[] = [];
    const options = { script: new URL("none.mjs", import.meta.url), settings: {}, workers: 2 };
    for await (const outcome of mapInWorkers<Job, Float64Array>(plain(4), options))
      all.push(short(outcome));
    expect(all).toHaveLength(4);
    for (const cause of all) expect(cause).toMatch(/^its worker crashed: Cannot find module/);
  });
});

describe("stopping", () => {
  it("throws at once, though a job is running", async () => {
    const controller = new AbortController();
    const jobs = plain(4).map((job) => ({ ...job, ms: job.value === 1 ? 60_000 : 0 }));
    const all: unknown[] = [];
    const work = async (): Promise<void> => {
      for await (const outcome of start(jobs, 2, controller.signal)) {
        all.push(short(outcome));
        setTimeout(() => controller.abort(), 20);
      }
    };
    await expect(work()).rejects.toMatchObject({ code: "E_ABORTED" });
    expect(all).toEqual([1]);
  });

  it("throws though every outcome is there", async () => {
    const controller = new AbortController();
    const all: unknown[] = [];
    const work = async (): Promise<void> => {
      for await (const outcome of start(plain(40), 2, controller.signal)) {
        all.push(short(outcome));
        await new Promise((resolve) => setTimeout(resolve, 100));
        controller.abort();
      }
    };
    await expect(work()).rejects.toMatchObject({ code: "E_ABORTED" });
    expect(all).toEqual([1]);
  });

  it("does not begin when it was stopped before", async () => {
    const work = start(plain(3), 1, AbortSignal.abort()).next();
    await expect(work).rejects.toMatchObject({ code: "E_ABORTED" });
  });

  it("by its consumer ends the workers", async () => {
    const ports = (): number =>
      process.getActiveResourcesInfo().filter((name) => name === "MessagePort").length;
    const before = ports();
    // Again and again: a message that is on the way when its worker is ended must not bring the worker back.
    for (let round = 0; round < 8; round += 1)
      for await (const outcome of start(plain(200), 3)) {
        expect(short(outcome)).toBe(1);
        expect(ports()).toBeGreaterThan(before);
        break;
      }
    await expect.poll(ports, { timeout: 20_000 }).toBe(before); // a port closes a little after its thread
  });
});
