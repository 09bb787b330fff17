import { chmodSync, existsSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { runFfmpeg } from "@emotion-service/core/audio/ffmpeg";
import { isRunning } from "@emotion-service/core/files/processes";
import { expect, it, onTestFinished, vi } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

const OUTPUT = { format: "wav", options: [] };

/** Puts a program that says something and then hangs in the place of ffmpeg; returns where it writes its process id. */
function hangingFfmpeg(says = "true"): string {
  const [script, started] = [join(temporaryFolder(), "ffmpeg"), join(temporaryFolder(), "started")];
  writeFileSync(script, `#!/bin/sh\necho $$ > "${started}"\n${says}\nexec sleep 100\n`);
  chmodSync(script, 0o755);
  vi.stubEnv("FFMPEG_PATH", script);
  onTestFinished(() => void vi.unstubAllEnvs());
  return started;
}

async function expectEnded(started: string): Promise<void> {
  await expect.poll(() => isRunning(Number(readFileSync(started, "utf8")))).toBe(false);
}

it.each(["true", "printf RIFF"])("an ffmpeg that hangs is ended (%s)", async (says) => {
  const started = hangingFfmpeg(says);
  const stream = await runFfmpeg("a.mp3", OUTPUT, { stallSeconds: 2 });
  await expect(stream.toArray()).rejects.toMatchObject({
    code: "E_INPUT_BROKEN",
    message: "a.mp3: ffmpeg hangs: nothing came for 2 s",
  });
  await expectEnded(started);
});

it("one whose reader takes its time is not", async () => {
  hangingFfmpeg("printf RIFF");
  const stream = await runFfmpeg("a.mp3", OUTPUT, { stallSeconds: 1 });
  await expect.poll(() => stream.readableLength).toBe(4);
  await new Promise((resolve) => setTimeout(resolve, 2500));
  expect(stream.destroyed).toBe(false);
  stream.destroy();
});

it("the signal ends it", async () => {
  const started = hangingFfmpeg();
  const controller = new AbortController();
  const stream = await runFfmpeg("a.mp3", OUTPUT, { signal: controller.signal });
  const reading = stream.toArray();
  await expect.poll(() => existsSync(started) && readFileSync(started, "utf8")).toMatch(/\n/);
  controller.abort();
  await expect(reading).rejects.toMatchObject({ code: "E_ABORTED" });
  await expectEnded(started);
});
