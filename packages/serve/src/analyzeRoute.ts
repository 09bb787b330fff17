import type { FastifyInstance } from "fastify";
import { causeOf } from "@emotion-service/core/errors";
import { httpError } from "./httpErrors.ts";
import { untilLeft } from "./predictRoute.ts";
import { ANALYZE_SCHEMA, bodyOf, errorsOf } from "./schemas.ts";
import { type Service, predictOn, takeIn } from "./service.ts";
import type { Received } from "./uploads.ts";

/** The fields of the Python service's form, and their other names. */
const FIELDS = {
  meeting_id: ["meeting_id", "meeting_code", "meeting"],
  participant_id: ["participant_id", "participant", "speaker_id"],
} as const;
const FILES = ["file", "audio_files"];
const TYPES = ["audio", "video"] as const;

const text = { type: "string" };
const fields = Object.fromEntries([
  ...Object.values(FIELDS)
    .flat()
    .map((name) => [name, text]),
  ["type", { enum: TYPES }],
]);

/**
 * `POST /analyze`, as the Python service had it: who spoke in which meeting, and a file → what is told of it.
 * @param backend where the answers also go; undefined: nowhere
 */
export function analyzeRoute(
  app: FastifyInstance,
  service: Service,
  backend: URL | undefined,
): void {
  const schema = {
    summary: "The Python service's: emotion of what a participant of a meeting said",
    response: { 200: ANALYZE_SCHEMA, ...errorsOf([400, 401, 403, 408, 413, 415, 422, 500, 503]) },
  };
  const config = { requestBody: bodyOf(FILES, fields, false) };
  app.post("/analyze", { schema, config }, async (request, reply) => {
    const visit = await takeIn(service, service.lanes.now, request, FILES);
    try {
      const { ids, type, file } = formOf(visit.received);
      const result = await predictOn(
        service.lanes.now,
        { [type]: file },
        {},
        { signal: untilLeft(reply) },
      );
      const answer = { ...ids, result };
      if (backend === undefined) return answer;
      const forwarded = await forward(backend, answer);
      if (!forwarded.ok) request.log.warn({ cause: forwarded.error }, "not forwarded");
      return { ...answer, forwarded };
    } finally {
      await visit.leave();
    }
  });
}

/** @throws HttpError 400 with `missing` where fields lack */
function formOf({ files, fields: given }: Received) {
  const file = FILES.map((name) => files[name]).find((found) => found !== undefined);
  const find = (names: readonly string[]): string =>
    names.map((name) => given[name]?.trim()).find((value) => value !== undefined && value !== "") ??
    "";
  const ids = { meeting_id: find(FIELDS.meeting_id), participant_id: find(FIELDS.participant_id) };
  const missing: string[] = Object.entries(ids).flatMap(([name, value]) =>
    value === "" ? [name] : [],
  );
  if (file === undefined || missing.length > 0) {
    if (file === undefined) missing.push("file");
    throw Object.assign(httpError(400, "E_MISSING", `the form lacks ${missing.join(", ")}`), {
      missing,
    });
  }
  const type = TYPES.find((known) => known === (given["type"] ?? "audio"));
  if (type === undefined)
    throw httpError(400, "E_FIELD", "the field 'type': must be audio or video");
  return { ids, type, file };
}

const FORWARD_PATH = "transcripts/emotions";
const FORWARD_MS = 5000;

/** Posts an answer to the backend; that it fails is told, and is no failure of the answer. */
async function forward(backend: URL, answer: object): Promise<{ ok: boolean; error?: string }> {
  try {
    const { ok, status, body } = await fetch(new URL(FORWARD_PATH, backend), {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(answer),
      redirect: "error",
      signal: AbortSignal.timeout(FORWARD_MS),
    });
    await body?.cancel();
    return ok ? { ok } : { ok, error: `the backend answered ${status}` };
  } catch (error) {
    const isLate = error instanceof Error && error.name === "TimeoutError";
    return {
      ok: false,
      error: isLate
        ? `the backend did not answer in ${FORWARD_MS / 1000} s`
        : `the backend cannot be reached (${causeOf(error)})`,
    };
  }
}
