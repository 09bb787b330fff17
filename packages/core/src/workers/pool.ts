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

/** Jobs that a worker holds at once: the next ones wait there while the first is worked on. */
const JOBS_PER_WORKER = 4;
/** Jobs that may be ahead of the one to come out next, for each worker: bounds the memory. */
const AHEAD_PER_WORKER = 32;

interface PoolOptions<Result, Kept> {
  /** The worker's script; it must call `serveJobs`. */
  readonly script: URL;
  /** Handed to each worker as its settings. */
  readonly settings: unknown;
  readonly workers: number;
  readonly signal?: AbortSignal | undefined;
  /** Time a job may take, milliseconds: its worker is ended then, and the job has failed. */
  readonly limitMs?: number | undefined;
  /** Sees each result as it comes, in any order; what it returns comes out in the result's place. An error ends the run. */
  readonly keep?: (result: Result, index: number) => Kept;
}

/** A worker thread and what it was given. */
interface Member {
  readonly worker: Worker;
  /** Jobs, the first of them being worked on. */
  readonly load: number[];
  /** Runs from the start of the first job. */
  readonly timer: NodeJS.Timeout | undefined;
}

/**
 * Runs jobs in worker threads and yields their outcomes in the order of the jobs, whatever the number of workers.
 * A job that kills its worker costs that job alone: the worker is replaced.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what crosses between the threads
export async function* mapInWorkers<Job, Result, Kept = Result>(
  jobs: readonly Job[],
  options: PoolOptions<Result, Kept>,
): AsyncGenerator<Outcome<Kept>, void, undefined> {
  const outcomes = new Map<number, Outcome<Kept>>();
  const retry: number[] = []; // jobs of a worker that ended before it came to them
  const alive = new Set<Member>();
  let next = 0; // the first job that no worker was given yet
  let emitted = 0;
  let failure: unknown; // of `keep`
  let wake: () => void = () => {};
  const count = Math.min(options.workers, jobs.length);

  const kept = (outcome: Outcome<Result>, index: number): Outcome<Kept> => {
    if (!outcome.ok || options.keep === undefined) return outcome as Outcome<Kept>;
    return { ok: true, value: options.keep(outcome.value, index) };
  };
  const settle = (member: Member, { index, outcome }: Message<Result>): void => {
    if (!alive.has(member)) return; // it was ended while its message was on the way
    member.load.splice(member.load.indexOf(index), 1);
    member.timer?.refresh();
    try {
      outcomes.set(index, kept(outcome, index));
    } catch (error) {
      failure ??= error;
    }
    feed(member);
    wake();
  };
  /** Takes a worker out of the team: its first job has failed, the others go to those that follow. */
  const dismiss = (member: Member, cause: string): void => {
    if (!alive.delete(member)) return;
    clearTimeout(member.timer);
    const [culprit, ...innocent] = member.load;
    retry.unshift(...innocent);
    if (culprit !== undefined) outcomes.set(culprit, { ok: false, cause });
    start();
    wake();
  };
  const start = (): void => {
    const worker = new Worker(options.script, { workerData: options.settings });
    const { limitMs } = options;
    const onLimit = (): void => {
      if (member.load.length === 0) return;
      dismiss(member, `took longer than ${(limitMs ?? 0) / 1000} s`);
      void worker.terminate();
    };
    const timer = limitMs === undefined ? undefined : setTimeout(onLimit, limitMs).unref();
    const member: Member = { worker, load: [], timer };
    alive.add(member);
    let crash = "its worker ended";
    worker.on("message", (message: Message<Result>) => settle(member, message));
    worker.on("error", (error) => (crash = `its worker crashed: ${causeOf(error)}`));
    worker.on("exit", () => dismiss(member, crash));
    feed(member);
  };
  const nextJob = (): number | undefined => {
    const again = retry.shift();
    if (again !== undefined) return again;
    if (next >= jobs.length || next > emitted + count * AHEAD_PER_WORKER) return undefined;
    next += 1;
    return next - 1;
  };
  const feed = ({ worker, load, timer }: Member): void => {
    while (load.length < JOBS_PER_WORKER) {
      const index = nextJob();
      if (index === undefined) return;
      if (load.length === 0) timer?.refresh();
      load.push(index);
      worker.postMessage({ index, job: jobs[index] });
    }
  };

  const onAbort = (): void => wake();
  options.signal?.addEventListener("abort", onAbort);
  try {
    for (let i = 0; i < count; i += 1) start();
    while (emitted < jobs.length) {
      throwIfAborted(options.signal);
      if (failure !== undefined) throw failure;
      const outcome = outcomes.get(emitted);
      if (outcome === undefined) {
        for (const member of alive) feed(member);
        await new Promise<void>((resolve) => (wake = resolve));
        continue;
      }
      outcomes.delete(emitted);
      emitted += 1;
      yield outcome;
    }
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    const members = [...alive];
    alive.clear();
    for (const { timer } of members) clearTimeout(timer);
    await Promise.all(members.map(({ worker }) => worker.terminate()));
  }
}
