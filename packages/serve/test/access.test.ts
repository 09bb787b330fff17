import { describe, expect, test } from "vitest";
import { namesIn } from "../../../test/command.ts";
import { httpError } from "../src/httpErrors.ts";
import type { Answer, Job } from "../src/protocol.ts";
import { ANSWER, PICTURE, play } from "./play.ts";

/* Who may ask, and what is told of faults and to the log; the predictor is played. */

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

  test("is not needed for the page, /health and the description of the API", async () => {
    const { app } = await play({ token });
    for (const url of ["/", "/health", "/openapi.json", "/docs/", "/docs/json"])
      expect((await app.inject(url)).statusCode).toBe(200);
  });
});

describe("who may ask", () => {
  test.each([
    ["localhost:5002", 200],
    ["127.0.0.1", 200],
    ["127.0.0.2:5002", 200],
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

test("a path that cannot be read is told as every error is", async () => {
  const { app } = await play();
  for (const url of ["/%zz", `/jobs/${"a".repeat(200)}`]) {
    const { body } = await app.inject(url);
    expect(JSON.parse(body)).toEqual({
      error: expect.objectContaining({ code: expect.any(String), message: expect.any(String) }),
      request_id: expect.any(String),
    });
  }
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
      id: "mine-1",
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
