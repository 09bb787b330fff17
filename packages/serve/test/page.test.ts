import { readFileSync, writeFileSync } from "node:fs";
import { basename, join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { expectAccessible, findChromium } from "../../../test/chromium.ts";
import { drawRoom, ffmpeg, hasFfmpeg } from "../../../test/video.ts";
import { SAMPLE_RATE_HZ, synthesizeSpeech } from "../../../scripts/sample/speech.ts";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { analyse, coloursOf, expectSeen, usePages } from "./pageBrowser.ts";

const chromium = findChromium();
const cannotRun = chromium === undefined || !hasFfmpeg();

describe.skipIf(cannotRun)("the page in Chromium", () => {
  const { file, url, open } = usePages(chromium, makeMedia);

  it("is accessible before anything is chosen, and says what the numbers are not", async () => {
    const page = await open();
    await expectAccessible(page);
    expect(await page.locator("footer").innerText()).toMatch(/not the\s+truth/);
    expect(await page.getByRole("button", { name: "Analyse" }).isDisabled()).toBe(true);
  });

  it("tells of a picture: probabilities that sum to 1, the face that the model saw and where", async () => {
    const page = await open();
    await analyse(page, file("room.jpg"));
    await expectSeen(page, "A face was found.");
    const numbers = await page.locator(".bars .number").allInnerTexts();
    expect(numbers).toHaveLength(7);
    expect(numbers.reduce((sum, text) => sum + Number.parseFloat(text), 0)).toBeCloseTo(100, 0);
    const crop = page.getByAltText("The face as the model saw it");
    expect(await crop.evaluate((image: HTMLImageElement) => image.naturalWidth)).toBeGreaterThan(
      40,
    );
    // The face was drawn at 160 to 360 and 60 to 260: the box's middle is in it.
    const box = page.locator(".face-box-line");
    const [x, y, width, height] = await Promise.all(
      ["x", "y", "width", "height"].map(async (name) => Number(await box.getAttribute(name))),
    );
    expect(x! + width! / 2).toBeGreaterThan(200);
    expect(x! + width! / 2).toBeLessThan(320);
    expect(y! + height! / 2).toBeGreaterThan(100);
    expect(y! + height! / 2).toBeLessThan(230);
    await expectAccessible(page);
  });

  it("tells of a sound: its waveform, and the spectrogram with frequencies", async () => {
    const page = await open();
    await analyse(page, file("speech.wav"));
    await expectSeen(page, "Sound was found");
    expect(await coloursOf(page, "Waveform")).toBeGreaterThan(2);
    expect(await coloursOf(page, "Spectrogram")).toBeGreaterThan(50);
    expect(
      await page.locator(".plot", { hasText: "Spectrogram" }).locator(".plot-y").textContent(),
    ).toContain("1000");
    await expectAccessible(page);
  });

  it("takes a picture and a sound for one person", async () => {
    const page = await open();
    await analyse(page, file("room.jpg"), file("speech.wav"));
    await expectSeen(page, "A face was found.");
    await expectSeen(page, "Sound was found");
  });

  it("says plainly that there is no face and no voice, and why", async () => {
    const page = await open();
    await analyse(page, file("grey.png"));
    await expectSeen(page, "No emotion told");
    expect(await page.getByLabel("What was found").innerText()).toBe("No face. No face found.");
    await page.reload();
    await analyse(page, file("silence.wav"));
    await expectSeen(page, "No voice. The sound is silent");
    await expectAccessible(page);
  });

  it("follows a video that plays, and goes where the keys and the mouse say", async () => {
    const page = await open();
    await analyse(page, file("talk.mp4"));
    const slider = page.getByRole("slider", { name: "Time in the timeline" });
    await slider.waitFor();
    const video = page.locator("video.player");
    const time = (): Promise<number> =>
      video.evaluate((player: HTMLVideoElement) => player.currentTime);
    await slider.focus();
    await page.keyboard.press("ArrowRight");
    expect(await time()).toBeCloseTo(1, 3);
    expect(await slider.getAttribute("aria-valuetext")).toMatch(
      /^1–3 s: \w+ [\d.]+ %; face, voice$/,
    );
    await page.keyboard.press("End");
    expect(await time()).toBeCloseTo(2, 3);
    await page.keyboard.press("Home");
    await page.keyboard.press("Space");
    await page.waitForFunction(() => document.querySelector("video")!.currentTime > 1.2);
    await page.keyboard.press("Space");
    const place = Number.parseFloat(
      await page.locator(".timeline .plot-cursor").evaluate((line: HTMLElement) => line.style.left),
    );
    const seconds = Number(await slider.getAttribute("aria-valuemax"));
    expect((place / 100) * seconds).toBeCloseTo(await time(), 1);
    expect(await page.locator(".timeline-now").innerText()).toMatch(/^1–3 s/);
    const { width = 0 } = (await slider.boundingBox()) ?? {};
    await slider.click({ position: { x: width * 0.75, y: 10 } });
    expect(await time()).toBeCloseTo(seconds * 0.75, 1);
    await page.getByText("The timeline as a table").click();
    expect(await page.locator(".timeline-table tbody tr").count()).toBe(3);
    await expectAccessible(page);
  });

  it("marks what a detector takes for anomalies", async () => {
    const page = await open();
    // None comes along: the real answers, with scores.
    await page.route("**/models", async (route) => {
      const response = await route.fetch();
      const models = (await response.json()) as object;
      await route.fulfill({
        response,
        json: { ...models, detector: { name: "forest.json", modalities: [] } },
      });
    });
    const response = await page.request.post(`${url()}/predict?window=2&step=1&view=true`, {
      multipart: multipartOf(file("talk.mp4")),
    });
    const answer = (await response.json()) as { timeline: object[] };
    const scored = { anomaly_score: 0.031, anomaly_flag: true };
    const timeline = answer.timeline.map((entry, k) => (k === 1 ? { ...entry, ...scored } : entry));
    await page.route("**/predict?*", (route) =>
      route.fulfill({ json: { ...answer, ...scored, timeline } }),
    );
    await page.reload();
    await expectSeen(page, "Nothing was analysed yet.");
    await page.getByText("Models: face_cnn + audio_cnn, forest.json").waitFor();
    await analyse(page, file("talk.mp4"));
    await expectSeen(page, "Anomaly score +0.031: unlike what the detector was trained on");
    await page.getByRole("slider").press("ArrowRight");
    expect(await page.locator(".timeline-now").innerText()).toContain(
      "unlike the training data (+0.031)",
    );
    await expectSeen(page, "▲ unlike the training data");
    await expectAccessible(page);
  });

  it("is accessible while a long video is worked on", async () => {
    const page = await open();
    await page.route("**/jobs/*", (route) => route.fulfill(ONE_SECOND_DONE));
    await analyse(page, file("long.mp4"));
    await page.locator("progress[value]").waitFor();
    await expectAccessible(page);
  });

  it("shows how far a long video is, and can leave it", async () => {
    const page = await open();
    const deleted = page.waitForResponse((response) => response.request().method() === "DELETE");
    await analyse(page, file("long.mp4"));
    await page.locator("progress[value]").waitFor();
    await page.getByRole("button", { name: "Cancel" }).click();
    await expectSeen(page, "Nothing was analysed yet.");
    const answer = await deleted;
    expect(answer.status()).toBe(200);
    const status = async (): Promise<unknown> => {
      const job = await page.request.get(answer.url());
      return ((await job.json()) as { status: string }).status;
    };
    await expect.poll(status).toBe("cancelled");
  });

  it("gives the same of a video as the API does, though the connection to its job ends too soon", async () => {
    const page = await open();
    let connections = 0;
    await page.route("**/jobs/*", (route) => {
      connections += 1;
      return connections > 1 ? route.continue() : route.fulfill(ONE_SECOND_DONE);
    });
    await page.getByText("Options", { exact: true }).click();
    await page.getByLabel("Window, s").fill("");
    await analyse(page, file("long.mp4"));
    const download = page.waitForEvent("download");
    await page.getByRole("button", { name: "Download JSON" }).click();
    const told = await download;
    expect(connections).toBe(2);
    expect(told.suggestedFilename()).toBe("long.prediction.json");
    const direct = await page.request.post(`${url()}/predict`, {
      multipart: multipartOf(file("long.mp4")),
    });
    expect(JSON.parse(readFileSync(await told.path(), "utf8"))).toEqual(await direct.json());
  });

  it("says 'uncertain' below the confidence that is asked for", async () => {
    const page = await open();
    await page.getByText("Options", { exact: true }).click();
    await page.getByLabel("Least confidence").fill("1");
    await analyse(page, file("room.jpg"));
    expect(await page.locator(".headline").innerText()).toBe("Uncertain");
    expect(await page.locator(".headline-note").innerText()).toMatch(/below the confidence/);
  });

  it("shows a model card, and gives the focus back", async () => {
    const page = await open();
    const opener = page.getByRole("button", { name: "Card of face_cnn" });
    await opener.focus();
    await page.keyboard.press("Enter");
    await page.getByRole("heading", { name: "Known failures" }).waitFor();
    expect(await page.locator("dialog tbody tr").count()).toBeGreaterThan(5);
    expect(await page.locator("dialog").innerText()).not.toMatch(/\*\*|`|\]\(/);
    await expectAccessible(page);
    await page.keyboard.press("Escape");
    expect(await opener.evaluate((button) => button === document.activeElement)).toBe(true);
  });

  it("takes what is dropped and pasted, and refuses what is no picture, sound or video", async () => {
    const page = await open();
    const give = (event: "drop" | "paste", names: readonly string[]): Promise<void> =>
      page.evaluate(
        ([kind, files]) => {
          const data = new DataTransfer();
          for (const name of files) data.items.add(new File(["x"], name));
          const zone = document.querySelector(".drop-zone")!;
          const given = kind === "drop" ? { dataTransfer: data } : { clipboardData: data };
          const Kind = kind === "drop" ? DragEvent : ClipboardEvent;
          zone.dispatchEvent(new Kind(kind, { bubbles: true, cancelable: true, ...given }));
        },
        [event, names] as const,
      );
    await give("drop", ["a.png", "notes.txt"]);
    expect(await page.getByLabel("Chosen files").innerText()).toContain("a.png");
    expect(await page.getByRole("alert").innerText()).toContain("notes.txt");
    await give("paste", ["b.flac"]);
    expect(await page.locator(".chosen li").count()).toBe(2);
    await page.getByRole("button", { name: "Remove a.png" }).click();
    expect(await page.locator(".chosen-name").allInnerTexts()).toEqual(["b.flac"]);
  });
});

/** What a connection to a job tells that ends then. */
const ONE_SECOND_DONE = {
  contentType: "text/event-stream",
  body: 'event: progress\ndata: {"done":1,"total":40,"unit":"seconds"}\n\n',
};

function multipartOf(path: string) {
  return { video: { name: basename(path), mimeType: "video/mp4", buffer: readFileSync(path) } };
}

/** Drawn faces and made speech: no person is in them. */
async function makeMedia(folder: string): Promise<void> {
  const speech = synthesizeSpeech({ speaker: 1001, sentence: "DFA", emotion: "happy", seed: 7 });
  writeFileSync(join(folder, "speech.wav"), encodeWav(speech, SAMPLE_RATE_HZ));
  writeFileSync(
    join(folder, "silence.wav"),
    encodeWav(new Float32Array(SAMPLE_RATE_HZ), SAMPLE_RATE_HZ),
  );
  await drawRoom(join(folder, "room.jpg"));
  const grey = { create: { width: 320, height: 240, channels: 3, background: "grey" } } as const;
  await sharp(grey).toFile(join(folder, "grey.png"));
  const picture = [
    "-loop",
    "1",
    "-r",
    "10",
    "-i",
    "room.jpg",
    "-stream_loop",
    "-1",
    "-i",
    "speech.wav",
  ];
  const codecs = ["-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"];
  ffmpeg(folder, ...picture, ...codecs, "-t", "3.8", "talk.mp4");
  ffmpeg(folder, ...picture, ...codecs, "-preset", "ultrafast", "-t", "40", "long.mp4");
}
