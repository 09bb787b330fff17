import { connect } from "node:net";
import type { AddressInfo } from "node:net";
import { setTimeout as delay } from "node:timers/promises";
import fastify from "fastify";
import { describe, expect, test } from "vitest";
import { namesIn } from "../../../test/command.ts";
import { httpError } from "../src/httpErrors.ts";
import { createQueue } from "../src/queue.ts";
import type { Lane } from "../src/service.ts";
import { receive, useUploads } from "../src/uploads.ts";
import { PICTURE, createGate, play } from "./play.ts";

/* What becomes of requests that are many, large, slow, or cut off; the predictor is played. */

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

describe("bodies", () => {
  test("compressed ones are refused, not unpacked", async () => {
    const { app } = await play();
    for (const encoding of ["gzip", "br", "deflate", "gzip, identity"]) {
      const headers = { ...PICTURE.headers, "content-encoding": encoding };
      expect((await app.inject({ ...PICTURE, headers })).statusCode).toBe(415);
    }
  });

  test("of other kinds are refused unread: JSON of some megabytes would take gigabytes", async () => {
    const { app } = await play();
    for (const type of ["application/json", "text/plain", "application/x-www-form-urlencoded"]) {
      const headers = { "content-type": type };
      const sent = { ...PICTURE, headers, payload: "{ no JSON" };
      const { statusCode, body } = await app.inject(sent);
      expect([statusCode, body]).toEqual([415, expect.stringContaining("must be multipart")]);
      expect((await app.inject({ ...sent, url: "/nothing" })).statusCode).toBe(404);
    }
  });

  test("that the disk does not take are a fault of ours, not of the client", async () => {
    const app = fastify();
    await useUploads(app, 1 << 20);
    app.post("/", (request) =>
      receive(request, "/nowhere", { names: ["image"], bodyBytes: 1 << 20 }),
    );
    const { headers } = PICTURE;
    const response = await app.inject({
      method: "POST",
      url: "/",
      headers,
      payload: Buffer.alloc(1 << 19),
    });
    expect(response.json()).toMatchObject({ statusCode: 500, code: "ENOENT" });
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
    await expect.poll(() => service.lanes.now.visitors).toBe(0);
    await expect.poll(() => namesIn(folder)).toEqual([]);
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
    await expect.poll(() => service.lanes.now.visitors).toBe(0);
    await expect.poll(() => namesIn(folder)).toEqual([]);
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
    await expect.poll(() => service.lanes.now.visitors).toBe(0);
    await expect.poll(() => namesIn(folder)).toEqual([]);
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
