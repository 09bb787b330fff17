import { parentPort, workerData } from "node:worker_threads";
import { causeOf } from "../errors.ts";
import {
  type JobsMessage,
  LEAVE,
  type Outcome,
  type OutcomesMessage,
  type WorkerStart,
} from "./pool.ts";

/** Outcomes go out together: so many, or those of so many milliseconds. */
const MOST_HELD = 8;
const HELD_MS = 20;

/**
 * The worker's side of `mapInWorkers`: makes a function from the settings, then runs each job through it, one after another.
 * Buffers that `transfer` names move to the main thread without a copy.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what crosses between the threads
export function serveJobs<Settings, Job, Result>(
  create: (settings: Settings) => (job: Job) => Promise<Result>,
  transfer: (result: Result) => ArrayBuffer[],
): void {
  const { settings, current } = workerData as WorkerStart<Settings>;
  const run = create(settings);
  let held: OutcomesMessage<Result>["outcomes"][number][] = [];
  let waiting = 0; // jobs
  let last: Promise<void> = Promise.resolve();

  const outcomeOf = async (job: Job): Promise<Outcome<Result>> => {
    try {
      return { ok: true, value: await run(job) };
    } catch (error) {
      return { ok: false, cause: causeOf(error) };
    }
  };
  const send = (): void => {
    if (held.length === 0) return;
    const buffers = held.flatMap(({ outcome }) => (outcome.ok ? transfer(outcome.value) : []));
    parentPort?.postMessage({ outcomes: held } satisfies OutcomesMessage<Result>, buffers);
    held = [];
  };
  const work = async (index: number, job: Job): Promise<void> => {
    Atomics.store(current, 0, index);
    const outcome = await outcomeOf(job);
    held.push({ index, outcome });
    waiting -= 1;
    if (waiting === 0 || held.length >= MOST_HELD) send();
    else if (held.length === 1) setTimeout(send, HELD_MS); // the next job may be long
  };
  parentPort?.on("message", (message: JobsMessage<Job> | typeof LEAVE) => {
    if (message === LEAVE) process.exit(); // of this thread alone
    const { jobs } = message;
    waiting += jobs.length;
    for (const { index, job } of jobs) last = last.then(() => work(index, job));
  });
}
