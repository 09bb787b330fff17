import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readFileSync, readdirSync, writeFileSync } from "node:fs";
import { type RequestListener, createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { dirname, join } from "node:path";
import { setTimeout } from "node:timers/promises";
import {
  type FindWeightsOptions,
  RESNET18_WEIGHTS,
  findWeights,
} from "@emotion-service/core/interop/pretrained";
import { describe, expect, it, onTestFinished } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { expectUserError } from "./fixtures.ts";

const CONTENT = Buffer.from("weights, so to speak ".repeat(5000));
const SHA256 = createHash("sha256").update(CONTENT).digest("hex");
const FILE_NAME = `net-${SHA256.slice(0, 8)}.pth`;

/** A server on this machine that answers so; returns the URL of the weights there. */
async function serve(answer: RequestListener): Promise<string> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/${FILE_NAME}`;
}

/** The URL of a server that is gone. */
async function closedUrl(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `http://127.0.0.1:${port}/${FILE_NAME}`;
}

/** A server that must not be asked. */
const UNASKED = "http://127.0.0.1:1/unasked";

function setting(url: string) {
  const home = temporaryFolder();
  const options: FindWeightsOptions = {
    published: { fileName: FILE_NAME, url },
    env: { HOME: home },
    silenceSeconds: 5,
  };
  return {
    home,
    options,
    ours: join(home, ".cache/emotion-service", FILE_NAME),
    torch: join(home, ".cache/torch/hub/checkpoints", FILE_NAME),
  };
}

function put(path: string, content: Buffer): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, content);
}

describe("weights are taken", () => {
  it("from --weights before all, whatever their hash", async () => {
    const { options, ours, home } = setting(UNASKED);
    put(ours, CONTENT);
    const explicit = join(home, "mine.pth");
    put(explicit, Buffer.from("abc"));
    expect(await findWeights({ ...options, explicit })).toEqual({
      path: explicit,
      sha256: "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", // FIPS 180-2, B.1
      source: "flag",
    });
  });

  it("from PyTorch's cache before ours", async () => {
    const { options, ours, torch } = setting(UNASKED);
    put(ours, CONTENT);
    put(torch, CONTENT);
    expect(await findWeights(options)).toEqual({
      path: torch,
      sha256: SHA256,
      source: "torch cache",
    });
  });

  it.each<[string, Record<string, string>, string, string]>([
    ["TORCH_HOME", { TORCH_HOME: "~/t" }, "t/hub/checkpoints", "torch cache"],
    [
      "XDG_CACHE_HOME, PyTorch's",
      { XDG_CACHE_HOME: "~/x" },
      "x/torch/hub/checkpoints",
      "torch cache",
    ],
    ["XDG_CACHE_HOME, ours", { XDG_CACHE_HOME: "~/x" }, "x/emotion-service", "cache"],
    ["EMOTION_SERVICE_CACHE", { EMOTION_SERVICE_CACHE: "~/e" }, "e", "cache"],
    ["a variable that is empty", { EMOTION_SERVICE_CACHE: "" }, ".cache/emotion-service", "cache"],
  ])("from where %s says", async (_, variables, folder, source) => {
    const { options, home } = setting(UNASKED);
    const path = join(home, folder, FILE_NAME);
    put(path, CONTENT);
    const env = { HOME: home, ...variables };
    expect(await findWeights({ ...options, env })).toEqual({ path, sha256: SHA256, source });
  });

  it("by download into our cache, once", async () => {
    let requests = 0;
    const url = await serve((_, response) => {
      requests += 1;
      response.setHeader("content-length", CONTENT.length);
      response.end(CONTENT);
    });
    const { options, ours, torch } = setting(url);
    const notices: string[] = [];
    const progress: (number | undefined)[][] = [];
    const found = await findWeights({
      ...options,
      onNotice: (text) => notices.push(text),
      onProgress: (...numbers) => progress.push(numbers),
    });
    expect(found).toEqual({ path: ours, sha256: SHA256, source: "download" });
    expect(readFileSync(ours)).toEqual(CONTENT);
    expect(readdirSync(dirname(ours))).toEqual([FILE_NAME]);
    expect(existsSync(torch)).toBe(false);
    expect(notices).toEqual([`${FILE_NAME}: downloading from ${url} to ${ours}, once`]);
    expect(progress.at(-1)).toEqual([CONTENT.length, CONTENT.length]);
    expect((await findWeights(options)).source).toBe("cache");
    expect(requests).toBe(1);
  });

  it("from a slow server, as long as it goes on sending", async () => {
    const url = await serve(async (_, response) => {
      const part = Math.ceil(CONTENT.length / 5);
      for (let at = 0; at < CONTENT.length; at += part) {
        response.write(CONTENT.subarray(at, at + part));
        await setTimeout(150);
      }
      response.end();
    });
    const { options } = setting(url);
    expect((await findWeights({ ...options, silenceSeconds: 0.5 })).sha256).toBe(SHA256);
  });

  it("torchvision's have their hash in their name, as they must", () => {
    expect(RESNET18_WEIGHTS.url.endsWith(`/${RESNET18_WEIGHTS.fileName}`)).toBe(true);
    expect(RESNET18_WEIGHTS.fileName).toMatch(/-[0-9a-f]{8}\.pth$/);
  });
});

describe("a cached file of another hash", () => {
  it.each(["torch", "ours"] as const)("is refused and stays: %s", async (place) => {
    const { options, [place]: path } = setting(UNASKED);
    put(path, CONTENT.subarray(1));
    await expectUserError(() => findWeights(options), "E_INPUT_BROKEN", /SHA-256.*remove it/);
    expect(readFileSync(path)).toEqual(CONTENT.subarray(1));
  });
});

describe("a download that fails says why and what to do, and leaves nothing", () => {
  const cases: [string, RequestListener, RegExp][] = [
    ["404", (_, response) => response.writeHead(404).end("no"), /HTTP status 404 Not Found/],
    ["another file", (_, response) => response.end("another"), /which its name denies/],
    [
      "a body cut short",
      (_, response) => {
        response.writeHead(200, { "content-length": CONTENT.length });
        response.write(CONTENT.subarray(0, 1000), () => response.destroy());
      },
      /other side closed|terminated|aborted/,
    ],
    [
      "silence",
      (_, response) => {
        response.writeHead(200);
        response.write(CONTENT.subarray(0, 1000));
      },
      /no answer within 0\.2 s/,
    ],
  ];
  it.each(cases)("%s", async (_, answer, text) => {
    const url = await serve(answer);
    const { options, home, ours, torch } = setting(url);
    const find = () => findWeights({ ...options, silenceSeconds: 0.2 });
    await expectUserError(find, "E_UNAVAILABLE", text);
    await expectUserError(find, "E_UNAVAILABLE", /--weights, .*--weights random/);
    const places = new RegExp([torch, ours, url].join(".*").replaceAll(".", "."));
    await expectUserError(find, "E_UNAVAILABLE", places);
    expect(readdirSync(home)).toEqual([]);
  });

  it("no server", async () => {
    const { options, home } = setting(await closedUrl());
    await expectUserError(() => findWeights(options), "E_UNAVAILABLE", /ECONNREFUSED/);
    expect(readdirSync(home)).toEqual([]);
  });

  it("no server, a proxy being set that Node does not use", async () => {
    const { options } = setting(UNASKED);
    const env = { ...options.env, HTTPS_PROXY: "http://proxy" };
    await expectUserError(
      () => findWeights({ ...options, env }),
      "E_UNAVAILABLE",
      /proxy.*not used/,
    );
  });

  it("no home folder", async () => {
    const { options } = setting(UNASKED);
    await expectUserError(() => findWeights({ ...options, env: {} }), "E_UNAVAILABLE", /HOME/);
  });

  it("Ctrl-C in the middle", async () => {
    const controller = new AbortController();
    const url = await serve((_, response) => {
      response.writeHead(200);
      response.write(CONTENT.subarray(0, 1000));
    });
    const { options, home } = setting(url);
    const find = () =>
      findWeights({
        ...options,
        signal: controller.signal,
        onProgress: () => controller.abort(),
      });
    await expectUserError(find, "E_ABORTED", /stopped/);
    expect(readdirSync(home)).toEqual([]);
  });

  it("a folder that cannot be made", async () => {
    const { options, home } = setting(await serve((_, response) => response.end(CONTENT)));
    put(join(home, ".cache"), Buffer.from("a file in the way"));
    await expectUserError(() => findWeights(options), "E_OUTPUT", /cannot be written/);
  });
});
