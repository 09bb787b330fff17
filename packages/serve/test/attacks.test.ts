import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { crc32, deflateSync } from "node:zlib";
import { describe, expect, onTestFinished, test } from "vitest";
import { descendantsOf, memoryOf } from "../../../scripts/benchmark/startServe.ts";
import { temporaryFolder } from "../../../test/command.ts";
import { ffmpeg, hasFfmpeg } from "../../../test/video.ts";
import { filesLeft, formOf, greyPng, silenceWav, speechWav, useService } from "./service.ts";

/* Files that mean harm: each must be refused, in bounded time and memory, and nothing else be read for it. */

const service = useService(["--max_seconds", "20", "--max_pixels", "2000000"]);

async function predict(
  field: string,
  bytes: Uint8Array,
  name = "x",
): Promise<{ status: number; body: any }> {
  const response = await fetch(`${service().url}/predict`, {
    method: "POST",
    body: formOf({ [field]: [bytes, name] }),
  });
  const body = await response.json();
  if (filesLeft(service()).length > 0) throw new Error("files are left");
  return { status: response.status, body };
}

/** MiB of the processes of the service. */
const memory = (): number =>
  [service().pid, ...descendantsOf(service().pid)].reduce(
    (sum, pid) => sum + (memoryOf(pid) || 0),
    0,
  );

describe.runIf(hasFfmpeg())("lists of other files and hosts", () => {
  const hits: string[] = [];

  async function listen(): Promise<string> {
    const server = createServer((request, response) => {
      hits.push(request.url ?? "");
      response.end();
    });
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    onTestFinished(() => void server.close());
    return `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  }

  const playlists: readonly [kind: string, make: (host: string, secret: string) => string][] = [
    [
      "HLS of a host",
      (host) => `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\n${host}/a.ts\n#EXT-X-ENDLIST\n`,
    ],
    [
      "HLS of a file",
      (_host, secret) =>
        `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile://${secret}\n#EXT-X-ENDLIST\n`,
    ],
    [
      "HLS with a key of a host",
      (host, secret) =>
        `#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-KEY:METHOD=AES-128,URI="${host}/key"\n#EXTINF:1,\n${secret}\n#EXT-X-ENDLIST\n`,
    ],
    ["a concat script", (_host, secret) => `ffconcat version 1.0\nfile '${secret}'\n`],
    [
      "DASH",
      (host) =>
        `<?xml version="1.0"?><MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT1S"><Period><AdaptationSet mimeType="video/mp4"><Representation id="1" bandwidth="1"><BaseURL>${host}/a.mp4</BaseURL></Representation></AdaptationSet></Period></MPD>`,
    ],
    [
      "SDP",
      () =>
        "v=0\no=- 0 0 IN IP4 127.0.0.1\ns=x\nc=IN IP4 127.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n",
    ],
    ["a reference movie's text", (host) => `RTSPtext\n${host}/a.mov\n`],
    ["ASX", (host) => `<asx version="3.0"><entry><ref href="${host}/a"/></entry></asx>`],
  ];

  test.each(playlists)("%s is read by nobody", async (_kind, make) => {
    const folder = temporaryFolder();
    const secret = join(folder, "secret.wav");
    writeFileSync(secret, speechWav());
    const host = await listen();
    for (const field of ["video", "audio"])
      for (const name of ["x.mp4", "x.m3u8", "x.ffconcat"]) {
        const { status, body } = await predict(field, Buffer.from(make(host, secret)), name);
        expect(status).toBe(422);
        expect(JSON.stringify(body)).not.toContain("secret");
      }
    expect(hits).toEqual([]);
  });

  test("SVG is no picture here: it may name other files", async () => {
    const host = await listen();
    const svg = `<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" width="200" height="200"><image xlink:href="${host}/a.png" width="200" height="200"/><image href="/etc/hostname" width="9" height="9"/></svg>`;
    const behindComments = ["ftypavif", "ftypavis"].map((head) => `<!--${head}-->${svg}`);
    for (const text of [svg, `<?xml version="1.0"?>${svg}`, ...behindComments])
      expect(await predict("image", Buffer.from(text), "x.png")).toMatchObject({
        status: 422,
        body: { error: { message: expect.stringContaining("no picture that can be read") } },
      });
    expect(hits).toEqual([]);
  });
});

/** A picture of one grey that says it is so large; its pixels are there, too, well compressed. */
function pngBomb(side: number): Buffer {
  const chunk = (type: string, data: Buffer): Buffer => {
    const body = Buffer.concat([Buffer.from(type, "latin1"), data]);
    const whole = Buffer.alloc(body.length + 8);
    whole.writeUInt32BE(data.length, 0);
    body.copy(whole, 4);
    whole.writeUInt32BE(crc32(body), body.length + 4);
    return whole;
  };
  const head = Buffer.alloc(13);
  head.writeUInt32BE(side, 0);
  head.writeUInt32BE(side, 4);
  head[8] = 1; // bit a pixel, grey
  const rows = deflateSync(Buffer.alloc(side * (1 + Math.ceil(side / 8))));
  return Buffer.concat([
    Buffer.from("89504e470d0a1a0a", "hex"),
    chunk("IHDR", head),
    chunk("IDAT", rows),
    chunk("IEND", Buffer.alloc(0)),
  ]);
}

describe("bombs", () => {
  test("a picture of 30,000 × 30,000 is refused by its head", async () => {
    const bomb = pngBomb(30_000);
    expect(bomb.length).toBeLessThan(200_000);
    const before = memory();
    const { status, body } = await predict("image", bomb, "small.png");
    expect(status).toBe(413);
    expect(body.error.message).toBe(
      "small.png: must have at most 2000000 pixels, has 30000 × 30000",
    );
    expect(memory() - before).toBeLessThan(100);
  });

  test("a WAV that claims hours holds what it holds", async () => {
    const wav = speechWav();
    wav.writeUInt32LE(0xffffffff, 40); // bytes of its data
    wav.writeUInt32LE(0xffffffff, 4);
    const { status, body } = await predict("audio", wav);
    expect(status).toBe(200);
    expect(body.modalities.audio.duration_seconds).toBeLessThan(5);
  });

  test("a WAV that lasts too long is refused", async () => {
    expect(await predict("audio", silenceWav(19))).toMatchObject({ status: 200 });
    expect(await predict("audio", silenceWav(21), "long.wav")).toMatchObject({
      status: 413,
      body: {
        error: { code: "E_LIMIT", message: "long.wav: must last at most 20 s, lasts longer" },
      },
    });
  });

  test.runIf(hasFfmpeg()).each([
    [
      "hours of silence as FLAC",
      "audio",
      ["lavfi:anullsrc=r=16000:cl=mono", "-t", "7200", "-c:a", "flac", "-compression_level", "12"],
      "x.flac",
    ],
    [
      "hours of silence as Opus",
      "audio",
      [
        "lavfi:anullsrc=r=48000:cl=mono",
        "-t",
        "1200",
        "-c:a",
        "libopus",
        "-b:a",
        "6k",
        "-compression_level",
        "0",
      ],
      "x.ogg",
    ],
    [
      "minutes of one picture",
      "video",
      ["lavfi:color=s=64x64:r=1", "-t", "3600", "-c:v", "mpeg4"],
      "x.mp4",
    ],
    [
      "minutes of sound behind a short picture",
      "video",
      [
        "lavfi:color=s=64x64:r=1:d=1",
        "lavfi:anullsrc=r=16000:cl=mono",
        "-t",
        "600",
        "-c:v",
        "mpeg4",
        "-c:a",
        "aac",
      ],
      "x.mp4",
    ],
  ] as const)("%s is refused in a moment", async (_name, field, args, file) => {
    const folder = temporaryFolder();
    ffmpeg(folder, ...args, file);
    const before = memory();
    const started = performance.now();
    const { status, body } = await predict(field, readFileSync(join(folder, file)), file);
    expect({ status, body }).toMatchObject({ status: 413, body: { error: { code: "E_LIMIT" } } });
    expect(performance.now() - started).toBeLessThan(10_000);
    expect(memory() - before).toBeLessThan(200);
  });

  test.runIf(hasFfmpeg())("a video of frames that are too large is not decoded", async () => {
    const folder = temporaryFolder();
    ffmpeg(folder, "lavfi:color=s=4000x4000:r=1:d=1", "-c:v", "png", "x.mkv");
    const { status, body } = await predict("video", readFileSync(join(folder, "x.mkv")));
    expect(status).toBe(422);
    expect(body.error.code).toBe("E_INPUT_BROKEN");
    expect(memory()).toBeLessThan(1000);
  });
});

describe("wrong kinds", () => {
  test.each([
    ["a picture as sound", "audio", () => greyPng(100, 100)],
    ["sound as a picture", "image", () => speechWav()],
    ["sound as a video: it has no picture, but it has sound", "video", () => speechWav(), 200],
    ["text as a video", "video", () => Buffer.from("hello\n".repeat(100))],
    ["zeros as a picture", "image", () => Buffer.alloc(1000)],
    ["a cut picture", "image", async () => (await greyPng(500, 500)).subarray(0, 200)],
    ["a cut WAV", "audio", () => speechWav().subarray(0, 40)],
  ])(
    "%s",
    async (
      _name,
      field,
      make: () => Buffer | Promise<Buffer>,
      status: number | undefined = 422,
    ) => {
      const got = await predict(field, await make());
      expect(got.status).toBe(status);
      expect(JSON.stringify(got.body)).not.toMatch(
        /emotion-service-serve|\/tmp\/|node_modules|\bat /,
      );
    },
  );

  test("paths lead nowhere", async () => {
    mkdirSync(join(service().temporary, "x"), { recursive: true });
    for (const path of [
      "/../package.json",
      "/..%2fpackage.json",
      "/%2e%2e/%2e%2e/etc/passwd",
      "/docs/static/..%2f..%2fpackage.json",
      "/cards/%2fetc%2fpasswd",
      "/jobs/..%2f..%2fx",
      "//etc/passwd",
      "/\\..\\x",
    ]) {
      const response = await fetch(`${service().url}${path}`);
      expect([400, 403, 404]).toContain(response.status);
      expect(await response.text()).not.toMatch(/root:|"dependencies"/);
    }
  });
});

test("after all of that it answers", async () => {
  expect((await fetch(`${service().url}/health`)).status).toBe(200);
  expect(filesLeft(service())).toEqual([]);
});
