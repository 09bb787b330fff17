import type { FastifyInstance, FastifyReply } from "fastify";
import { httpError } from "./httpErrors.ts";
import { type JobState, type Jobs, type UploadJob, isOver } from "./jobs.ts";
import { LOOK_SCHEMA } from "./lookSchema.ts";
import { INPUT_BODY, KINDS, wishesOf } from "./predictRoute.ts";
import { JOB_SCHEMA, UPLOAD_SCHEMA, errorsOf } from "./schemas.ts";
import { type Service, requireFitting, takeIn } from "./service.ts";

const ID = { type: "object", properties: { id: { type: "string" } } } as const;
interface ById {
  readonly Params: { readonly id: string };
}

/** For what takes longer than a client waits: `POST /upload`, then `GET` and `DELETE /jobs/:id`. */
export function jobsRoute(app: FastifyInstance, service: Service, jobs: Jobs): void {
  uploadRoute(app, service, jobs);
  const find = (id: string): UploadJob => {
    const job = jobs.find(id);
    if (job !== undefined) return job;
    throw httpError(
      404,
      "E_NOT_FOUND",
      "the job: there is none of this id, or it was finished too long ago",
    );
  };
  const get = {
    summary:
      "What has become of an upload; with Accept: text/event-stream as events: queued, progress, then result or error",
    params: ID,
    response: { 200: JOB_SCHEMA, ...errorsOf([401, 404, 429]) },
  };
  app.get<ById>("/jobs/:id", { schema: get }, async (request, reply) => {
    const job = find(request.params.id);
    void reply.header("cache-control", "no-store");
    if (request.headers.accept?.includes("text/event-stream") !== true) return job.state;
    if (job.listeners.size >= MOST_LISTENERS)
      throw httpError(429, "E_BUSY", `the job: at most ${MOST_LISTENERS} may listen to it`);
    sendEvents(reply, job);
    return reply;
  });
  const cancel = {
    summary: "Cancels an upload, or forgets a finished one",
    params: ID,
    response: { 200: JOB_SCHEMA, ...errorsOf([401, 403, 404]) },
  };
  app.delete<ById>("/jobs/:id", { schema: cancel }, async (request) => {
    const job = find(request.params.id);
    if (isOver(job.state)) jobs.forget(job.state.id);
    else job.cancel();
    return job.state;
  });
}

function uploadRoute(app: FastifyInstance, service: Service, jobs: Jobs): void {
  const schema = {
    summary: "The same as POST /predict, answered at once: GET the url for what becomes of it",
    querystring: LOOK_SCHEMA,
    response: { 202: UPLOAD_SCHEMA, ...errorsOf([400, 401, 403, 408, 413, 415, 503]) },
  };
  app.post("/upload", { schema, config: { requestBody: INPUT_BODY } }, async (request, reply) => {
    const visit = await takeIn(service, service.lanes.later, request, KINDS);
    try {
      const wishes = wishesOf(request, visit.received.fields);
      requireFitting(visit.received.files, wishes);
      const { id, status } = jobs.start(visit, wishes);
      void reply.code(202).header("location", `/jobs/${id}`);
      return { id, status, url: `/jobs/${id}` };
    } catch (error) {
      await visit.leave();
      throw error;
    }
  });
}

const MOST_LISTENERS = 8;
const HEARTBEAT_MS = 15_000;

/** Server-sent events: the state as it is, each change, and the end. */
function sendEvents(reply: FastifyReply, job: UploadJob): void {
  reply.hijack();
  const { raw } = reply;
  for (const [name, value] of Object.entries(reply.getHeaders()))
    if (value !== undefined) raw.setHeader(name, value);
  raw.writeHead(200, {
    "content-type": "text/event-stream; charset=utf-8",
    "x-accel-buffering": "no", // of a proxy
  });
  const heartbeat = setInterval(() => raw.write(": still here\n\n"), HEARTBEAT_MS);
  const listen = (state: JobState): void => {
    const [event, data] = eventOf(state);
    raw.write(`event: ${event}\ndata: ${JSON.stringify(data)}\n\n`);
    if (isOver(state)) raw.end();
  };
  raw.once("close", () => {
    clearInterval(heartbeat);
    job.listeners.delete(listen);
  });
  job.listeners.add(listen);
  listen(job.state);
}

function eventOf({ status, position, progress, result, error }: JobState): [string, unknown] {
  if (status === "queued") return ["queued", { position }];
  if (status === "running") return ["progress", progress];
  return status === "done" ? ["result", result] : ["error", error];
}
