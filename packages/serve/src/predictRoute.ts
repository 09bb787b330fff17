import type { FastifyInstance, FastifyReply, FastifyRequest } from "fastify";
import { fieldError } from "./httpErrors.ts";
import { LOOK_SCHEMA } from "./lookSchema.ts";
import { ANSWER_SCHEMA, bodyOf, errorsOf } from "./schemas.ts";
import { type Service, type Wishes, predictOn, requireFitting, takeIn } from "./service.ts";

export const KINDS = ["image", "audio", "video"] as const;
export const INPUT_BODY = bodyOf(KINDS, LOOK_SCHEMA.properties, true);

/** `POST /predict`: files → predict's JSON. */
export function predictRoute(app: FastifyInstance, service: Service): void {
  const schema = {
    summary: "Emotion and anomaly of a picture, a clip, both of one person, or a video",
    querystring: LOOK_SCHEMA,
    response: { 200: ANSWER_SCHEMA, ...errorsOf([400, 401, 403, 408, 413, 415, 422, 500, 503]) },
  };
  app.post("/predict", { schema, config: { requestBody: INPUT_BODY } }, async (request, reply) => {
    const visit = await takeIn(service, service.lanes.now, request, KINDS);
    try {
      const { files, fields } = visit.received;
      const wishes = wishesOf(request, fields);
      requireFitting(files, wishes);
      return await predictOn(service.lanes.now, files, wishes, { signal: untilLeft(reply) });
    } finally {
      await visit.leave();
    }
  });
}

/** What the query and the form's fields ask for; fields are held to the same schema as the query. @throws HttpError */
export function wishesOf(
  request: FastifyRequest,
  fields: Readonly<Record<string, string>>,
): Wishes {
  const values: Wishes & Record<string, unknown> = { ...fields };
  const validate =
    request.getValidationFunction(LOOK_SCHEMA) ?? request.compileValidationSchema(LOOK_SCHEMA);
  if (validate(values)) return { ...(request.query as Wishes), ...values };
  throw fieldError(validate.errors ?? [], "form");
}

/** Fires when the client goes before it has its answer. */
export function untilLeft(reply: FastifyReply): AbortSignal {
  const controller = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableEnded) controller.abort();
  });
  if (reply.raw.destroyed) controller.abort();
  return controller.signal;
}
