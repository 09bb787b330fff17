import { createEventReader } from "./serverEvents.ts";

const TOKEN_KEY = "emotion-service-token";

/** What the server, or the way to it, refused. */
export interface Problem {
  /** 0: no answer came */
  readonly status: number;
  readonly code: string;
  readonly message: string;
  readonly hint?: string | undefined;
  /** After which it may be tried again. */
  readonly retrySeconds?: number;
}

export class RequestFailed extends Error {
  readonly problem: Problem;
  constructor(problem: Problem) {
    super(problem.message);
    this.problem = problem;
  }
}

/** Kept until the tab is closed. */
export function keepToken(token: string): void {
  sessionStorage.setItem(TOKEN_KEY, token);
}

/** @throws RequestFailed unless the status is 2xx */
export async function request(url: string, options: RequestInit = {}): Promise<Response> {
  const headers = new Headers(options.headers);
  const token = sessionStorage.getItem(TOKEN_KEY);
  if (token !== null) headers.set("authorization", `Bearer ${token}`);
  const response = await reach(url, { ...options, headers });
  if (!response.ok) throw new RequestFailed(await problemOf(response));
  return response;
}

async function reach(url: string, options: RequestInit): Promise<Response> {
  try {
    return await fetch(url, options);
  } catch (error) {
    if (options.signal?.aborted === true) throw error;
    const message = "the server does not answer, or ended the connection";
    const hint = "see whether it still runs; a file that is too large can end the connection too";
    throw new RequestFailed({ status: 0, code: "E_UNREACHABLE", message, hint });
  }
}

interface ErrorBody {
  readonly error?: { readonly code?: string; readonly message?: string; readonly hint?: string };
}

async function problemOf(response: Response): Promise<Problem> {
  const { error = {} } = await jsonOf<ErrorBody>(response);
  const retry = Number(response.headers.get("retry-after") ?? "");
  return {
    status: response.status,
    code: error.code ?? `HTTP_${response.status}`,
    message: error.message ?? response.statusText,
    hint: error.hint,
    retrySeconds: Math.min(60, Math.max(1, retry || 1)),
  };
}

/** What stands between, such as a proxy, may answer in HTML. */
async function jsonOf<T extends object>(response: Response): Promise<Partial<T>> {
  try {
    return (await response.json()) as T;
  } catch {
    return {};
  }
}

/** How far a job is. */
export interface JobProgress {
  readonly done?: number;
  readonly total?: number;
  readonly unit?: string;
  /** How many are before it, while it waits. */
  readonly position?: number;
}

/** Connections that end too soon are made again so often. */
const CONNECTIONS = 5;

/**
 * Follows a job until it ends.
 * @returns its result
 * @throws RequestFailed with what the job failed of
 */
export async function followJob<T>(
  url: string,
  onProgress: (progress: JobProgress) => void,
  signal: AbortSignal,
): Promise<T> {
  for (let connection = 0; connection < CONNECTIONS; connection += 1) {
    const response = await request(url, { headers: { accept: "text/event-stream" }, signal });
    for await (const { name, data } of eventsOf(response)) {
      const value: unknown = JSON.parse(data);
      if (name === "queued" || name === "progress") onProgress(value as JobProgress);
      if (name === "result") return value as T;
      if (name === "error")
        throw new RequestFailed({ ...(value as Omit<Problem, "status">), status: 422 });
    }
    signal.throwIfAborted();
  }
  const message = "the connection ended before the result came";
  throw new RequestFailed({ status: 0, code: "E_UNREACHABLE", message });
}

async function* eventsOf(response: Response) {
  const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
  const readEvents = createEventReader();
  while (reader !== undefined) {
    const piece = await reader.read().catch(() => BROKEN);
    if (piece.done) return;
    yield* readEvents(piece.value);
  }
}

/** A connection that breaks ends the events as one that is closed does: the job goes on. */
const BROKEN = { done: true } as const;
