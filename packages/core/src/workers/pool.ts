import { Worker } from "node:worker_threads";
import { causeOf, throwIfAborted } from "../errors.ts";

/** What became of one job. */
export type Outcome<Result> =
  | { readonly ok: true; readonly value: Result }
  | { readonly ok: false; readonly cause: string };

interface Message<Result> {
  readonly index: number;
  readonly outcome: Outcome<Result>;
}

/** Jobs that a worker holds at once: the next one waits there while the first is worked on. */
const JOBS_PER_WORKER = 2;
/** Jobs that may be ahead of the one to come out next, for each worker: bounds the memory. */
const AHEAD_PER_WORKER = 32;

interface PoolOptions {
  /** The worker's script; it must call `serveJobs`. */
  readonly script: URL;
  /** Handed to each worker as its settings. */
  readonly settings: unknown;
  readonly workers: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Runs jobs in worker threads and yields their outcomes in the order of the jobs, whatever the number of workers.
 * A job that kills its worker costs that job alone: the worker is replaced.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what crosses between the threads
export async function* mapInWorkers<Job, Result>(
  jobs: readonly Job[],
  options: PoolOptions,
): AsyncGenerator<Outcome<Result>, void, undefined> {
  const outcomes = new Map<number, Outcome<Result>>();
  const retry: number[] = []; // jobs of a worker that ended before it came to them
  const alive = new Map<Worker, number[]>();
  let next = 0; // the first job that no worker was given yet
  let emitted = 0;
  let wake: () => void = () => {};
  const count = Math.min(options.workers, jobs.length);

  const settle = (worker: Worker, index: number, outcome: Outcome<Result>): void => {
    const load = alive.get(worker);
    if (load === undefined) return; // it was ended while its message was on the way
    alive.set(
      worker,
      load.filter((held) => held !== index),
    );
    outcomes.set(index, outcome);
    feedAll();
    wake();
  };
  const start = (): void => {
    const worker = new Worker(options.script, { workerData: options.settings });
    alive.set(worker, []);
    let crash = "its worker ended";
    worker.on("message", ({ index, outcome }: Message<Result>) => settle(worker, index, outcome));
    worker.on("error", (error) => (crash = `its worker crashed: ${causeOf(error)}`));
    worker.on("exit", () => {
      const [culprit, ...innocent] = alive.get(worker) ?? [];
      const wasAlive = alive.delete(worker);
      if (!wasAlive) return;
      retry.unshift(...innocent);
      start();
      if (culprit !== undefined) outcomes.set(culprit, { ok: false, cause: crash });
      feedAll();
      wake();
    });
  };
  const nextJob = (): number | undefined => {
    const again = retry.shift();
    if (again !== undefined) return again;
    if (next >= jobs.length || next > emitted + count * AHEAD_PER_WORKER) return undefined;
    next += 1;
    return next - 1;
  };
  const feed = (worker: Worker, load: number[]): void => {
    while (load.length < JOBS_PER_WORKER) {
      const index = nextJob();
      if (index === undefined) return;
      load.push(index);
      worker.postMessage({ index, job: jobs[index] });
    }
  };
  const feedAll = (): void => {
    for (const [worker, load] of alive) feed(worker, load);
  };

  const onAbort = (): void => wake();
  options.signal?.addEventListener("abort", onAbort);
  try {
    for (let i = 0; i < count; i += 1) start();
    feedAll();
    while (emitted < jobs.length) {
      throwIfAborted(options.signal);
      const outcome = outcomes.get(emitted);
      if (outcome === undefined) {
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      outcomes.delete(emitted);
      emitted += 1;
      yield outcome;
      feedAll();
    }
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    const workers = [...alive.keys()];
    alive.clear();
    await Promise.all(workers.map((worker) => worker.terminate()));
  }
}
