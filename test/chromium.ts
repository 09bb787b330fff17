import { execFileSync, spawnSync } from "node:child_process";
import axe from "axe-core";
import { type Browser, type Page, chromium } from "playwright-core";
import { expect } from "vitest";

/** What distributions call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** A Chromium to test pages in: the one that CHROMIUM_PATH names, else one on PATH; undefined: there is none. */
export function findChromium(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  const candidates = named === undefined || named === "" ? NAMES : [named];
  return candidates.find((name) => spawnSync(name, ["--version"]).status === 0);
}

/** With a made camera (a green picture, no face in it) and microphone (a beep a second), which it may use. */
export function launch(name: string): Promise<Browser> {
  const path = name.includes("/") ? name : execFileSync("which", [name], { encoding: "utf8" });
  const flags = ["--use-fake-device-for-media-stream", "--use-fake-ui-for-media-stream"];
  // Its sandbox does not run as root, as in many containers.
  if (process.getuid?.() === 0) flags.push("--no-sandbox");
  return chromium.launch({ executablePath: path.trim(), args: flags });
}

/** What axe found, a line a rule. The page's types are not known here. */
const RUN_AXE = `axe.run().then(({ violations }) =>
  violations.map(({ id, nodes }) => id + ": " + nodes.map(({ html }) => html).join(" ")))`;

/** axe finds nothing, light at the width of a phone and dark at the page's own, and nothing is cut off at either. */
export async function expectAccessible(page: Page): Promise<void> {
  const size = page.viewportSize() ?? { width: 1280, height: 720 };
  const looks = [
    { width: 360, height: 740, colorScheme: "light" },
    { ...size, colorScheme: "dark" },
  ] as const;
  for (const { colorScheme, ...view } of looks) {
    await page.setViewportSize(view);
    await page.emulateMedia({ colorScheme });
    if (await page.evaluate("globalThis.axe === undefined")) await page.evaluate(axe.source);
    const found = await page.evaluate(RUN_AXE);
    const beyondPixels = await page.evaluate("document.documentElement.scrollWidth - innerWidth");
    expect({ colorScheme, found, beyondPixels }).toEqual({
      colorScheme,
      found: [],
      beyondPixels: 0,
    });
  }
}
