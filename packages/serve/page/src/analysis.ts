import type { Answer } from "./answer.ts";
import { type JobProgress, RequestFailed, followJob, request } from "./api.ts";
import { KINDS, type Selection } from "./selection.ts";
import { fileSize } from "./words.ts";

/** What lasts longer, seconds, or has more bytes while its length is not known, goes as a job whose progress can be seen. */
const SHORT_SECONDS = 10;
const SHORT_BYTES = 3e6;
/** A file whose length a browser has not told by then is one that it cannot read. */
const PROBE_MS = 2000;
/** A busy server is asked so often. */
const ATTEMPTS = 6;
/** Windows of a timeline beyond which its steps grow. */
const MOST_WINDOWS = 600;

/** How far an analysis is. */
export type Progress =
  | { readonly phase: "sending" }
  | { readonly phase: "busy"; readonly seconds: number; readonly why: string }
  | ({ readonly phase: "job" } & JobProgress);

/**
 * Has the server look at files: short ones at once, others as a job.
 * @throws RequestFailed; the signal's reason
 */
export async function analyse(
  selection: Selection,
  options: Readonly<Record<string, string>>,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Answer> {
  const lasting = selection.video ?? selection.audio;
  const hasTimeline = lasting !== undefined && selection.image === undefined;
  const seconds = lasting && (await secondsOf(lasting));
  const query = new URLSearchParams({ ...forLength(options, hasTimeline, seconds), view: "true" });
  const isLong =
    lasting !== undefined &&
    (seconds === undefined ? lasting.size > SHORT_BYTES : seconds > SHORT_SECONDS);
  const body = formOf(selection);
  const send = (path: string): Promise<Response> => {
    onProgress({ phase: "sending" });
    return request(`${path}?${query.toString()}`, { method: "POST", body, signal });
  };
  if (!isLong)
    return (await (await unlessBusy(() => send("/predict"), onProgress, signal)).json()) as Answer;
  const answer = await unlessBusy(() => send("/upload"), onProgress, signal);
  const { url } = (await answer.json()) as { readonly url: string };
  return runJob(url, onProgress, signal);
}

/** @throws RequestFailed, as the server would say it: a connection that it ends half-way tells a page nothing */
export function requireSize(selection: Selection, mostBytes: number): void {
  const bytes = KINDS.reduce((sum, kind) => sum + (selection[kind]?.size ?? 0), 0);
  if (bytes <= mostBytes) return;
  const message = `the input: must have at most ${fileSize(mostBytes)}, has ${fileSize(bytes)}`;
  throw new RequestFailed({ status: 413, code: "E_LIMIT", message });
}

async function runJob(
  url: string,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Answer> {
  try {
    return await followJob<Answer>(
      url,
      (progress) => onProgress({ phase: "job", ...progress }),
      signal,
    );
  } catch (error) {
    // A page that is gone may leave it running: finished jobs go by themselves.
    if (signal.aborted) void request(url, { method: "DELETE" }).catch(() => undefined);
    throw error;
  }
}

/** A picture has no timeline; a very long film has longer steps. */
function forLength(
  options: Readonly<Record<string, string>>,
  hasTimeline: boolean,
  seconds: number | undefined,
): Readonly<Record<string, string>> {
  const { window, step, ...others } = options;
  if (window === undefined || !hasTimeline) return others;
  const least = (seconds ?? 0) / MOST_WINDOWS;
  const fitting = Math.max(Number(step ?? window), least);
  return { ...others, window: String(Math.max(Number(window), fitting)), step: String(fitting) };
}

function formOf(selection: Selection): FormData {
  const form = new FormData();
  for (const kind of KINDS) {
    const file = selection[kind];
    if (file !== undefined) form.append(kind, file, file.name);
  }
  return form;
}

/** Waits and asks again while the server says that it has too much to do. */
async function unlessBusy(
  send: () => Promise<Response>,
  onProgress: (progress: Progress) => void,
  signal: AbortSignal,
): Promise<Response> {
  for (let attempt = 1; ; attempt += 1)
    try {
      return await send();
    } catch (error) {
      const problem = error instanceof RequestFailed ? error.problem : undefined;
      if (problem?.code !== "E_BUSY" || attempt === ATTEMPTS) throw error;
      const { retrySeconds: seconds = 1, message } = problem;
      onProgress({ phase: "busy", seconds, why: message });
      await pause(seconds, signal);
    }
}

function pause(seconds: number, signal: AbortSignal): Promise<void> {
  return new Promise((done, fail) => {
    const timer = setTimeout(done, seconds * 1000);
    signal.addEventListener("abort", () => {
      clearTimeout(timer);
      fail(signal.reason as Error);
    });
  });
}

/** Of a sound or a video; undefined where the browser cannot tell, as of its own recordings. */
function secondsOf(file: File): Promise<number | undefined> {
  const player = document.createElement("video");
  const url = URL.createObjectURL(file);
  return new Promise<number | undefined>((done) => {
    player.addEventListener("loadedmetadata", () =>
      done(Number.isFinite(player.duration) ? player.duration : undefined),
    );
    player.addEventListener("error", () => done(undefined));
    setTimeout(() => done(undefined), PROBE_MS);
    player.preload = "metadata";
    player.src = url;
  }).finally(() => {
    player.removeAttribute("src");
    player.load(); // ends its reading before the URL goes
    URL.revokeObjectURL(url);
  });
}
