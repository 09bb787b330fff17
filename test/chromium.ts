import { spawnSync } from "node:child_process";

/** What distributions call it. */
const NAMES = ["chromium", "chromium-browser", "google-chrome"];

/** A Chromium to test pages in: the one that CHROMIUM_PATH names, else one on PATH; undefined: there is none. */
export function findChromium(): string | undefined {
  const named = process.env["CHROMIUM_PATH"];
  const candidates = named === undefined || named === "" ? NAMES : [named];
  return candidates.find((name) => spawnSync(name, ["--version"]).status === 0);
}
