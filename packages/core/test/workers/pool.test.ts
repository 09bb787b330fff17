import { type Outcome, mapInWorkers } from "@emotion-service/core/workers/pool";
import { describe, expect, it } from "vitest";

interface Job {
  readonly value: number;
  readonly ms?: number;
  readonly how?: "well" | "throws" | "exits" | "crashes" | "hangs" | "waits";
}

const script = new URL("jobWorker.mjs", import.meta.url);

interface Options {
  readonly signal?: AbortSignal;
  readonly limitMs?: number;
  readonly graceMs?: number;
}

function start(jobs: readonly Job[], workers: number, options: Options = {}) {
  const settings = { offset: 1 };
  return mapInWorkers<Job, Float64Array>(jobs, { script, settings, workers, ...options });
}

/** The outcomes, of those that went well the value. */
async function outcomes(
  jobs: readonly Job[],
  workers: number,
  options?: Options,
): Promise<unknown[]> {
  const all: unknown[] = [];
  for await (const outcome of start(jobs, workers, options)) all.push(short(outcome));
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

describe("a time limit", () => {
  it.each(["hangs", "waits"] as const)("ends a job that %s, and it alone", async (how) => {
    for (const workers of [1, 3]) {
      // Several in one worker's hands, and the last of all.
      const isBad = (value: number): boolean => [2, 3, 11].includes(value);
      const jobs = plain(12).map((job) => (isBad(job.value) ? { ...job, how } : job));
      const expected = answers(12).map((answer, value) =>
        isBad(value) ? "took longer than 0.4 s" : answer,
      );
      expect(await outcomes(jobs, workers, { limitMs: 400 })).toEqual(expected);
    }
  });

  it("is of each job, not of those that wait behind it nor of all together", async () => {
    const jobs = plain(3).map((job) => ({ ...job, ms: 400 }));
    expect(await outcomes(jobs, 1, { limitMs: 700 })).toEqual(answers(3));
  });

  it("is not of the start of a worker, however many start at once", async () => {
    expect(await outcomes(plain(12), 12, { limitMs: 200 })).toEqual(answers(12));
  });

  it("lets a job end by itself within the grace", async () => {
    const jobs = plain(2).map((job): Job => ({ ...job, ms: 600, how: "throws" }));
    expect(await outcomes(jobs, 2, { limitMs: 200, graceMs: 20_000 })).toEqual([
      "no good: 0",
      "no good: 1",
    ]);
  });

  it("does not pass while this process stands still: a job whose answer waits to be heard is done", async () => {
    const jobs = [{ value: 0 }, { value: 1, ms: 400 }];
    const all: unknown[] = [];
    for await (const outcome of start(jobs, 1, { limitMs: 1000 })) {
      all.push(short(outcome));
      if (all.length === 1) setTimeout(() => standStill(1500), 250);
    }
    expect(all).toEqual(answers(2));
  });

  const standStill = (ms: number): void =>
    void Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
});

it.each([1, 3, 5])("has at most %i jobs ahead of a consumer that is slow", async (ahead) => {
  let done = 0;
  let emitted = 0;
  let most = 0;
  const settings = { offset: 1 };
  const keep = (): number => {
    done += 1;
    most = Math.max(most, done - emitted);
    return done;
  };
  const options = { script, settings, workers: 1, ahead, keep };
  for await (const _ of mapInWorkers<Job, Float64Array, number>(plain(30), options)) {
    emitted += 1;
    await new Promise((resolve) => setTimeout(resolve, 30));
  }
  expect(emitted).toBe(30);
  expect(most).toBeLessThanOrEqual(ahead + 1); // and the one that is to come out next
});

describe("keep", () => {
  const keepIn = (
    jobs: readonly Job[],
    keep: (result: Float64Array, index: number) => string,
    limitMs?: number,
  ) => {
    const settings = { offset: 1 };
    const options = { script, settings, workers: 3, limitMs, keep };
    return mapInWorkers<Job, Float64Array, string>(jobs, options);
  };

  it("sees each result once, whatever became of other jobs, and what it returns comes out in order", async () => {
    const bad = new Map<number, Job["how"]>([
      [7, "exits"],
      [20, "hangs"],
      [33, "throws"],
    ]);
    const jobs = plain(60).map((job): Job => {
      const how = bad.get(job.value);
      return { ...job, ms: job.value % 7, ...(how && { how }) };
    });
    const seen: number[] = [];
    const all: unknown[] = [];
    const kept = keepIn(
      jobs,
      (result, index) => {
        expect(result).toEqual(Float64Array.of(2 * index + 1));
        seen.push(index);
        return `kept ${index}`;
      },
      500,
    );
    for await (const outcome of kept) all.push(outcome.ok ? outcome.value : outcome.cause);
    const good = jobs.map(({ value }) => value).filter((value) => !bad.has(value));
    expect(seen.toSorted((a, b) => a - b)).toEqual(good);
    const causes = new Map([
      [7, "its worker ended"],
      [20, "took longer than 0.5 s"],
      [33, "no good: 33"],
    ]);
    expect(all).toEqual(jobs.map(({ value }) => causes.get(value) ?? `kept ${value}`));
  });

  it("ends the run with its error, though that job's turn has not come", async () => {
    const full = new Error("the disk is full");
    const jobs = plain(20).map((job) => ({ ...job, ms: job.value === 0 ? 60_000 : 0 }));
    const kept = keepIn(jobs, (_, index) => {
      if (index === 5) throw full;
      return "";
    });
    await expect(kept.next()).rejects.toBe(full);
  });
});

describe("stopping", () => {
  it("throws at once, though a job is running", async () => {
    const controller = new AbortController();
    const jobs = plain(4).map((job) => ({ ...job, ms: job.value === 1 ? 60_000 : 0 }));
    const all: unknown[] = [];
    const work = async (): Promise<void> => {
      for await (const outcome of start(jobs, 2, { signal: controller.signal })) {
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
      for await (const outcome of start(plain(40), 2, { signal: controller.signal })) {
        all.push(short(outcome));
        await new Promise((resolve) => setTimeout(resolve, 100));
        controller.abort();
      }
    };
    await expect(work()).rejects.toMatchObject({ code: "E_ABORTED" });
    expect(all).toEqual([1]);
  });

  it("does not begin when it was stopped before", async () => {
    const work = start(plain(3), 1, { signal: AbortSignal.abort() }).next();
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
    await expect.poll(ports).toBe(before); // a port closes a little after its thread
  });
});

describe("at the end", () => {
  it.each([
    ["native code", true],
    ["any other code", false],
  ])(
    "a worker of %s leaves by itself, in the middle of what it waits for",
    async (_, nativeCode) => {
      const left = new Int32Array(new SharedArrayBuffer(4));
      const settings = { offset: 1, left };
      const jobs: Job[] = [{ value: 1 }, { value: 2, how: "waits" }];
      const run = mapInWorkers<Job, Float64Array>(jobs, {
        script,
        settings,
        workers: 1,
        nativeCode,
      });
      await run.next();
      await run.return();
      expect(left[0]).toBe(1);
    },
  );
});
