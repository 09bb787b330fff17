import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import type { Browser, Page } from "playwright-core";
import { expect, onTestFinished } from "vitest";
import { scriptOf } from "../../../test/command.ts";

/** The built command, listening on a port that is free. */
export async function startServer(
  ...flags: readonly string[]
): Promise<{ readonly url: string; stop(): Promise<void> }> {
  const child = spawn(process.execPath, [scriptOf("serve"), "--port", "0", "--quiet", ...flags]);
  const url = await new Promise<string>((done, fail) => {
    let said = "";
    child.stderr.on("data", (text: Buffer) => {
      said += text.toString();
      const [address] = /http:\S+/.exec(said) ?? [];
      if (address !== undefined) done(address);
    });
    child.on("close", () => fail(new Error(`serve ended: ${said}`)));
  });
  return { url, stop: () => stop(child) };
}

async function stop(child: ChildProcess): Promise<void> {
  const closed = once(child, "close");
  child.kill("SIGTERM");
  await closed;
}

/**
 * Opens the page, waits for a sign that it is there, and closes it when the test ends: it must then have asked no other host for anything, have broken no content
 * policy, and have thrown nothing.
 */
export async function openPage(
  browser: Browser,
  url: string,
  sign = "Models: face_cnn + audio_cnn",
): Promise<Page> {
  const context = await browser.newContext({ reducedMotion: "reduce" });
  const page = await context.newPage();
  const faults: string[] = [];
  page.on("pageerror", ({ message }) => faults.push(message));
  page.on("request", (request) => {
    const asked = new URL(request.url());
    const isOurs =
      asked.origin === new URL(url).origin || ["blob:", "data:"].includes(asked.protocol);
    if (!isOurs) faults.push(`asked ${asked.href}`);
  });
  await page.exposeFunction("tellViolation", (text: string) => faults.push(text));
  await page.addInitScript(() =>
    document.addEventListener("securitypolicyviolation", ({ violatedDirective, blockedURI }) =>
      (globalThis as unknown as { tellViolation(text: string): void }).tellViolation(
        `${violatedDirective} ${blockedURI}`,
      ),
    ),
  );
  onTestFinished(async () => {
    await context.close();
    expect(faults).toEqual([]);
  });
  await page.goto(url);
  await page.getByText(sign).first().waitFor();
  return page;
}

/** Chooses files and has them analysed, by keyboard: the button has the focus then. */
export async function analyse(page: Page, ...paths: readonly string[]): Promise<void> {
  await page.setInputFiles("#files", [...paths]);
  await page.keyboard.press("Enter");
}

/** That it comes to be read on the page, beside what a screen reader is told. */
export async function expectSeen(page: Page, text: string | RegExp): Promise<void> {
  await page.locator(".card").getByText(text).waitFor();
}

/** The number of colours on a canvas: a blank one has one. */
export function coloursOf(page: Page, title: string): Promise<number> {
  return page
    .locator(".plot", { hasText: title })
    .locator(".plot-area canvas")
    .evaluate((canvas: HTMLCanvasElement) => {
      const { data } = canvas.getContext("2d")!.getImageData(0, 0, canvas.width, canvas.height);
      return new Set(new Uint32Array(data.buffer)).size;
    });
}
