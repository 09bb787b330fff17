import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { FastifyInstance } from "fastify";
import { CARDS } from "./aboutModels.ts";
import { httpError } from "./httpErrors.ts";
import { HEALTH_SCHEMA, MODELS_SCHEMA, errorsOf, textOf } from "./schemas.ts";
import type { Service } from "./service.ts";

/** `GET /health`, `GET /models`, `GET /cards/:name`: what is here. */
export function modelsRoute(app: FastifyInstance, service: Service, version: string): void {
  const { classifier, detector } = service.about;
  const models = { classifier: classifier?.name ?? null, detector: detector?.name ?? null };
  const health = {
    summary: "Whether the service runs",
    response: { 200: HEALTH_SCHEMA, 503: HEALTH_SCHEMA },
  };
  app.get("/health", { schema: health, config: { isPublic: true } }, async (_request, reply) => {
    if (service.isDraining) void reply.code(503);
    return { status: service.isDraining ? "draining" : "ok", version, models };
  });
  const described = {
    summary: "The models, and what may be sent",
    response: { 200: MODELS_SCHEMA, ...errorsOf([401]) },
  };
  const { limits } = service;
  app.get("/models", { schema: described }, async () => ({
    ...service.about,
    limits: {
      body_bytes: limits.bodyBytes,
      media_seconds: limits.mediaSeconds,
      pixels: limits.pixels,
      queue: limits.queue,
      timeout_seconds: limits.timeoutSeconds,
    },
  }));
  const card = {
    summary: "The card of a model that comes along, Markdown",
    params: { type: "object", properties: { name: { type: "string" } } },
    response: { 200: textOf("text/markdown"), ...errorsOf([401, 404]) },
  };
  app.get<{ Params: { name: string } }>(
    "/cards/:name",
    { schema: card },
    async (request, reply) => {
      const known = Object.values(CARDS).find((name) => name === request.params.name);
      if (known === undefined)
        throw httpError(
          404,
          "E_NOT_FOUND",
          `the card: must be one of ${Object.values(CARDS).join(", ")}`,
        );
      void reply.type("text/markdown; charset=utf-8");
      return readFile(cardOf(known), "utf8");
    },
  );
}

function cardOf(name: string): string {
  return fileURLToPath(new URL(`../../core/models/${name}.md`, import.meta.url));
}
