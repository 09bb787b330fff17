import { writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Route } from "playwright-core";
import { describe, expect, it, onTestFinished } from "vitest";
import { startServe } from "../../../scripts/benchmark/startServe.ts";
import { expectAccessible, findChromium } from "../../../test/chromium.ts";
import { drawRoom } from "../../../test/video.ts";
import { analyse, expectSeen, usePages } from "./pageBrowser.ts";

const chromium = findChromium();

describe.skipIf(chromium === undefined)("what goes wrong, and recording, in Chromium", () => {
  const { file, open } = usePages(chromium, async (folder) => drawRoom(join(folder, "room.jpg")));

  it("says that a file cannot be read", async () => {
    const broken = file("broken.jpg");
    writeFileSync(broken, "no picture");
    const page = await open();
    await analyse(page, broken);
    await page.locator("#problem-title").waitFor();
    expect(await page.locator("#problem-title").innerText()).toMatch(
      /cannot be read|no kind of file/,
    );
    expect(await page.locator(".problem").innerText()).not.toContain(tmpdir());
    await expectAccessible(page);
  });

  it("says what a server says, and can try again", async () => {
    const page = await open();
    const error = {
      code: "E_LIMIT",
      message: "picture: has too many pixels",
      hint: "make it smaller",
    };
    await page.route("**/predict?*", (route) => fail(route, 413, error));
    await analyse(page, file("room.jpg"));
    await expectSeen(page, "The file is too large");
    await expectSeen(page, "Make it smaller.");
    await page.unroute("**/predict?*");
    await page.getByRole("button", { name: "Try again" }).click();
    await expectSeen(page, "A face was found.");
  });

  it("waits for a busy server", async () => {
    const page = await open();
    let asked = 0;
    await page.route("**/predict?*", (route) => {
      asked += 1;
      return asked < 3
        ? fail(route, 503, { code: "E_BUSY", message: "the queue is full" })
        : route.continue();
    });
    await analyse(page, file("room.jpg"));
    await expectSeen(page, "The server is busy (the queue is full). Trying again in 1 s.");
    await expectSeen(page, "A face was found.");
    expect(asked).toBe(3);
  });

  it("asks for a token until it is the right one, and keeps it for the tab", async () => {
    const guarded = await startServe(["--quiet", "--token", "s3cret"]);
    onTestFinished(() => void guarded.stop());
    const page = await open(guarded.url, "The server wants a token");
    await expectAccessible(page);
    for (const token of ["wrong", "s3cret"]) {
      await page.getByLabel("Token, kept until this tab is closed").fill(token);
      const answered = page.waitForResponse("**/models");
      await page.keyboard.press("Enter");
      expect((await answered).status()).toBe(token === "wrong" ? 401 : 200);
    }
    await page.getByText("Models: face_cnn + audio_cnn").waitFor();
    await analyse(page, file("room.jpg"));
    await expectSeen(page, "A face was found.");
    await page.reload();
    await page.getByText("Models: face_cnn + audio_cnn").waitFor();
  });

  it("says that no server answers", async () => {
    const page = await open();
    await page.route("**/predict?*", (route) => route.abort());
    await analyse(page, file("room.jpg"));
    await expectSeen(page, "No answer from the server");
  });

  it("records sound, with a level and the time that is left", async () => {
    const page = await open();
    await page.getByRole("button", { name: "Sound" }).press("Enter");
    const meter = page.getByRole("meter", { name: "Sound level" });
    await expect
      .poll(async () => Number(await meter.getAttribute("aria-valuenow")))
      .toBeGreaterThan(20);
    await expectSeen(page, /^\d+ s left of 60 s$/);
    await expectAccessible(page);
    await page.waitForTimeout(1500); // of sound, a beep a second
    await page.getByRole("button", { name: "Stop" }).click();
    await expectSeen(page, "recording.webm");
    await page.keyboard.press("Enter");
    await expectSeen(page, "Sound was found");
    expect(await page.locator(".headline").innerText()).not.toBe("No emotion told");
  });

  it("records video with sound", async () => {
    const page = await open();
    await page.getByRole("button", { name: "Video" }).click();
    await page.getByLabel("What the camera sees").waitFor();
    await expectAccessible(page);
    await page.waitForTimeout(2500);
    await page.getByRole("button", { name: "Stop" }).click();
    await page.getByRole("button", { name: "Analyse" }).click();
    await expectSeen(page, /No face\. No face found in \d+ frames\./);
    await expectSeen(page, "Sound was found");
  });

  it("takes a photo, or leaves it", async () => {
    const page = await open();
    const photo = page.getByRole("button", { name: "Photo" });
    await photo.click();
    await page.getByRole("button", { name: "Cancel" }).click();
    expect(await photo.evaluate((button) => button === document.activeElement)).toBe(true);
    await photo.click();
    await page.waitForFunction(() => (document.querySelector("video")?.videoWidth ?? 0) > 0);
    await expectAccessible(page);
    await page.getByRole("button", { name: "Take the photo" }).click();
    await expectSeen(page, "photo.jpg");
    await page.keyboard.press("Enter");
    await expectSeen(page, "No face. No face found.");
  });
});

function fail(route: Route, status: number, error: object): Promise<void> {
  const body = JSON.stringify({ error, request_id: "1" });
  return route.fulfill({
    status,
    contentType: "application/json",
    headers: { "retry-after": "1" },
    body,
  });
}
