import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { UserError } from "@emotion-service/core/errors";
import { cancelled, errorOfFailure, httpError } from "./httpErrors.ts";
import type { Limits } from "./limits.ts";
import type { About, Answer, Failure, Job, ModelChoice, Order, Word } from "./protocol.ts";

export interface RunOptions {
  readonly signal?: AbortSignal;
  /** Seconds of video that were looked at, of all where known. */
  readonly onProgress?: ((done: number, total: number | null) => void) | undefined;
}

/** What predicts, in a process of its own. */
export interface PredictorProcess {
  /**
   * Starts the process, unless it runs.
   * @returns what its models are
   * @throws UserError when they cannot be loaded
   */
  open(): Promise<About>;
  /**
   * Predicts on one input, not while another one is predicted on; opens the process where it does not run.
   * @throws HttpError
   */
  run(job: Job, options: RunOptions): Promise<Answer>;
  /** How often the process had to be started anew. */
  restarts(): number;
  close(): Promise<void>;
}

interface PredictorProcessOptions {
  readonly models: ModelChoice;
  readonly limits: Limits;
  /** For the process, which is not told the token. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly onNotice: (line: string) => void;
}

/** A job that is told to end has this long for it, milliseconds; then its process is ended. */
const END_WITHIN_MS = 3000;

/**
 * A process that holds the models. It is alone in its process group with the programs that it starts, so that all of them end
 * together: when a job does not end in time, and when the process dies, which costs the job that ran and no more.
 */
export function createPredictor(options: PredictorProcessOptions): PredictorProcess {
  let child: Child | undefined;
  let starts = 0;
  let isClosed = false;
  const open = async (): Promise<Child> => {
    if (isClosed) throw httpError(503, "E_DRAINING", "the service is ending");
    if (child !== undefined && !child.isGone()) return child;
    starts += 1;
    child = await openChild(options);
    if (isClosed) await child.end();
    return child;
  };
  return {
    open: async () => (await open()).about,
    run: async (job, run) => runJob(await open(), job, run, options.limits.timeoutSeconds),
    restarts: () => Math.max(0, starts - 1),
    close: async () => {
      isClosed = true;
      await child?.end();
    },
  };
}

interface Child {
  readonly about: About;
  send(order: Order): void;
  /** The next word that is no notice; an error where the process ends before. */
  next(): Promise<Word>;
  isGone(): boolean;
  end(): Promise<void>;
}

async function openChild(options: PredictorProcessOptions): Promise<Child> {
  const { models, limits, onNotice } = options;
  const { EMOTION_SERVICE_TOKEN: _, ...env } = options.env;
  const script = new URL("predictorWorker.js", import.meta.url);
  const child = fork(script, [], { detached: true, env, execArgv: [] });
  const words: Word[] = [];
  let wake = (): void => {};
  let gone = false;
  child.on("message", (word: Word) => {
    if (word.kind === "notice") return onNotice(word.line);
    words.push(word);
    wake();
  });
  const leave = (): void => {
    gone = true;
    killGroup(child);
    wake();
  };
  child.on("exit", leave).on("error", leave);
  const next = async (): Promise<Word> => {
    while (words.length === 0 && !gone) await new Promise<void>((settle) => (wake = settle));
    return words.shift() ?? { kind: "error", failure: CRASHED };
  };
  const end = async (): Promise<void> => {
    if (gone) return;
    killGroup(child);
    await once(child, "exit");
  };
  const send = (order: Order): void => void (gone || child.send(order));
  send({ kind: "open", models, limits });
  const word = await next();
  if (word.kind === "ready") return { about: word.about, send, next, isGone: () => gone, end };
  await end();
  const { code, message, hint } = word.kind === "error" ? word.failure : CRASHED;
  throw new UserError(
    code === "E_CRASHED" || code === "E_INTERNAL" ? "E_UNAVAILABLE" : (code as UserError["code"]),
    message,
    hint === undefined ? {} : { hint },
  );
}

const CRASHED: Failure = {
  code: "E_CRASHED",
  message: "the process that predicts died of this input, or of another fault",
};
const TIMED_OUT: Failure = {
  code: "E_TIMEOUT",
  message: "the work on this input took too long",
  hint: "send a shorter one",
};

/** The child and the programs that it runs. */
function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return;
  try {
    process.kill(-pid, "SIGKILL");
  } catch {
    // nothing of it is left
  }
}

async function runJob(
  child: Child,
  job: Job,
  { signal, onProgress }: RunOptions,
  timeoutSeconds: number,
): Promise<Answer> {
  let timedOut = false;
  let killer: NodeJS.Timeout | undefined;
  const abort = (): void => {
    child.send({ kind: "abort" });
    killer ??= setTimeout(() => void child.end(), END_WITHIN_MS);
  };
  const timer = setTimeout(() => {
    timedOut = true;
    abort();
  }, timeoutSeconds * 1000);
  signal?.addEventListener("abort", abort);
  child.send({ kind: "predict", job });
  if (signal?.aborted === true) abort();
  try {
    for (;;) {
      const word = await child.next();
      if (word.kind === "answer") return word.answer;
      if (word.kind === "error" && signal?.aborted === true) throw cancelled();
      if (word.kind === "error") throw errorOfFailure(timedOut ? TIMED_OUT : word.failure);
      if (word.kind === "progress") onProgress?.(word.done, word.total);
    }
  } finally {
    clearTimeout(timer);
    clearTimeout(killer);
    signal?.removeEventListener("abort", abort);
  }
}
