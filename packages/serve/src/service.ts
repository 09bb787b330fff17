import type { FastifyRequest } from "fastify";
import { DEFAULT_FPS } from "@emotion-service/core/video/frames";
import { httpError } from "./httpErrors.ts";
import type { Limits } from "./limits.ts";
import type { PredictorProcess, RunOptions } from "./predictorProcess.ts";
import type { About, Answer, Look } from "./protocol.ts";
import type { Queue, TurnOptions } from "./queue.ts";
import { requestFolder } from "./temporaryFolder.ts";
import { type Received, type Upload, receive } from "./uploads.ts";

/** What the routes share. */
export interface Service {
  readonly about: About;
  readonly limits: Limits;
  /** For clients that wait, and for uploads: a long video must not keep a picture waiting. */
  readonly lanes: Readonly<Record<"now" | "later", Lane>>;
  /** A private folder for what clients send. */
  readonly folder: string;
  isDraining: boolean;
}

/** A predictor, and what waits for it. */
export interface Lane {
  readonly predictor: Pick<PredictorProcess, "run" | "restarts">;
  readonly queue: Queue;
  /** Requests that are on their way to it, waiting, or worked on. */
  visitors: number;
}

/** What a client sent, until it is no longer needed. */
export interface Visit {
  readonly received: Received;
  /** Removes the files and makes room for another; once is enough. */
  leave(): Promise<void>;
}

/** Takes in what a client sent, where there is room for it: what has no room is not even read. @throws HttpError */
export async function takeIn(
  service: Service,
  lane: Lane,
  request: FastifyRequest,
  names: readonly string[],
): Promise<Visit> {
  const { limits } = service;
  if (service.isDraining) throw httpError(503, "E_DRAINING", "the service is ending");
  if (lane.visitors > limits.queue)
    throw httpError(503, "E_BUSY", `the queue is full: ${limits.queue} requests wait`, {
      hint: "come again later",
    });
  lane.visitors += 1;
  const folder = await requestFolder(service.folder);
  let hasLeft = false;
  const leave = async (): Promise<void> => {
    if (hasLeft) return;
    hasLeft = true;
    lane.visitors -= 1;
    await folder.remove();
  };
  try {
    return {
      received: await receive(request, folder.path, { names, bodyBytes: limits.bodyBytes }),
      leave,
    };
  } catch (error) {
    await leave();
    throw error;
  }
}

/** How a client wants an input to be looked at. */
export type Wishes = Partial<Look> & { readonly view?: boolean };

/** @throws HttpError where the wishes do not fit together, or the files are no input */
export function requireFitting(files: Received["files"], { window, step }: Wishes): void {
  const { image, audio, video } = files;
  const refuse = (message: string): never => {
    throw httpError(400, "E_FIELD", message);
  };
  if ((image ?? audio ?? video) === undefined)
    refuse("a file is needed: image, audio, both of one person, or video");
  if (video !== undefined && (image ?? audio) !== undefined)
    refuse("video: brings its own faces and sound, no image or audio goes with it");
  if (step !== undefined && window === undefined)
    refuse("step: is the distance of the windows of 'window', which is not given");
  if (step !== undefined && window !== undefined && step > window)
    refuse(`step ${step}: must be at most window, ${window}`);
  if (window !== undefined && image !== undefined)
    refuse("window: is for videos and sound, a picture has no time");
}

/** Predicts on what a client sent, when its turn has come; files are called as the client calls them. @throws HttpError */
export async function predictOn(
  { predictor, queue }: Lane,
  files: Received["files"],
  { view = false, fps = DEFAULT_FPS, ...look }: Wishes,
  options: TurnOptions & RunOptions & { readonly onStart?: () => void } = {},
): Promise<Answer> {
  const input = Object.fromEntries(Object.entries(files).map(([kind, { path }]) => [kind, path]));
  const job = { input, look: { ...look, fps }, view };
  try {
    const { view: seen, ...told } = await queue.run(() => {
      options.onStart?.();
      return predictor.run(job, options);
    }, options);
    return { ...inClientsWords(told, files), ...(seen && { view: seen }) };
  } catch (error) {
    if (error instanceof Error) error.message = inClientsWords(error.message, files);
    throw error;
  }
}

/** Paths of ours replaced by the names that the client knows. */
function inClientsWords<T>(value: T, files: Readonly<Record<string, Upload>>): T {
  let text = JSON.stringify(value);
  for (const { path, name } of Object.values(files))
    text = text.replaceAll(JSON.stringify(path).slice(1, -1), () =>
      JSON.stringify(name).slice(1, -1),
    );
  return JSON.parse(text) as T;
}
