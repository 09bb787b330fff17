import { readFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { Ajv2020 } from "ajv/dist/2020.js";
import { describe, expect, onTestFinished, test } from "vitest";
import { startServe } from "../../../scripts/benchmark/startServe.ts";
import { temporaryFolder } from "../../../test/command.ts";
import { hasFfmpeg } from "../../../test/video.ts";
import {
  facePng,
  filesLeft,
  formOf,
  greyPng,
  makeFaceVideo,
  silenceWav,
  speechWav,
  useService,
} from "./service.ts";

/* What every endpoint answers, held to the API's own description of it. */

const service = useService();

interface Described {
  readonly paths: Readonly<
    Record<
      string,
      Record<
        string,
        { responses: Record<string, { content?: Record<string, { schema: object }> }> }
      >
    >
  >;
}

/** Asks, and sees that the answer is what /openapi.json says. */
async function ask(
  method: string,
  path: string,
  init: RequestInit = {},
  route = path.split("?", 1)[0]!,
) {
  const { url } = service();
  const response = await fetch(`${url}${path}`, { method, ...init });
  const text = await response.text();
  const { paths } = (await (await fetch(`${url}/openapi.json`)).json()) as Described;
  const described = paths[route]?.[method.toLowerCase()]?.responses[response.status];
  expect([method, route, response.status, described !== undefined]).toEqual([
    method,
    route,
    response.status,
    true,
  ]);
  const [type = ""] = response.headers.get("content-type")?.split(";") ?? [];
  const schema = described?.content?.[type]?.schema;
  const isJson = type === "application/json";
  const body = isJson ? JSON.parse(text) : text;
  const validate = new Ajv2020({ allowUnionTypes: true, strict: false }).compile(schema ?? false);
  expect(validate(body) ? [] : validate.errors).toEqual([]);
  return { status: response.status, headers: response.headers, body };
}

const post = (path: string, body: FormData | Uint8Array, type?: string) =>
  ask("POST", path, {
    body: body as FormData,
    ...(type !== undefined && { headers: { "content-type": type } }),
  });

test("health and models say what is here, and no path", async () => {
  const health = await ask("GET", "/health");
  expect(health.body).toMatchObject({
    status: "ok",
    models: { classifier: "face_cnn + audio_cnn", detector: null },
  });
  const { body } = await ask("GET", "/models");
  expect(body.classifier).toMatchObject({
    comes_along: true,
    cards: [{ url: "/cards/face_cnn" }, { url: "/cards/audio_cnn" }],
  });
  expect(body.encoders.image.weights_sha256).toMatch(/^[0-9a-f]{64}$/);
  expect(JSON.stringify(body)).not.toMatch(/\/(tmp|root|home|packages)\//);
});

test("cards: those of the models, and nothing else", async () => {
  const card = await ask("GET", "/cards/audio_cnn", {}, "/cards/{name}");
  expect(card.body).toMatch(/^# Model card: audio_cnn/);
  expect(card.headers.get("content-type")).toContain("text/markdown");
  for (const name of [
    "..%2f..%2fREADME",
    "%2e%2e%2fREADME",
    "README",
    "face_cnn.md",
    "face_cnn%00",
    "constructor",
  ])
    expect((await ask("GET", `/cards/${name}`, {}, "/cards/{name}")).status).toBe(404);
});

describe("predict", () => {
  test("a picture as the command does, by form and raw", async () => {
    const face = await facePng();
    const { body } = await post("/predict?top=2", formOf({ image: [face, "me.png"] }));
    expect(body).toMatchObject({
      image: "me.png",
      modalities: { image: { present: true }, audio: { cause: "not given" } },
    });
    expect(body.top).toHaveLength(2);
    expect(body.top[0].emotion).toBe(body.emotion);
    const raw = await post("/predict", face, "image/png");
    expect(raw.body).toMatchObject({ image: "image", emotion_probs: body.emotion_probs });
  });

  test("a clip, a picture and a clip of one person, with what the models saw", async () => {
    const { body } = await post(
      "/predict",
      formOf(
        { image: [await facePng(), "a.png"], audio: [speechWav(), "b.wav"] },
        { view: "true", top: "1" },
      ),
    );
    expect(body).toMatchObject({ image: "a.png", audio: "b.wav" });
    const { face, waveform, spectrogram } = body.view;
    expect(
      Buffer.from(face.png.replace("data:image/png;base64,", ""), "base64").toString(
        "latin1",
        1,
        4,
      ),
    ).toBe("PNG");
    expect(face).toMatchObject({ image_width: 96, box: { x: 0, y: 0, width: 96, height: 96 } });
    expect(waveform.seconds).toBeCloseTo(body.modalities.audio.duration_seconds, 6);
    expect(waveform.peaks.length).toBeLessThanOrEqual(1200);
    const cells = Buffer.from(spectrogram.values, "base64");
    expect(cells).toHaveLength(spectrogram.frames * spectrogram.mels);
    expect(Math.max(...cells)).toBe(255); // the loudest cell is 0 dB
  });

  test("the view shows what is in the file: the peaks are the clip's", async () => {
    const { body } = await post("/predict?view=true", speechWav(), "audio/wav");
    const wav = speechWav();
    const samples = new Int16Array(
      wav.buffer.slice(wav.byteOffset + 44, wav.byteOffset + wav.length),
    );
    const { peaks } = body.view.waveform as { peaks: number[] };
    expect(Math.max(...peaks)).toBeCloseTo(Math.max(...samples) / 32768, 4);
    expect(Math.min(...peaks)).toBeCloseTo(Math.min(...samples) / 32768, 4);
  });

  test("no face and no voice are answers", async () => {
    const { status, body } = await post(
      "/predict",
      formOf({ image: [await greyPng(400, 300), "wall.png"], audio: [silenceWav(1), "hush.wav"] }),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({ emotion: null, emotion_probs: null, confidence: null });
    expect(body.modalities).toMatchObject({
      image: { present: false, cause: "no face found" },
      audio: { present: false, cause: expect.stringContaining("silent") },
    });
  });

  test("a file that cannot be read is 422; beside one that can it is a cause, by the client's name", async () => {
    const broken = (await facePng()).subarray(0, 60);
    const alone = await post("/predict", formOf({ image: [broken, "x.png"] }));
    expect(alone).toMatchObject({ status: 422, body: { error: { code: "E_INPUT_BROKEN" } } });
    expect(alone.body.error.message).toMatch(/^x\.png: .*cannot be decoded/);
    const both = await post(
      "/predict",
      formOf({ image: [broken, "x.png"], audio: [speechWav(), "b.wav"] }),
    );
    expect(both.status).toBe(200);
    expect(both.body.modalities.image.cause).toMatch(/^x\.png: cannot be decoded/);
    expect(JSON.stringify(both.body)).not.toContain(service().temporary);
  });

  test.runIf(hasFfmpeg())("a video, with its windows and its first face", async () => {
    const folder = temporaryFolder();
    await makeFaceVideo(folder, "v.mp4");
    const video = readFileSync(join(folder, "v.mp4"));
    const { body } = await post(
      "/predict?window=1&view=true&fps=2",
      formOf({ video: [video, "v.mp4"] }),
    );
    expect(body).toMatchObject({
      video: "v.mp4",
      modalities: { image: { present: true, frames: 5 } },
    });
    expect(body.timeline).toHaveLength(3);
    expect(body.view.face).toMatchObject({ seconds: 0, image_width: 640, image_height: 480 });
    const { box } = body.view.face;
    expect(Math.abs(box.x + box.width / 2 - 260)).toBeLessThan(60); // the face stands at 160 to 360
    expect(body.view.waveform.seconds).toBeCloseTo(2, 0);
  });

  test.each([
    ["no file", {}, {}, /a file is needed/],
    ["an unknown field", { image: 1 }, { colour: "red" }, /'colour': there is no such option/],
    ["an unknown file", { picture: 1 }, {}, /picture.*must be one of image, audio, video/],
    ["a picture beside a video", { image: 1, video: 1 }, {}, /video: brings its own/],
    ["top of 9", { image: 1 }, { top: "9" }, /top.*<= 8/],
    ["a step without a window", { audio: 1 }, { step: "1" }, /step: .*window/],
    [
      "a step beyond the window",
      { audio: 1 },
      { step: "2", window: "1" },
      /step 2: must be at most window, 1/,
    ],
    ["a window of a picture", { image: 1 }, { window: "1" }, /a picture has no time/],
    ["no number", { image: 1 }, { min_confidence: "much" }, /min_confidence.*number/],
    ["a path in place of a file", {}, { image: "face.jpg" }, /'image': must be a file, is text/],
  ])("%s is 400", async (_name, files, fields, message) => {
    const face = await facePng();
    const form = formOf(
      Object.fromEntries(Object.keys(files).map((name) => [name, [face, "f.png"]])),
      fields,
    );
    const { status, body } = await post("/predict", form);
    expect(status).toBe(400);
    expect(body.error.message).toMatch(message);
  });

  test.each([
    ["top=9", "query field 'top': must be <= 8"],
    ["colour=red", "query field 'colour': there is no such option"],
  ])("the query %s is 400, and says of which field", async (query, message) => {
    const { status, body } = await post(`/predict?${query}`, await facePng(), "image/png");
    expect([status, body.error]).toEqual([400, { code: "E_FIELD", message }]);
  });

  test.each([
    ["application/json", 415],
    ["text/plain", 415],
    ["application/x-www-form-urlencoded", 415],
    ["multipart/form-data", 406],
    ["multipart/form-data; boundary=x", 400],
  ])("a body of type %s is refused", async (type, status) => {
    const { url } = service();
    const response = await fetch(`${url}/predict`, {
      method: "POST",
      body: "{}",
      headers: { "content-type": type },
    });
    expect([status, 400, 415]).toContain(response.status);
    expect(await response.json()).toMatchObject({
      error: { code: expect.any(String) },
      request_id: expect.any(String),
    });
  });
});

describe("upload", () => {
  interface Event {
    readonly event: string;
    readonly data: any;
  }
  const eventsOf = async (path: string): Promise<Event[]> => {
    const response = await fetch(`${service().url}${path}`, {
      headers: { accept: "text/event-stream" },
    });
    expect(response.headers.get("content-type")).toContain("text/event-stream");
    const blocks = (await response.text())
      .split("\n\n")
      .filter((block) => block.startsWith("event: "));
    return blocks.map((block) => {
      const [, event = "", data = ""] = /^event: (\w+)\ndata: (.*)$/.exec(block) ?? [];
      return { event, data: JSON.parse(data) };
    });
  };

  test("is answered at once; its events end with the result, again for who comes late", async () => {
    const { status, body } = await post("/upload?top=1", formOf({ audio: [speechWav(), "b.wav"] }));
    expect(status).toBe(202);
    expect(body.url).toBe(`/jobs/${body.id}`);
    const events = await eventsOf(body.url);
    expect(["queued", "progress"]).toContain(events[0]?.event);
    expect(events.at(-1)).toMatchObject({ event: "result", data: { audio: "b.wav", top: [{}] } });
    expect(await eventsOf(body.url)).toEqual([events.at(-1)]);
    const job = await ask("GET", body.url, {}, "/jobs/{id}");
    expect(job.body).toMatchObject({ status: "done", result: events.at(-1)?.data });
    expect((await ask("DELETE", body.url, {}, "/jobs/{id}")).status).toBe(200); // forgotten
    expect((await ask("GET", body.url, {}, "/jobs/{id}")).status).toBe(404);
  });

  test("of a broken file ends with its error", async () => {
    const { body } = await post("/upload", formOf({ audio: [Buffer.from("no sound"), "b.wav"] }));
    expect((await eventsOf(body.url)).at(-1)).toMatchObject({
      event: "error",
      data: { code: "E_INPUT_BROKEN" },
    });
  });

  test.runIf(hasFfmpeg())("can be cancelled; a video tells how far it is", async () => {
    const folder = temporaryFolder();
    await makeFaceVideo(folder, "v.mp4");
    const video = readFileSync(join(folder, "v.mp4"));
    const first = await post("/upload?fps=10", formOf({ video: [video, "v.mp4"] }));
    const second = await post("/upload", formOf({ video: [video, "w.mp4"] }));
    await ask("DELETE", second.body.url, {}, "/jobs/{id}");
    expect((await eventsOf(second.body.url)).at(-1)).toMatchObject({
      event: "error",
      data: { code: "E_CANCELLED" },
    });
    const told = await eventsOf(first.body.url);
    const progress = told.filter(({ event }) => event === "progress").map(({ data }) => data);
    const { done, total, unit } = progress.at(-1);
    expect(unit).toBe("seconds");
    expect(total).toBeGreaterThanOrEqual(2); // its sound is a little longer
    expect(done).toBeCloseTo(total, 0);
  });

  test("an id that nobody has is 404", async () => {
    expect((await ask("GET", "/jobs/1", {}, "/jobs/{id}")).status).toBe(404);
    expect((await ask("DELETE", "/jobs/1", {}, "/jobs/{id}")).status).toBe(404);
  });
});

describe("analyze", () => {
  test.each([
    [{ meeting_id: "m", participant_id: "p" }, "file"],
    [{ meeting_code: "m", participant: "p", type: "audio" }, "audio_files"],
    [{ meeting: "m", speaker_id: "p" }, "file"],
  ])("knows the names %j, and the file as %s", async (fields, file) => {
    const { status, body } = await post(
      "/analyze",
      formOf({ [file]: [speechWav(), "b.wav"] }, fields),
    );
    expect(status).toBe(200);
    expect(body).toMatchObject({
      meeting_id: "m",
      participant_id: "p",
      result: { audio: "b.wav" },
    });
    expect(body).not.toHaveProperty("forwarded");
  });

  test("says what lacks", async () => {
    const { status, body } = await post("/analyze", formOf({}, { meeting: "m" }));
    expect(status).toBe(400);
    expect(body.missing).toEqual(["participant_id", "file"]);
  });

  test("forwards its answer, and says where that failed", async () => {
    const got: string[] = [];
    let answers = 201;
    const backend = createServer((request, response) => {
      let text = "";
      request.on("data", (chunk: Buffer) => (text += chunk.toString()));
      request.on("end", () => {
        got.push(`${request.method} ${request.url} ${text}`);
        response.writeHead(answers).end();
      });
    });
    await new Promise<void>((settle) => backend.listen(0, "127.0.0.1", settle));
    onTestFinished(() => void backend.close());
    const { port } = backend.address() as AddressInfo;
    const other = await startServe(["--quiet"], { BACKEND_URL: `http://127.0.0.1:${port}/api` });
    onTestFinished(() => void other.stop());
    const send = async () =>
      (await (
        await fetch(`${other.url}/analyze`, {
          method: "POST",
          body: formOf({ file: [speechWav(), "b.wav"] }, { meeting: "m", speaker_id: "p" }),
        })
      ).json()) as any;
    const { forwarded, ...answer } = await send();
    expect(forwarded).toEqual({ ok: true });
    expect(got[0]).toBe(`POST /api/transcripts/emotions ${JSON.stringify(answer)}`);
    answers = 500;
    expect(await send()).toMatchObject({
      result: { audio: "b.wav" },
      forwarded: { ok: false, error: "the backend answered 500" },
    });
  });
});

test("metrics are Prometheus' text, and count by route", async () => {
  const { body } = await ask("GET", "/metrics");
  expect(body).toMatch(
    /http_requests_total\{method="GET",route="\/cards\/:name",status="404"\} \d+/,
  );
  expect(body).toContain('http_request_duration_seconds_bucket{le="0.06",route="/predict"}');
});

test("docs and page come from this host alone", async () => {
  const { url } = service();
  for (const path of ["/docs/", "/docs/static/index.css", "/"]) {
    const response = await fetch(`${url}${path}`);
    expect(response.status).toBe(200);
    expect(response.headers.get("content-security-policy")).toMatch(/default-src 'none'/);
    expect(response.headers.get("content-security-policy")).not.toMatch(
      /https:|swagger\.io|unsafe-eval/,
    );
  }
});

test("what clients sent is gone", () => {
  expect(filesLeft(service())).toEqual([]);
});
