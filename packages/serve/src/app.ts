import { randomUUID } from "node:crypto";
import { existsSync } from "node:fs";
import type { Writable } from "node:stream";
import fastify, { type FastifyInstance, LogController } from "fastify";
import { analyzeRoute } from "./analyzeRoute.ts";
import { answerBroken, answerError, fieldError, useErrors } from "./httpErrors.ts";
import { MOST_CONNECTIONS, PATIENCE, type Patience } from "./limits.ts";
import { createJobs } from "./jobs.ts";
import { jobsRoute } from "./jobsRoute.ts";
import { useMetrics } from "./metrics.ts";
import { modelsRoute } from "./modelsRoute.ts";
import { useOpenApi } from "./openApi.ts";
import { predictRoute } from "./predictRoute.ts";
import { type SecurityOptions, useSecurity } from "./security.ts";
import type { Service } from "./service.ts";
import { useUploads } from "./uploads.ts";

declare module "fastify" {
  interface FastifyContextConfig {
    /** Needs no token. */
    isPublic?: boolean;
    /** For the description of the API. */
    requestBody?: object;
  }
}

export interface AppOptions extends SecurityOptions {
  readonly service: Service;
  readonly version: string;
  /** Where the answers of POST /analyze also go; undefined: nowhere. */
  readonly backend: URL | undefined;
  /** The built page; where it is not there, the service says how it is built. */
  readonly pageFolder: string;
  /** For a test. */
  readonly patience?: Patience;
  /** Takes the log, a JSON line each; undefined for none. */
  readonly log: Pick<Writable, "write"> | undefined;
}

/** The service as a value: it listens to no port, and tests inject requests. */
export async function createApp(options: AppOptions): Promise<FastifyInstance> {
  const { service, log, patience = PATIENCE } = options;
  const app = fastify({
    logger: log === undefined ? false : { level: "info", stream: log },
    logController: new LogController({ disableRequestLogging: true, requestIdLogLabel: "id" }),
    genReqId: ({ headers }) => requestId(headers["x-request-id"]),
    bodyLimit: service.limits.bodyBytes,
    requestTimeout: patience.requestMs,
    http: { headersTimeout: patience.headMs, connectionsCheckingInterval: patience.headMs / 3 },
    forceCloseConnections: "idle",
    clientErrorHandler: answerBroken,
    schemaErrorFormatter: fieldError,
    frameworkErrors: answerError,
    // What is not in a schema is refused, not dropped.
    ajv: { customOptions: { removeAdditional: false, coerceTypes: true, allowUnionTypes: true } },
  });
  app.server.maxConnections = MOST_CONNECTIONS;
  // The schemas of answers describe them; tests hold the answers to them.
  app.setSerializerCompiler(() => (data) => JSON.stringify(data));
  app.addHook("onRequest", async (request, reply) => {
    void reply.header("x-request-id", request.id);
  });
  app.addHook("onSend", async (_request, reply) => {
    if (service.isDraining) void reply.header("connection", "close"); // a kept one would hold up the end
  });
  useErrors(app);
  useLog(app);
  await useSecurity(app, options);
  await useUploads(app, service.limits.bodyBytes);
  await useOpenApi(app, options.version);
  await useMetrics(app, service);
  await app.register(async (scope) => {
    modelsRoute(scope, service, options.version);
    predictRoute(scope, service);
    jobsRoute(scope, service, createJobs(service));
    analyzeRoute(scope, service, options.backend);
  });
  await servePage(app, options.pageFolder);
  return app;
}

/** The client's, where it is one that may stand in a log. */
function requestId(given: string | string[] | undefined): string {
  return typeof given === "string" && /^[\w.-]{1,64}$/.test(given) ? given : randomUUID();
}

/** A line a request, when it is answered. */
function useLog(app: FastifyInstance): void {
  app.addHook("onResponse", async (request, reply) => {
    const { method, routeOptions } = request;
    const { statusCode, elapsedTime } = reply;
    const ms = Math.round(elapsedTime * 10) / 10;
    request.log.info(
      { method, route: routeOptions.url ?? null, status: statusCode, ms },
      "answered",
    );
  });
}

async function servePage(app: FastifyInstance, root: string): Promise<void> {
  const { default: files } = await import("@fastify/static");
  await app.register(async (scope) => {
    scope.addHook("onRoute", (route) => {
      route.config = { ...route.config, isPublic: true };
      route.schema = { ...route.schema, hide: true };
    });
    if (existsSync(root)) await scope.register(files, { root });
    else
      scope.get("/", async (_request, reply) =>
        reply
          .type("text/plain; charset=utf-8")
          .send(
            "The page is not built: run `pnpm build`. The API is here: GET /models, POST /predict, GET /docs.\n",
          ),
      );
  });
}
