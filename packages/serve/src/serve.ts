import { existsSync, readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Writable } from "node:stream";
import { findFfmpeg, isFfmpegBounded } from "@emotion-service/core/audio/ffmpeg";
import { UserError, causeOf } from "@emotion-service/core/errors";
import { requireNamedFlags } from "@emotion-service/core/predict/encoderNames";
import { createApp } from "./app.ts";
import type { Limits } from "./limits.ts";
import { type PredictorProcess, createPredictor } from "./predictorProcess.ts";
import type { ModelChoice } from "./protocol.ts";
import { createQueue } from "./queue.ts";
import type { Lane, Service } from "./service.ts";
import { openTemporaryFolder } from "./temporaryFolder.ts";

export interface ServeOptions {
  readonly host: string;
  readonly port: number;
  readonly models: ModelChoice;
  readonly limits: Limits;
  /** For the processes that predict. */
  readonly env: Readonly<Record<string, string | undefined>>;
  readonly token: string | undefined;
  readonly corsOrigins: readonly string[];
  /** Where the answers of POST /analyze also go; undefined: nowhere. */
  readonly backendUrl: string | undefined;
  readonly log: Pick<Writable, "write"> | undefined;
  readonly onNotice: (line: string) => void;
  /** Ends the service. */
  readonly signal: AbortSignal | undefined;
}

/** What runs when the service is told to end has this long, milliseconds. */
const GRACE_MS = 20_000;

/**
 * Loads the models, listens, and returns when told to end, once what ran is finished.
 * @throws UserError E_ABORTED when Ctrl-C told it to, and where it cannot begin
 */
export async function serve(options: ServeOptions): Promise<void> {
  const { host, models, limits, token, onNotice, signal } = options;
  requireNamedFlags(models, models);
  requireToken(host, token);
  const backend = backendOf(options.backendUrl);
  noteWhatLacks(onNotice);
  const folder = openTemporaryFolder();
  const sweep = (): void => folder.remove();
  process.once("exit", sweep);
  // What they write for a moment lies in the folder too, and goes with it.
  const shared = { models, limits, env: { ...options.env, TMPDIR: folder.path } };
  // Nobody waits for an upload: it may take as long as it lasts.
  const timeoutSeconds = Math.max(limits.timeoutSeconds, limits.mediaSeconds);
  const now = createPredictor({ ...shared, onNotice });
  const later = createPredictor({
    ...shared,
    limits: { ...limits, timeoutSeconds },
    onNotice: () => {},
  });
  try {
    const about = await now.open();
    const lanes = { now: laneOf(now), later: laneOf(later) };
    const service = { about, limits, lanes, folder: folder.path, isDraining: false };
    if (signal?.aborted !== true) await listenUntilTold(service, options, backend);
  } finally {
    await Promise.all([now.close(), later.close()]);
    folder.remove();
    process.off("exit", sweep);
  }
  if (signal?.reason === "SIGINT") throw new UserError("E_ABORTED", "ended by Ctrl-C");
}

function laneOf(predictor: PredictorProcess): Lane {
  return { predictor, queue: createQueue(), visitors: 0 };
}

/** Answers requests until the signal comes, and those that came before it. @throws UserError where it cannot listen */
async function listenUntilTold(
  service: Service,
  options: ServeOptions,
  backend: URL | undefined,
): Promise<void> {
  const { host, port, onNotice, signal } = options;
  const app = await createApp({
    ...options,
    service,
    onlyLocalNames: isLoopback(host),
    backend,
    version: VERSION,
    pageFolder: PAGE_FOLDER,
  });
  try {
    const address = await app.listen({ host, port }).catch((error: unknown) => {
      throw cannotListen(error, host, port);
    });
    onNotice(
      `listening on ${address}${existsSync(PAGE_FOLDER) ? "" : " (API alone: the page is not built, see `pnpm build`)"}`,
    );
    await aborted(signal);
    service.isDraining = true;
    onNotice("ending: what runs is finished first");
  } finally {
    await within(GRACE_MS, app.close());
    app.server.closeAllConnections();
  }
}

const { version: VERSION } = JSON.parse(
  readFileSync(new URL("../package.json", import.meta.url), "utf8"),
) as { version: string };
const PAGE_FOLDER = fileURLToPath(new URL("../dist/page", import.meta.url));

function isLoopback(host: string): boolean {
  return host === "localhost" || host === "::1" || /^127(\.\d+){3}$/.test(host);
}

/** @throws UserError E_FLAG for a token that nobody could send, and where anybody of the network could ask */
function requireToken(host: string, token: string | undefined): void {
  if (token !== undefined && !/^[!-~]+$/.test(token))
    throw new UserError(
      "E_FLAG",
      "the token: must be of one or more printable ASCII characters without spaces",
      {
        hint: "correct --token or EMOTION_SERVICE_TOKEN; without both none is needed",
      },
    );
  if (isLoopback(host) || token !== undefined) return;
  throw new UserError(
    "E_FLAG",
    `--host ${host}: others could reach the service, and no token is set`,
    {
      hint: "set one with --token or EMOTION_SERVICE_TOKEN, or leave --host out and forward a port",
    },
  );
}

/** Says which programs are not there, and what does not work without them. */
function noteWhatLacks(onNotice: (line: string) => void): void {
  try {
    findFfmpeg();
  } catch (error) {
    onNotice(causeOf(error));
  }
  if (!isFfmpegBounded())
    onNotice("prlimit: not found, so that nothing bounds the memory of ffmpeg");
}

/** @throws UserError E_FLAG */
function backendOf(text: string | undefined): URL | undefined {
  if (text === undefined || text === "") return undefined;
  const folder = text.endsWith("/") ? text : `${text}/`;
  const url = URL.canParse(folder) ? new URL(folder) : undefined;
  if (url !== undefined && url.username + url.password !== "")
    throw new UserError("E_FLAG", "BACKEND_URL: must not have a user or a password in it");
  if (url?.protocol === "http:" || url?.protocol === "https:") return url;
  throw new UserError("E_FLAG", `BACKEND_URL ${text}: must be an http or https URL`);
}

function cannotListen(error: unknown, host: string, port: number): unknown {
  const { code } = error as NodeJS.ErrnoException;
  const reason = {
    EADDRINUSE: "something else listens there",
    EACCES: "this user may not listen there",
    EADDRNOTAVAIL: "this machine has no such address",
    ENOTFOUND: "there is no such host",
  }[code ?? ""];
  if (reason === undefined) return error;
  return new UserError("E_UNAVAILABLE", `${host}:${port}: ${reason}`, {
    hint: "name another --port or --host",
  });
}

async function aborted(signal: AbortSignal | undefined): Promise<void> {
  if (signal === undefined || signal.aborted) return;
  await new Promise<void>((settle) =>
    signal.addEventListener("abort", () => settle(), { once: true }),
  );
}

async function within(ms: number, work: PromiseLike<unknown>): Promise<void> {
  let timer: NodeJS.Timeout | undefined;
  await Promise.race([work, new Promise((settle) => (timer = setTimeout(settle, ms)))]);
  clearTimeout(timer);
}
