import { parentPort, workerData } from "node:worker_threads";
import { causeOf } from "../errors.ts";

/**
 * The worker's side of `mapInWorkers`: makes a function from the settings, then runs each job through it.
 * Buffers that `transfer` names move to the main thread without a copy.
 */
// oxlint-disable-next-line typescript/no-unnecessary-type-parameters -- the caller names what crosses between the threads
export function serveJobs<Settings, Job, Result>(
  create: (settings: Settings) => (job: Job) => Promise<Result>,
  transfer: (result: Result) => ArrayBuffer[],
): void {
  const run = create(workerData as Settings);
  let last: Promise<void> = Promise.resolve();
  parentPort?.on("message", ({ index, job }: { index: number; job: Job }) => {
    last = last.then(async () => {
      try {
        const value = await run(job);
        parentPort?.postMessage({ index, outcome: { ok: true, value } }, transfer(value));
      } catch (error) {
        parentPort?.postMessage({ index, outcome: { ok: false, cause: causeOf(error) } });
      }
    });
  });
}
