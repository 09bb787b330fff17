import { mkdtempSync, rmSync } from "node:fs";
import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, onTestFinished, test } from "vitest";
import { namesIn } from "../../../test/command.ts";
import { type AppOptions, createApp } from "../src/app.ts";
import { httpError } from "../src/httpErrors.ts";
import { DEFAULT_LIMITS, type Limits } from "../src/limits.ts";
import type { Answer, Job } from "../src/protocol.ts";
import { createQueue } from "../src/queue.ts";
import type { Lane, Service } from "../src/service.ts";

/* Who may ask, and what becomes of requests, with a predictor that is played. */

const ANSWER = {
  emotion: "happy",
  confidence: 1,
  emotion_probs: { happy: 1 },
  anomaly_score: null,
  anomaly_flag: null,
  engine: "played",
  modalities: { image: { present: true }, audio: { present: false, cause: "not given" } },
  notes: [],
} as const;

interface Played extends Partial<Omit<AppOptions, "service">> {
  readonly run?: Lane["predictor"]["run"];
  readonly limits?: Partial<Limits>;
}

async function play({
  run = async ({ input }) => ({ ...input, ...ANSWER }),
  limits,
  ...options
}: Played = {}) {
  const folder = mkdtempSync(join(tmpdir(), "emotion-service-app-"));
  const lane = (): Lane => ({
    predictor: { run, restarts: () => 0 },
    queue: createQueue(),
    visitors: 0,
  });
  const service: Service = {
    about: { classifier: null, detector: null, encoders: { image: null, audio: null } },
    limits: { ...DEFAULT_LIMITS, ...limits },
    lanes: { now: lane(), later: lane() },
    folder,
    isDraining: false,
  };
  const log: string[] = [];
  const app = await createApp({
    service,
    version: "0",
    backend: undefined,
    pageFolder: join(folder, "none"),
    token: undefined,
    corsOrigins: [],
    onlyLocalNames: true,
    log: { write: (line: string) => log.push(line) > 0 },
    ...options,
  });
  onTestFinished(async () => {
    await app.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return { app, service, log, folder };
}

const PICTURE = {
  method: "POST",
  url: "/predict",
  headers: { "content-type": "image/png" },
  payload: "picture",
} as const;

/** Answers when it is told to. */
function createGate() {
  let open = (): void => {};
  const opened = new Promise<void>((settle) => (open = settle));
  return {
    open: () => open(),
    run: async ({ input }: Job): Promise<Answer> => opened.then(() => ({ ...input, ...ANSWER })),
  };
}

describe("a token", () => {
  const token = "a secret";
  test.each([
    ["GET", "/models"],
    ["GET", "/cards/face_cnn"],
    ["POST", "/predict"],
    ["POST", "/upload"],
    ["POST", "/analyze"],
    ["GET", "/jobs/1"],
    ["DELETE", "/jobs/1"],
    ["GET", "/metrics"],
    ["GET", "/openapi.json"],
    ["GET", "/docs/"],
  ] as const)("is needed for %s %s", async (method, url) => {
    const { app, folder } = await play({ token });
    for (const authorization of [
      undefined,
      "Bearer wrong",
      "Bearer ",
      token,
      `Basic ${token}`,
      `Bearer ${token} `.repeat(2),
    ]) {
      const { statusCode, headers } = await app.inject({
        method,
        url,
        headers: { ...(authorization !== undefined && { authorization }) },
      });
      expect([authorization, statusCode]).toEqual([authorization, 401]);
      expect(headers["www-authenticate"]).toBe("Bearer");
    }
    const { statusCode } = await app.inject({
      method,
      url,
      headers: { authorization: `Bearer ${token}` },
    });
    expect(statusCode).not.toBe(401);
    expect(namesIn(folder)).toEqual([]);
  });

  test("is not needed for the page and for /health", async () => {
    const { app } = await play({ token });
    for (const url of ["/", "/health"]) expect((await app.inject(url)).statusCode).toBe(200);
  });
});

describe("who may ask", () => {
  test.each([
    ["localhost:5002", 200],
    ["127.0.0.1", 200],
    ["[::1]:80", 200],
    ["LOCALHOST", 200],
    ["evil.example", 403],
    ["localhost.evil.example", 403],
    ["127.0.0.1.nip.io:5002", 403],
  ])("by the host's name %j: %i", async (host, status) => {
    const { app } = await play();
    expect((await app.inject({ url: "/health", headers: { host } })).statusCode).toBe(status);
    const open = await play({ onlyLocalNames: false });
    expect((await open.app.inject({ url: "/health", headers: { host } })).statusCode).toBe(200);
  });

  test.each([
    ["http://localhost:5002", 200],
    ["https://known.example", 200],
    ["https://evil.example", 403],
    ["http://localhost:5003", 403],
    ["null", 403],
    ["", 403],
  ])("from a page of %j: %i", async (origin, status) => {
    const { app, folder } = await play({ corsOrigins: ["https://known.example"] });
    const headers = { ...PICTURE.headers, host: "localhost:5002", origin };
    expect((await app.inject({ ...PICTURE, headers })).statusCode).toBe(status);
    expect(namesIn(folder)).toEqual([]);
  });

  test("pages of known origins may read answers, others may not", async () => {
    const { app } = await play({ corsOrigins: ["https://known.example"] });
    const allowed = async (origin: string) => {
      const preflight = { origin, "access-control-request-method": "POST" };
      const { headers } = await app.inject({
        method: "OPTIONS",
        url: "/predict",
        headers: preflight,
      });
      return headers["access-control-allow-origin"];
    };
    expect(await allowed("https://known.example")).toBe("https://known.example");
    expect(await allowed("https://evil.example")).toBeUndefined();
    const none = await play();
    expect(
      (await none.app.inject({ url: "/health", headers: { origin: "https://known.example" } }))
        .headers,
    ).not.toHaveProperty("access-control-allow-origin");
  });
});

test("answers forbid a browser all but what the page needs", async () => {
  const { app } = await play();
  const { headers } = await app.inject("/");
  expect(headers["content-security-policy"]).toMatch(
    /^default-src 'none';script-src 'self';style-src 'self';img-src 'self' data: blob:;media-src 'self' blob:/,
  );
  expect(headers).toMatchObject({
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "permissions-policy": "camera=(self), microphone=(self), geolocation=()",
  });
});

describe("the queue", () => {
  test("is bounded: who finds no room gets 503 at once, unread", async () => {
    const gate = createGate();
    const { app, folder } = await play({ run: gate.run, limits: { queue: 1 } });
    const first = app.inject(PICTURE);
    const second = app.inject(PICTURE);
    await expect.poll(() => namesIn(folder).length).toBe(2);
    const third = await app.inject(PICTURE);
    expect(third.statusCode).toBe(503);
    expect(third.headers["retry-after"]).toBe("5");
    expect(third.json()).toMatchObject({ error: { code: "E_BUSY" } });
    expect(namesIn(folder)).toHaveLength(2);
    gate.open();
    expect([(await first).statusCode, (await second).statusCode]).toEqual([200, 200]);
    expect((await app.inject(PICTURE)).statusCode).toBe(200);
    expect(namesIn(folder)).toEqual([]);
  });

  test("works in the order of arrival, and lets those go who leave", async () => {
    const queue = createQueue();
    const gate = createGate();
    const order: string[] = [];
    const positions: number[] = [];
    const run = (name: string, options = {}) =>
      queue.run(async () => void order.push(name), options);
    const first = queue.run(() => gate.run({ input: {}, look: { fps: 1 }, view: false }));
    const controller = new AbortController();
    const leaver = run("leaver", { signal: controller.signal });
    const last = run("last", { onPosition: (position: number) => positions.push(position) });
    expect(queue.lengths()).toEqual({ waiting: 2, running: 1 });
    controller.abort();
    await expect(leaver).rejects.toMatchObject({ code: "E_CANCELLED" });
    gate.open();
    await Promise.all([first, last]);
    expect(order).toEqual(["last"]);
    expect(positions).toEqual([1, 0]);
    expect(queue.lengths()).toEqual({ waiting: 0, running: 0 });
  });
});

test("a service that ends takes nothing more in, and says so", async () => {
  const { app, service } = await play();
  service.isDraining = true;
  expect(await app.inject("/health")).toMatchObject({ statusCode: 503 });
  const { statusCode, headers } = await app.inject(PICTURE);
  expect([statusCode, headers["retry-after"]]).toEqual([503, "5"]);
});

describe("a fault of ours", () => {
  test("is told as one, without stack and path; the log has it", async () => {
    const run = async (): Promise<never> => {
      throw new Error("ENOENT: /srv/secret/model.json");
    };
    const { app, log, folder } = await play({ run });
    const { statusCode, body } = await app.inject(PICTURE);
    expect(statusCode).toBe(500);
    expect(body).not.toMatch(/secret|\.ts|\.js/);
    expect(log.join("")).toContain("/srv/secret/model.json");
    expect(namesIn(folder)).toEqual([]);
  });

  test("a file's own failure says what it is, by the client's name", async () => {
    const run = async ({ input }: Job): Promise<never> => {
      throw httpError(422, "E_INPUT_BROKEN", `${input.image}: is broken`);
    };
    const { app } = await play({ run });
    expect((await app.inject(PICTURE)).json()).toMatchObject({
      error: { message: "image: is broken" },
    });
  });
});

describe("the log", () => {
  test("is a JSON line a request, with its id, which the answer has too", async () => {
    const { app, log } = await play();
    const { headers } = await app.inject({
      ...PICTURE,
      headers: { ...PICTURE.headers, "x-request-id": "mine-1" },
    });
    expect(headers["x-request-id"]).toBe("mine-1");
    expect(JSON.parse(log.at(-1) ?? "")).toMatchObject({
      reqId: "mine-1",
      method: "POST",
      route: "/predict",
      status: 200,
    });
    const { headers: other } = await app.inject({
      url: "/health",
      headers: { "x-request-id": 'a"\u001b[31m' },
    });
    expect(other["x-request-id"]).toMatch(/^[0-9a-f-]{36}$/);
  });

  test("names of clients reach neither it nor a path; control characters are gone", async () => {
    const names: string[] = [];
    const run = async ({ input }: Job): Promise<Answer> => {
      names.push(input.image ?? "");
      return { ...input, ...ANSWER };
    };
    const { app, log, folder } = await play({ run });
    for (const name of [
      "../../etc/passwd",
      "..\\..\\boot.ini",
      "/etc/cron.d/x",
      "a\u001b[31mb",
      "C:\\x\\y.png",
      ".",
    ]) {
      const payload = `--b\r\ncontent-disposition: form-data; name="image"; filename="${name}"\r\n\r\nx\r\n--b--\r\n`;
      const headers = { "content-type": "multipart/form-data; boundary=b" };
      const { image } = (await app.inject({ ...PICTURE, headers, payload })).json<{
        image: string;
      }>();
      // oxlint-disable-next-line no-control-regex
      expect(image).not.toMatch(/[/\\\u0000-\u001f]/);
    }
    for (const path of names)
      expect(path.replace(`${folder}/`, "")).toMatch(/^r-\w{6}\/[0-9a-f-]{36}$/);
    expect(log.join("")).not.toMatch(/passwd|boot\.ini|cron/);
  });
});

describe("bodies", () => {
  test("compressed ones are refused, not unpacked", async () => {
    const { app } = await play();
    for (const encoding of ["gzip", "br", "deflate", "gzip, identity"]) {
      const headers = { ...PICTURE.headers, "content-encoding": encoding };
      expect((await app.inject({ ...PICTURE, headers })).statusCode).toBe(415);
    }
  });

  test("too large ones are refused, by their announced length and by what comes; the answer is heard", async () => {
    const { app, folder } = await play({ limits: { bodyBytes: 1 << 20 } });
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const bytes = Buffer.alloc(20 << 20);
    const form = new FormData();
    form.append("image", new Blob([bytes]), "x.png");
    const stream = () =>
      new ReadableStream({
        start: (controller) => {
          for (let at = 0; at < bytes.length; at += 1 << 16)
            controller.enqueue(bytes.subarray(at, at + (1 << 16)));
          controller.close();
        },
      });
    const sends: RequestInit[] = [
      { body: bytes, headers: { "content-type": "image/png" } },
      { body: form },
      { body: stream(), headers: { "content-type": "image/png" }, duplex: "half" },
    ];
    for (const send of sends) {
      const response = await fetch(`${url}/predict`, { method: "POST", ...send });
      expect(response.status).toBe(413);
      expect(await response.json()).toMatchObject({
        error: { code: expect.stringMatching(/TOO_LARGE/) },
      });
    }
    await expect.poll(() => namesIn(folder)).toEqual([]);
  });

  test("forms of too many parts, fields, and of too long ones are refused", async () => {
    const { app, folder } = await play();
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    const field = (name: string, value: string) =>
      `--b\r\ncontent-disposition: form-data; name="${name}"\r\n\r\n${value}\r\n`;
    for (const parts of [
      field("top", "1").repeat(100),
      field("top", "1".repeat(5000)),
      field("n".repeat(500), "1"),
      field("__proto__", "1"),
    ]) {
      const { statusCode } = await app.inject({
        ...PICTURE,
        headers,
        payload: `${parts}--b--\r\n`,
      });
      expect([400, 413]).toContain(statusCode);
    }
    expect(namesIn(folder)).toEqual([]);
  });
});

describe("slow clients", () => {
  /** Sends pieces with a pause between them until the connection ends; returns what came, and after how long. */
  async function dribble(port: number, head: string, piece: string) {
    const started = performance.now();
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
    let came = "";
    let isOpen = true;
    socket
      .on("data", (text: string) => (came += text))
      .on("error", () => {})
      .on("close", () => (isOpen = false));
    socket.write(head);
    while (isOpen) {
      socket.write(piece);
      await delay(100);
    }
    return { came, ms: performance.now() - started };
  }

  test("are let go: with the head of a request, and with its body", async () => {
    const { app, folder, service } = await play({ patience: { headMs: 600, requestMs: 1500 } });
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const [head, body, form] = await Promise.all([
      dribble(port, "POST /predict HTTP/1.1\r\nhost: localhost\r\n", "x-a: b\r\n"),
      dribble(
        port,
        "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\n",
        "x",
      ),
      dribble(
        port,
        'POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: 100000\r\n\r\n--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\n',
        "x",
      ),
    ]);
    expect(head.came).toMatch(/^HTTP\/1\.1 408/);
    expect(Math.max(head.ms, body.ms, form.ms)).toBeLessThan(6000);
    await expect.poll(() => namesIn(folder)).toEqual([]);
    expect(service.lanes.now.visitors).toBe(0);
  });

  test("that leave in the middle leave nothing", async () => {
    const { app, folder, service } = await play();
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const socket = connect(port, "127.0.0.1");
    socket.write(
      "POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: image/png\r\ncontent-length: 100000\r\n\r\nhalf",
    );
    await expect.poll(() => namesIn(folder).length).toBe(1);
    socket.destroy();
    await expect.poll(() => namesIn(folder)).toEqual([]);
    expect(service.lanes.now.visitors).toBe(0);
  });

  test("that send more than they announced are cut off, and leave nothing", async () => {
    const { app, folder, service } = await play();
    await app.listen({ port: 0, host: "127.0.0.1" });
    const { port } = app.server.address() as AddressInfo;
    const part = '--b\r\ncontent-disposition: form-data; name="image"; filename="x"\r\n\r\npicture';
    const head = `POST /predict HTTP/1.1\r\nhost: localhost\r\ncontent-type: multipart/form-data; boundary=b\r\ncontent-length: ${part.length}\r\n\r\n`;
    const socket = connect(port, "127.0.0.1").setEncoding("latin1");
    let came = "";
    socket.on("data", (text: string) => (came += text)).write(`${head}${part}and more\r\n\r\n`);
    await new Promise<void>((settle) => socket.once("close", () => settle()));
    expect(came).toMatch(/^HTTP\/1\.1 400 .*"code":"E_HTTP"/s);
    await expect.poll(() => namesIn(folder)).toEqual([]);
    expect(service.lanes.now.visitors).toBe(0);
  });

  test("that leave while they wait take their work with them", async () => {
    let aborted = 0;
    const run: Lane["predictor"]["run"] = (_job, { signal }) =>
      new Promise((_settle, fail) =>
        signal?.addEventListener("abort", () => {
          aborted += 1;
          fail(httpError(499, "E_CANCELLED", "left"));
        }),
      );
    const { app, folder } = await play({ run });
    const url = await app.listen({ port: 0, host: "127.0.0.1" });
    const controller = new AbortController();
    const asked = fetch(`${url}/predict`, {
      method: "POST",
      body: "x",
      headers: PICTURE.headers,
      signal: controller.signal,
    });
    await expect.poll(() => namesIn(folder).length).toBe(1);
    await delay(50);
    controller.abort();
    await expect(asked).rejects.toThrow(/abort/);
    await expect.poll(() => aborted).toBe(1);
    await expect.poll(() => namesIn(folder)).toEqual([]);
  });
});
