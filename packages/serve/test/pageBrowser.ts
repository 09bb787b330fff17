import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Browser, Page } from "playwright-core";
import { afterAll, beforeAll, expect, onTestFinished } from "vitest";
import { type Served, startServe } from "../../../scripts/benchmark/startServe.ts";
import { launch } from "../../../test/chromium.ts";

/** What the tests of a file share: their media in a folder, the built command, and Chromium. */
export function usePages(
  chromium: string | undefined,
  makeMedia: (folder: string) => Promise<void>,
) {
  let folder = "";
  let server: Served;
  let browser: Browser;
  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), "emotion-service-page-"));
    await makeMedia(folder);
    server = await startServe(["--quiet"]);
    browser = await launch(chromium ?? "");
  }, 120_000);
  afterAll(async () => {
    await browser?.close();
    await server?.stop();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    file: (name: string): string => join(folder, name),
    url: (): string => server.url,
    open: (url = server.url, sign?: string): Promise<Page> => openPage(browser, url, sign),
  };
}

/**
 * Opens the page, waits for a sign that it is there, and closes it when the test ends: it must then have asked no other host for anything, have broken no content
 * policy, and have thrown nothing.
 */
async function openPage(
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
