import { randomUUID } from "node:crypto";
import type { Socket } from "node:net";
import type {
  FastifyError,
  FastifyInstance,
  FastifyReply,
  FastifyRequest,
  FastifySchemaValidationError,
} from "fastify";
import type { Failure } from "./protocol.ts";

/** A failure that a client is told of. */
export interface HttpError extends Error, Omit<Failure, "message"> {
  readonly statusCode: number;
  /** The fields that lack. */
  readonly missing?: readonly string[];
}

export function httpError(
  statusCode: number,
  code: string,
  message: string,
  more: Pick<HttpError, "hint"> = {},
): HttpError {
  return Object.assign(new Error(message), { statusCode, code, ...more });
}

/** What is wrong with a request that a schema does not let pass. */
export function fieldError(
  errors: readonly FastifySchemaValidationError[],
  place: string,
): HttpError {
  const { instancePath = "", message = "is wrong", params } = errors[0] ?? {};
  const unknown = params?.["additionalProperty"];
  const name = typeof unknown === "string" ? unknown : instancePath.slice(1);
  return httpError(
    400,
    "E_FIELD",
    `${place === "querystring" ? "query" : place} field '${name}': ${unknown === undefined ? message : "there is no such option"}`,
  );
}

/** Nobody is there to hear it but a job's listeners. */
export function cancelled(): HttpError {
  return httpError(499, "E_CANCELLED", "the client has left, or cancelled");
}

/** The statuses of what predicting may fail with; the rest are faults of the service. */
const STATUSES: Readonly<Record<string, number>> = {
  E_INPUT_BROKEN: 422,
  E_INPUT_EMPTY: 422,
  E_LIMIT: 413,
  E_TIMEOUT: 503,
  E_UNAVAILABLE: 503,
  E_CRASHED: 500,
};
/** When to come again after a 503, seconds. */
const RETRY_AFTER = 5;

export function errorOfFailure({ code, message, hint }: Failure): HttpError {
  return httpError(STATUSES[code] ?? 500, code, message, { hint });
}

/** What a client is told of any error: of a fault of ours that it is one, and no more. */
export function failureOfError(error: unknown): {
  readonly statusCode: number;
  readonly failure: Failure;
} {
  const {
    statusCode = 500,
    code = "E_INTERNAL",
    message = "",
    hint,
  } = error as Partial<HttpError & FastifyError>;
  if (statusCode === 500 && code !== "E_CRASHED")
    return {
      statusCode,
      failure: { code: "E_INTERNAL", message: "the service failed; its log says why" },
    };
  return { statusCode, failure: { code, message, ...(hint !== undefined && { hint }) } };
}

/** Errors as `{ error: { code, message, hint? }, request_id }`, without stacks and paths. */
export function useErrors(app: FastifyInstance): void {
  app.setErrorHandler((error, request, reply) => answerError(error, request, reply));
  app.setNotFoundHandler((request, reply) =>
    answerError(
      httpError(
        404,
        "E_NOT_FOUND",
        `${request.method} ${pathOf(request.url)}: there is no such thing`,
        {
          hint: "GET /openapi.json lists what there is",
        },
      ),
      request,
      reply,
    ),
  );
}

export function answerError(
  error: unknown,
  request: FastifyRequest,
  reply: FastifyReply,
): FastifyReply {
  const { statusCode, failure } = failureOfError(error);
  if (statusCode >= 500 && statusCode !== 503) request.log.error({ err: error }, "failed");
  if (statusCode === 503) void reply.header("retry-after", RETRY_AFTER);
  const { missing } = error as HttpError;
  return reply
    .code(statusCode)
    .send({ error: failure, ...(missing && { missing }), request_id: request.id });
}

const BROKEN: Readonly<Record<string, readonly [status: string, code: string]>> = {
  ERR_HTTP_REQUEST_TIMEOUT: ["408 Request Timeout", "E_SLOW"],
  HPE_HEADER_OVERFLOW: ["431 Request Header Fields Too Large", "E_HEAD"],
};

/** Answers what is no HTTP, or comes too slowly: no request is there yet. */
export function answerBroken({ code = "" }: NodeJS.ErrnoException, socket: Socket): void {
  const [status, ours] = BROKEN[code] ?? ["400 Bad Request", "E_HTTP"];
  const error = { code: ours, message: status.slice(4) };
  const body = JSON.stringify({ error, request_id: randomUUID() });
  const head = `HTTP/1.1 ${status}\r\ncontent-type: application/json\r\ncontent-length: ${body.length}\r\nconnection: close\r\n\r\n`;
  if (socket.writable && code !== "ECONNRESET") socket.write(head + body);
  socket.destroy();
}

/** A URL without its query, for a message. */
function pathOf(url: string): string {
  return (url.split("?", 1)[0] ?? "").slice(0, 100);
}
