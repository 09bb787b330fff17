import { createHash, timingSafeEqual } from "node:crypto";
import type { FastifyInstance, FastifyRequest } from "fastify";
import { httpError } from "./httpErrors.ts";

export interface SecurityOptions {
  /** Needed for all but what is public; undefined: nothing is needed. */
  readonly token: string | undefined;
  /** Origins whose pages may ask, such as "https://example.org". */
  readonly corsOrigins: readonly string[];
  /** Whether only names of this machine may be asked for: a page of another host could else have its name lead here (DNS rebinding). */
  readonly onlyLocalNames: boolean;
}

const LOCAL_NAMES = /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i;

/** Sees to who may ask for what, and to what a browser may do with the answers. */
export async function useSecurity(app: FastifyInstance, options: SecurityOptions): Promise<void> {
  const { token, corsOrigins, onlyLocalNames } = options;
  app.addHook("onRequest", async (request) => {
    if (onlyLocalNames && !LOCAL_NAMES.test(request.headers.host ?? ""))
      throw httpError(403, "E_HOST", "the host: must be a name of this machine, such as localhost");
    refuseForeignPages(request, corsOrigins);
  });
  const [{ default: helmet }, { default: cors }] = await Promise.all([
    import("@fastify/helmet"),
    import("@fastify/cors"),
  ]);
  await app.register(helmet, HEADERS);
  // Features are not among helmet's headers.
  app.addHook("onRequest", async (_request, reply) => {
    void reply.header("permissions-policy", "camera=(self), microphone=(self), geolocation=()");
  });
  if (corsOrigins.length > 0)
    await app.register(cors, {
      origin: [...corsOrigins],
      methods: ["GET", "HEAD", "POST", "DELETE"],
      allowedHeaders: ["authorization", "content-type", "x-request-id"],
      exposedHeaders: ["x-request-id", "retry-after"],
      maxAge: 600,
    });
  app.addHook("onRequest", async (request, reply) => {
    if (token === undefined || request.routeOptions.config.isPublic === true) return;
    if (isToken(request.headers.authorization, token)) return;
    void reply.header("www-authenticate", "Bearer");
    throw httpError(401, "E_TOKEN", "a token is needed: Authorization: Bearer …");
  });
}

const SELF = "'self'";
const HEADERS = {
  contentSecurityPolicy: {
    useDefaults: false,
    directives: {
      defaultSrc: ["'none'"],
      scriptSrc: [SELF],
      styleSrc: [SELF],
      imgSrc: [SELF, "data:", "blob:"],
      mediaSrc: [SELF, "blob:"],
      fontSrc: [SELF],
      connectSrc: [SELF],
      workerSrc: [SELF],
      manifestSrc: [SELF],
      baseUri: ["'none'"],
      formAction: ["'none'"],
      frameAncestors: ["'none'"],
    },
  },
  referrerPolicy: { policy: "no-referrer" },
  frameguard: { action: "deny" },
  // The service speaks HTTP; whoever puts TLS before it says this there.
  strictTransportSecurity: false,
} as const;

const READS = ["GET", "HEAD", "OPTIONS"];

/** A page of another origin may make a browser send forms to a local service, whatever becomes of the answer. */
function refuseForeignPages(
  { method, headers }: FastifyRequest,
  corsOrigins: readonly string[],
): void {
  const { origin, host } = headers;
  if (READS.includes(method) || origin === undefined || corsOrigins.includes(origin)) return;
  if (origin === `http://${host}` || origin === `https://${host}`) return;
  throw httpError(403, "E_ORIGIN", "pages of this origin may not ask", {
    hint: "name the origin in CORS_ORIGINS",
  });
}

/** Compared in the same time whatever is given. */
function isToken(authorization: string | undefined, token: string): boolean {
  const hash = (text: string): Buffer => createHash("sha256").update(text).digest();
  const [, given] = /^Bearer +(.+)$/i.exec(authorization ?? "") ?? [];
  return timingSafeEqual(hash(given ?? ""), hash(token)) && given !== undefined;
}
