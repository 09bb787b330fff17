import { randomUUID } from "node:crypto";
import { failureOfError } from "./httpErrors.ts";
import type { Answer, Failure } from "./protocol.ts";
import { type Service, type Visit, type Wishes, predictOn } from "./service.ts";

/** What a client is told of a job. */
export interface JobState {
  readonly id: string;
  readonly status: "queued" | "running" | "done" | "failed" | "cancelled";
  /** Of a queued one: how many are before it. */
  readonly position?: number;
  /** Of a running one: seconds of video that were looked at, of all where the file says how many. */
  readonly progress?: {
    readonly done: number;
    readonly total: number | null;
    readonly unit: "seconds";
  };
  readonly result?: Answer;
  readonly error?: Failure;
}

export interface UploadJob {
  state: JobState;
  readonly listeners: Set<(state: JobState) => void>;
  cancel(): void;
}

/** Finished jobs that are kept, and for how long, milliseconds. */
const MOST_KEPT = 100;
const KEEP_MS = 10 * 60 * 1000;

/** Work that goes on without its client, who asks for it by an id that nobody can guess. */
export type Jobs = ReturnType<typeof createJobs>;

export function createJobs(service: Service) {
  const jobs = new Map<string, UploadJob>();
  const forgetOldest = (): void => {
    const finished = [...jobs.values()].filter(({ state }) => isOver(state));
    for (const { state } of finished.slice(0, -MOST_KEPT)) jobs.delete(state.id);
  };
  return {
    start: (visit: Visit, wishes: Wishes): JobState => {
      const id = randomUUID();
      const controller = new AbortController();
      const listeners: UploadJob["listeners"] = new Set();
      const cancel = (): void => controller.abort();
      const job: UploadJob = { state: { id, status: "queued", position: 0 }, listeners, cancel };
      const { state } = job;
      jobs.set(id, job);
      void work(service, job, visit, wishes, controller.signal).then(() => {
        forgetOldest();
        setTimeout(() => jobs.delete(id), KEEP_MS).unref();
      });
      return state;
    },
    find: (id: string): UploadJob | undefined => jobs.get(id),
    forget: (id: string): boolean => jobs.delete(id),
  };
}

export function isOver({ status }: JobState): boolean {
  return status !== "queued" && status !== "running";
}

/** Works on a job to its end, whatever that is, and tells its listeners. */
async function work(
  service: Service,
  job: UploadJob,
  visit: Visit,
  wishes: Wishes,
  signal: AbortSignal,
): Promise<void> {
  const { id } = job.state;
  const tell = (state: Omit<JobState, "id">): void => {
    job.state = { id, ...state };
    for (const listener of job.listeners) listener(job.state);
  };
  const onProgress = (done: number, total: number | null): void =>
    tell({ status: "running", progress: { done, total, unit: "seconds" } });
  try {
    const result = await predictOn(service.lanes.later, visit.received.files, wishes, {
      signal,
      onPosition: (position) => tell({ status: "queued", position }),
      onStart: () => onProgress(0, null),
      onProgress,
    });
    tell({ status: "done", result });
  } catch (error) {
    const { failure } = failureOfError(error);
    tell({ status: signal.aborted ? "cancelled" : "failed", error: failure });
  } finally {
    await visit.leave();
  }
}
