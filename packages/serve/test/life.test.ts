import { spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  watch,
} from "node:fs";
import { type IncomingMessage, request } from "node:http";
import { createServer } from "node:net";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { isRunning } from "@emotion-service/core/files/processes";
import { type Served, descendantsOf, startServe } from "../../../scripts/benchmark/startServe.ts";
import { runCommand, scriptOf, temporaryFolder } from "../../../test/command.ts";
import { ffmpeg, hasFfmpeg } from "../../../test/video.ts";
import { formOf, speechWav } from "./service.ts";

/* How the service begins, survives, and ends. */

async function start(args: readonly string[] = []): Promise<Served & { temporary: string }> {
  const temporary = temporaryFolder();
  const service = await startServe(args, { TMPDIR: temporary });
  onTestFinished(() => void service.stop("SIGKILL"));
  return { ...service, temporary };
}

const folders = (temporary: string): string[] =>
  readdirSync(temporary).filter((name) => name.startsWith("emotion-service"));

/** Names of the programs that a service runs. */
const programs = (pid: number): string[] =>
  descendantsOf(pid)
    .map((id) => readName(id))
    .filter((name) => name !== "");

/** "" of one that has ended. */
function readName(pid: number): string {
  const path = `/proc/${pid}/comm`;
  return isRunning(pid) && existsSync(path) ? readFileSync(path, "utf8").trim() : "";
}

const send = (
  url: string,
  path: string,
  file: Uint8Array,
  field = "audio",
  init: RequestInit = {},
) => fetch(`${url}${path}`, { method: "POST", body: formOf({ [field]: [file, "x"] }), ...init });

describe("flags", () => {
  test.each([
    [["--host", "0.0.0.0"], {}, 2, /others could reach the service, and no token is set/],
    [["--host", "::"], {}, 2, /no token is set/],
    [["--port", "70000"], {}, 2, /from 0 to 65535/],
    [["--max_body", "0"], {}, 2, /at least|from 0.01/],
    [["--image_encoder", "face"], {}, 2, /are for a model that is named/],
    [["--multimodal", "nothing"], {}, 1, /nothing/],
    [["--host", "192.0.2.1", "--token", "x"], {}, 1, /this machine has no such address/],
    [[], { BACKEND_URL: "file:///etc" }, 2, /must be an http or https URL/],
    [[], { BACKEND_URL: "http://me:hidden@localhost" }, 2, /must not have a user(?!.*hidden)/],
    [["--token", ""], {}, 2, /the token: must be/],
    [[], { EMOTION_SERVICE_TOKEN: "two words" }, 2, /the token: must be/],
  ])("%j %j: exit %i", async (args, env, status, message) => {
    const temporary = temporaryFolder();
    const result = await runCommand("serve", args, {
      env: { ...env, TMPDIR: temporary },
    });
    expect(result.stderr).toMatch(message);
    expect(result.stderr).not.toMatch(/\n\s+at /);
    expect(result.exitCode).toBe(status);
    expect(folders(temporary)).toEqual([]);
  });

  test("a temporary folder that is not there is told", async () => {
    const env = { TMPDIR: join(temporaryFolder(), "none") };
    const { exitCode, stderr } = await runCommand("serve", [], { env });
    expect(stderr).toMatch(/TMPDIR .*none: must be an existing folder/);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(exitCode).toBe(1);
  });

  test("a port that is taken is told", async () => {
    const server = createServer();
    await new Promise<void>((settle) => server.listen(0, "127.0.0.1", settle));
    onTestFinished(() => void server.close());
    const { port } = server.address() as AddressInfo;
    const { exitCode, stderr } = await runCommand("serve", ["--port", String(port)]);
    expect(stderr).toContain(`127.0.0.1:${port}: something else listens there`);
    expect(exitCode).toBe(1);
  });

  test("a token from the environment is asked for, and not handed on to other programs", async () => {
    const service = await startServe(["--quiet"], { EMOTION_SERVICE_TOKEN: "hidden" });
    onTestFinished(() => void service.stop());
    expect((await fetch(`${service.url}/models`)).status).toBe(401);
    expect(
      (await fetch(`${service.url}/models`, { headers: { authorization: "Bearer hidden" } }))
        .status,
    ).toBe(200);
    for (const pid of descendantsOf(service.pid))
      expect(readFileSync(`/proc/${pid}/environ`, "latin1")).not.toContain("hidden");
  });
});

test("what it makes for its start lies in its own folder: that is found after kill -9", async () => {
  const temporary = temporaryFolder();
  const seen = new Set<string>();
  const watcher = watch(temporary, (_event, name) => seen.add(name ?? ""));
  onTestFinished(() => watcher.close());
  const service = await startServe(["--quiet"], { TMPDIR: temporary });
  onTestFinished(() => void service.stop("SIGKILL"));
  expect([...seen].filter((name) => !name.startsWith("emotion-service-serve-"))).toEqual([]);
});

test("private files: nobody else may look into the folder, and ONNX Runtime's telemetry writes none beside it", async () => {
  const { temporary } = await start(["--quiet"]);
  expect(readdirSync(temporary).filter((name) => !name.startsWith("emotion-service"))).toEqual([]);
  const [name = ""] = folders(temporary);
  expect(readdirSync(join(temporary, name))).toEqual([]);
  expect(
    spawnSync("stat", ["-c", "%a", join(temporary, name)], { encoding: "utf8" }).stdout.trim(),
  ).toBe("700");
});

describe("the end", () => {
  test.each([
    ["SIGTERM", 0],
    ["SIGINT", 130],
  ] as const)("%s: what runs is finished, exit %i, nothing is left", async (signal, status) => {
    const service = await start();
    const wav = speechWav();
    const asked = request(`${service.url}/predict`, {
      method: "POST",
      headers: { "content-type": "audio/wav", "content-length": wav.length },
    });
    const answered = once(asked, "response") as Promise<[IncomingMessage]>;
    asked.write(wav.subarray(0, wav.length / 2)); // the other half comes after the signal
    await expect
      .poll(() => readdirSync(join(service.temporary, folders(service.temporary)[0] ?? "")))
      .not.toEqual([]);
    const predictors = descendantsOf(service.pid);
    const ended = service.stop(signal);
    await expect.poll(() => fetch(`${service.url}/health`).catch(String)).toMatch(/failed/);
    asked.end(wav.subarray(wav.length / 2));
    const [answer] = await answered;
    expect(answer.statusCode).toBe(200);
    expect(answer.headers.connection).toBe("close");
    answer.resume();
    expect(await ended).toBe(status);
    expect(folders(service.temporary)).toEqual([]);
    for (const pid of predictors) expect(readName(pid)).toBe("");
  });

  test("Ctrl-C while the models load: it does not listen first", async () => {
    const child = spawn(process.execPath, [scriptOf("serve"), "--port", "0"]);
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      if (said === "") child.kill("SIGINT"); // it has said which models it loads
      said += text.toString();
    });
    expect(await once(child, "close")).toEqual([130, null]);
    expect(said).not.toContain("listening");
  });

  test("kill -9 takes the predictor along; the next start sweeps the files, and leaves those of others", async () => {
    const service = await start();
    const predictors = descendantsOf(service.pid);
    const [left = ""] = folders(service.temporary);
    await service.stop("SIGKILL");
    expect(folders(service.temporary)).toEqual([left]);
    await expect.poll(() => predictors.map(readName).join("")).toBe("");
    const running = join(service.temporary, `emotion-service-serve-${process.pid}--x`); // its start is another's: swept as well
    const foreign = join(service.temporary, "emotion-service-other");
    mkdirSync(running);
    mkdirSync(foreign);
    const next = await startServe(["--quiet"], { TMPDIR: service.temporary });
    onTestFinished(() => void next.stop());
    expect(existsSync(join(service.temporary, left))).toBe(false);
    expect(existsSync(foreign)).toBe(true);
    const second = await startServe(["--quiet"], { TMPDIR: service.temporary });
    onTestFinished(() => void second.stop());
    expect((await send(next.url, "/predict", speechWav())).status).toBe(200); // its folder is still there
  });
});

describe.runIf(hasFfmpeg())("work that nobody waits for", () => {
  /** Takes long to look at, and makes ffmpeg busy. */
  let video: Buffer;
  beforeAll(() => {
    const folder = mkdtempSync(join(tmpdir(), "emotion-service-test-"));
    const codec = ["-t", "60", "-c:v", "mpeg4", "-q:v", "3"];
    ffmpeg(folder, "lavfi:testsrc2=s=1280x720:r=30", ...codec, "long.mp4");
    video = readFileSync(join(folder, "long.mp4"));
    rmSync(folder, { recursive: true });
  });

  test("a client that leaves takes ffmpeg along; so does a cancelled upload", async () => {
    const service = await start(["--quiet"]);
    const controller = new AbortController();
    const asked = send(service.url, "/predict?fps=60", video, "video", {
      signal: controller.signal,
    });
    await expect.poll(() => programs(service.pid)).toContain("ffmpeg");
    controller.abort();
    await expect(asked).rejects.toThrow(/abort/);
    await expect.poll(() => programs(service.pid)).not.toContain("ffmpeg");
    const { url } = (await (await send(service.url, "/upload?fps=60", video, "video")).json()) as {
      url: string;
    };
    await expect.poll(() => programs(service.pid)).toContain("ffmpeg");
    expect((await send(service.url, "/predict", speechWav())).status).toBe(200); // an upload keeps nobody waiting
    await fetch(`${service.url}${url}`, { method: "DELETE" });
    await expect.poll(() => programs(service.pid)).not.toContain("ffmpeg");
    await expect
      .poll(async () => (await fetch(`${service.url}${url}`)).json())
      .toMatchObject({ status: "cancelled", error: { code: "E_CANCELLED" } });
  });

  test("SIGTERM: what waits behind it is answered too", async () => {
    const service = await start(["--quiet"]);
    const first = send(service.url, "/predict?fps=0.1", video, "video");
    await expect.poll(() => programs(service.pid)).toContain("ffmpeg");
    const behind = [1, 2, 3].map(() => send(service.url, "/predict", speechWav()));
    const [folder = ""] = folders(service.temporary);
    await expect
      .poll(() => readdirSync(join(service.temporary, folder)).length, { interval: 5 })
      .toBe(4);
    expect(await service.stop("SIGTERM")).toBe(0);
    const answers = await Promise.all([first, ...behind]);
    expect(answers.map(({ status }) => status)).toEqual([200, 200, 200, 200]);
    expect(folders(service.temporary)).toEqual([]);
  });

  test("too long a work is ended", async () => {
    const service = await start(["--quiet", "--timeout", "1"]);
    const response = await send(service.url, "/predict?fps=60", video, "video");
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({ error: { code: "E_TIMEOUT" } });
    await expect.poll(() => programs(service.pid)).not.toContain("ffmpeg");
    expect((await send(service.url, "/predict", speechWav())).status).toBe(200);
  });

  test("a predictor that dies costs the work that ran; ffmpeg dies with it", async () => {
    const service = await start(["--quiet"]);
    const asked = send(service.url, "/predict?fps=60", video, "video");
    await expect.poll(() => programs(service.pid)).toContain("ffmpeg");
    const others = descendantsOf(service.pid);
    process.kill(others[0] ?? 0, "SIGSEGV");
    const response = await asked;
    expect(response.status).toBe(500);
    expect(await response.json()).toMatchObject({ error: { code: "E_CRASHED" } });
    await expect.poll(() => others.map(readName).join("")).toBe("");
    expect((await send(service.url, "/predict", speechWav())).status).toBe(200);
  });
});
