import { once } from "node:events";
import { setTimeout as delay } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { causeOf, throwIfAborted } from "../errors.ts";

/** What became of one job. */
export type Outcome<Result> =
  | { readonly ok: true; readonly value: Result }
  | { readonly ok: false; readonly cause: string };

/** What a thread wakes another for: several at once, since a wake costs as much as a short job. */
export interface JobsMessage<Job> {
  readonly jobs: readonly { readonly index: number; readonly job: Job }[];
}
/** Ends a worker as soon as it looks at its messages. */
export const LEAVE = "leave";
export interface OutcomesMessage<Result> {
  readonly outcomes: readonly { readonly index: number; readonly outcome: Outcome<Result> }[];
}

/** What a worker starts with. */
export interface WorkerStart<Settings> {
  readonly settings: Settings;
  /** [1]: the index of the job being worked on, written by the worker. */
  readonly current: Int32Array;
}

/** The most jobs that are sent at once. */
const MOST_SENT = 8;
/** Of the jobs that are left, each worker is sent this part at most: the last ones go to whoever is free. */
const SHARES_PER_WORKER = 4;
/** Jobs that may be ahead of the one to come out next, for each worker, where the caller does not say. */
const AHEAD_PER_WORKER = 32;

interface PoolOptions<Result, Kept> {
  /** The worker's script; it must call `serveJobs`. */
  readonly script: URL;
  /** Handed to each worker as its settings. */
  readonly settings: unknown;
  readonly workers: number;
  readonly signal?: AbortSignal | undefined;
  /** Jobs that may be ahead of the one to come out next (at least one a worker): bounds the memory. */
  readonly ahead?: number;
  /** Time a job may take, milliseconds: its worker is ended then, and the job has failed. */
  readonly limitMs?: number | undefined;
  /** Time beyond that in which a job may end by itself, milliseconds. */
  readonly graceMs?: number;
  /**
   * Whether jobs run native code that does not bear to have its thread ended while it runs: ONNX Runtime then aborts the
   * process. Such workers are given longer to leave before they are ended.
   */
  readonly nativeCode?: boolean;
  /** Sees each result as it comes, in any order; what it returns comes out in the result's place. An error ends the run. */
  readonly keep?: (result: Result, index: number) => Kept;
}

/** A worker thread and what it was given. */
interface Member {
  readonly worker: Worker;
  /** Jobs whose outcome has not come. */
  readonly load: Set<number>;
  readonly current: Int32Array;
  /** The job that was seen being worked on, and how often it has been seen since. */
  seen: number;
  looks: number;
}

/** How often a worker is looked at within the time limit, at least. */
const LOOKS_PER_LIMIT = 10;
/** And the longest time between two looks, milliseconds. */
const LOOK_EVERY_MS = 1000;
/** Time in which a worker told to leave must have left, milliseconds: it ends the programs that it runs. */
const LEAVE_WITHIN_MS = 500;
const NATIVE_LEAVES_WITHIN_MS = 10_000;

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
  const { limitMs = Infinity, graceMs = 0 } = options;
  const ahead = Math.max(count, options.ahead ?? count * AHEAD_PER_WORKER);

  const kept = (outcome: Outcome<Result>, index: number): Outcome<Kept> => {
    if (!outcome.ok || options.keep === undefined) return outcome as Outcome<Kept>;
    return { ok: true, value: options.keep(outcome.value, index) };
  };
  const settle = (member: Member, { outcomes: settled }: OutcomesMessage<Result>): void => {
    if (!alive.has(member)) return; // it was ended while its message was on the way
    try {
      for (const { index, outcome } of settled) {
        member.load.delete(index);
        outcomes.set(index, kept(outcome, index));
      }
    } catch (error) {
      failure ??= error;
    }
    feed(member);
    wake();
  };
  /** Takes a worker out of the team: the job that it was working on has failed, the others go to those that follow. */
  const dismiss = (member: Member, cause: string): void => {
    if (!alive.delete(member)) return;
    const { load } = member;
    const current = Atomics.load(member.current, 0);
    const culprit = load.has(current) ? current : load.values().next().value;
    if (culprit !== undefined) outcomes.set(culprit, { ok: false, cause });
    retry.unshift(...[...load].filter((index) => index !== culprit));
    start();
    wake();
  };
  const start = (): void => {
    const current = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT)).fill(-1);
    const workerData: WorkerStart<unknown> = { settings: options.settings, current };
    const worker = new Worker(options.script, { workerData });
    const member: Member = { worker, load: new Set(), current, seen: -1, looks: 0 };
    alive.add(member);
    let crash = "its worker ended";
    worker.on("message", (message: OutcomesMessage<Result>) => settle(member, message));
    worker.on("error", (error) => (crash = `its worker crashed: ${causeOf(error)}`));
    worker.on("exit", () => dismiss(member, crash));
    feed(member);
  };
  /**
   * Ends the workers that have been working on one job for too long. Looks are counted, not time: while this process is
   * stopped (Ctrl-Z) or busy, no job is late.
   */
  const look = (looksPerJob: number): void => {
    for (const member of alive) {
      const current = Atomics.load(member.current, 0);
      if (current !== member.seen || !member.load.has(current)) {
        member.seen = current;
        member.looks = 0;
      } else if ((member.looks += 1) >= looksPerJob) {
        dismiss(member, `took longer than ${limitMs / 1000} s`);
        void member.worker.terminate();
      }
    }
  };
  const nextJob = (): number | undefined => {
    const again = retry.shift();
    if (again !== undefined) return again;
    if (next >= jobs.length || next > emitted + ahead) return undefined;
    next += 1;
    return next - 1;
  };
  const feed = ({ worker, load }: Member): void => {
    const share = Math.ceil((jobs.length - next) / (count * SHARES_PER_WORKER));
    const most = Math.max(1, Math.min(MOST_SENT, share));
    if (load.size > most) return; // enough to go on with
    const indices: number[] = [];
    for (let i = 0; i < most; i += 1) {
      const index = nextJob();
      if (index === undefined) break;
      indices.push(index);
      load.add(index);
    }
    if (indices.length === 0) return;
    const message = { jobs: indices.map((index) => ({ index, job: jobs[index] })) };
    worker.postMessage(message satisfies JobsMessage<Job | undefined>);
  };

  const onAbort = (): void => wake();
  options.signal?.addEventListener("abort", onAbort);
  const everyMs = Math.min(LOOK_EVERY_MS, limitMs / LOOKS_PER_LIMIT);
  const looksPerJob = Math.ceil((limitMs + graceMs) / everyMs);
  const timer = limitMs === Infinity ? undefined : setInterval(() => look(looksPerJob), everyMs);
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
      if (emitted + ahead - next >= Math.min(count * MOST_SENT, ahead / 2))
        for (const member of alive) feed(member); // before all that is ahead is used up
      yield outcome;
    }
  } finally {
    options.signal?.removeEventListener("abort", onAbort);
    clearInterval(timer);
    const members = [...alive];
    alive.clear();
    const withinMs = options.nativeCode === true ? NATIVE_LEAVES_WITHIN_MS : LEAVE_WITHIN_MS;
    await Promise.all(members.map(({ worker }) => askToLeave(worker, withinMs)));
  }
}

async function askToLeave(worker: Worker, withinMs: number): Promise<void> {
  const late = new AbortController();
  const exit = once(worker, "exit").catch(() => {}); // it may also crash
  worker.postMessage(LEAVE);
  await Promise.race([exit, delay(withinMs, undefined, late).catch(() => {})]);
  late.abort();
  await worker.terminate();
}
