/** Builds the page of serve (packages/serve/page → dist/page, by Vite) when a source is newer than what was made of it. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMain, root, run } from "./setup.mjs";

const serve = join(root, "packages/serve");
const made = join(serve, "dist/page/index.html");
/** What the page takes from core. */
const FROM_CORE = ["audio/mel.ts", "predict/ranges.ts"].map((name) =>
  join(root, "packages/core/src", name),
);

/** @returns {Promise<{ ok: boolean, output: string, seconds: number, word?: string }>} */
export async function buildPage() {
  if (isMade()) return { ok: true, output: "", seconds: 0, word: "there" };
  const vite = join(serve, "node_modules/vite/bin/vite.js");
  return run(process.execPath, [vite, "build", "--logLevel", "warn", join(serve, "page")]);
}

function isMade() {
  const time = statSync(made, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  const ours = readdirSync(join(serve, "page"), { recursive: true, encoding: "utf8" });
  const sources = [...FROM_CORE, ...ours.map((name) => join(serve, "page", name))];
  return sources.every((path) => statSync(path).mtimeMs < time);
}

if (isMain(import.meta.url)) {
  const { ok, output } = await buildPage();
  process.stdout.write(output);
  process.exitCode = ok ? 0 : 1;
}
