import { createWriteStream } from "node:fs";
import { randomUUID } from "node:crypto";
import { basename, join } from "node:path";
import { Transform, type Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { causeOf } from "@emotion-service/core/errors";
import type { Multipart } from "@fastify/multipart";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { FORM_LIMITS } from "./limits.ts";
import { httpError } from "./httpErrors.ts";

/** A file that a client sent. */
export interface Upload {
  /** Where it lies, by a name of ours. */
  readonly path: string;
  /** What the client calls it. */
  readonly name: string;
}

/** What a request holds. */
export interface Received {
  /** By the names of their fields. */
  readonly files: Readonly<Record<string, Upload>>;
  readonly fields: Readonly<Record<string, string>>;
}

const RAW_KINDS = /^(image|audio|video)\//;

/** Bodies are forms, or come as streams: `receive` says which of them are files. */
export async function useUploads(app: FastifyInstance, bodyBytes: number): Promise<void> {
  const { default: multipart } = await import("@fastify/multipart");
  app.removeAllContentTypeParsers(); // those for JSON and text would hold all of a body in memory
  await app.register(multipart, { limits: { ...FORM_LIMITS, fileSize: bodyBytes } });
  app.addContentTypeParser("*", (_request, payload, done) => done(null, payload));
}

/**
 * Writes the files of a request to a folder, under names of ours, as they come.
 * @param names the fields that may hold files
 * @throws HttpError 400, 413, 415
 */
export async function receive(
  request: FastifyRequest,
  folder: string,
  { names, bodyBytes }: { readonly names: readonly string[]; readonly bodyBytes: number },
): Promise<Received> {
  const encoding = request.headers["content-encoding"] ?? "identity";
  if (encoding !== "identity")
    throw httpError(
      415,
      "E_ENCODING",
      `content-encoding ${printable(encoding)}: bodies must not be compressed`,
    );
  if (Number(request.headers["content-length"] ?? 0) > bodyBytes) throw tooLarge(bodyBytes);
  const broken = untilBroken(request);
  if (broken.aborted) throw endedEarly();
  if (request.isMultipart()) return receiveForm(request, folder, names, bodyBytes, broken);
  const [, kind] = RAW_KINDS.exec(request.headers["content-type"] ?? "") ?? [];
  if (kind === undefined || !names.includes(kind))
    throw httpError(
      415,
      "E_CONTENT_TYPE",
      "the body must be multipart/form-data, or a file of type image/*, audio/* or video/*",
    );
  const path = await store(request.body as Readable, folder, bodyBytes, broken);
  return { files: { [kind]: { path, name: kind } }, fields: {} };
}

async function receiveForm(
  request: FastifyRequest,
  folder: string,
  names: readonly string[],
  bodyBytes: number,
  broken: AbortSignal,
): Promise<Received> {
  const files: Record<string, Upload> = {};
  const fields: Record<string, string> = {};
  for await (const part of partsOf(request, broken)) {
    const { fieldname } = part;
    if (part.type === "file") {
      if (!names.includes(fieldname) || Object.hasOwn(files, fieldname)) {
        part.file.resume();
        throw httpError(
          400,
          "E_FIELD",
          `the file '${printable(fieldname)}': must be one of ${names.join(", ")}, each once`,
        );
      }
      const path = await store(part.file, folder, bodyBytes, broken);
      if (part.file.truncated) throw tooLarge(bodyBytes);
      files[fieldname] = { path, name: clientName(part.filename, fieldname) };
    } else {
      if (names.includes(fieldname))
        throw httpError(400, "E_FIELD", `the field '${fieldname}': must be a file, is text`, {
          hint: `with curl: -F ${fieldname}=@PATH`,
        });
      if (part.valueTruncated || part.fieldnameTruncated || typeof part.value !== "string")
        throw httpError(400, "E_FIELD", `the field '${printable(fieldname)}': is too long`);
      fields[fieldname] = part.value;
    }
  }
  return { files, fields };
}

/** The parts of a form. @throws HttpError 400 where it is none, or ends too early */
async function* partsOf(request: FastifyRequest, broken: AbortSignal): AsyncGenerator<Multipart> {
  const breaks = new Promise<never>((_settle, fail) =>
    broken.addEventListener("abort", () => fail(endedEarly())),
  );
  breaks.catch(() => {});
  const parts = request.parts();
  try {
    for (;;) {
      const part = await Promise.race([parts.next(), breaks]);
      if (part.done === true) return;
      yield part.value;
    }
  } catch (error) {
    if ((error as { statusCode?: number }).statusCode !== undefined) throw error;
    throw httpError(400, "E_FORM", `the form cannot be read (${printable(causeOf(error))})`);
  }
}

/**
 * Fires when a connection ends before all of a request has been read: the parser of forms waits for the rest then, for ever.
 */
function untilBroken({ raw }: FastifyRequest): AbortSignal {
  const controller = new AbortController();
  const look = (): void => {
    if (!raw.readableEnded) controller.abort();
  };
  if (raw.closed) look();
  else raw.once("close", look);
  return controller.signal;
}

function endedEarly(): Error {
  return httpError(400, "E_ENDED", "the connection ended before the whole body had come");
}

/** Writes a stream to a new file. */
async function store(
  stream: Readable,
  folder: string,
  bodyBytes: number,
  broken: AbortSignal,
): Promise<string> {
  const path = join(folder, randomUUID());
  let bytes = 0;
  const count = new Transform({
    transform: (chunk: Buffer, _encoding, done) => {
      bytes += chunk.length;
      if (bytes > bodyBytes) done(); // let in and dropped: a client that is cut off in the middle does not hear why
      else done(null, chunk);
    },
  });
  const file = createWriteStream(path, { flags: "wx", mode: 0o600 });
  await pipeline(stream, count, file, { signal: broken }).catch((error: unknown) => {
    // Where the disk fails, the rest of the body is not read, which looks like a connection that ended.
    const isOfDisk = ["open", "write"].includes((error as NodeJS.ErrnoException).syscall ?? "");
    throw isOfDisk ? error : endedEarly();
  });
  if (bytes > bodyBytes) throw tooLarge(bodyBytes);
  if (bytes === 0) throw httpError(400, "E_EMPTY", "the file is empty (0 bytes)");
  return path;
}

function tooLarge(bodyBytes: number): Error {
  return httpError(413, "E_TOO_LARGE", `the body must have at most ${bodyBytes} bytes`, {
    hint: "send a part of it, or have --max_body raised",
  });
}

/** The last part of what a client calls a file, for the answer alone: never a path of ours. */
function clientName(name: string | undefined, otherwise: string): string {
  return printable(basename((name ?? "").replaceAll("\\", "/"))) || otherwise;
}

const LONGEST_NAME = 200;

/** Without control characters, such as those that would colour a terminal. */
function printable(text = ""): string {
  return text.replace(/[\p{Cc}\p{Cf}]/gu, "").slice(0, LONGEST_NAME);
}
