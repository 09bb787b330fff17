/** Compiles the audio kernel, packages/core/kernel/*.ts (AssemblyScript) → kernel.wasm, when its sources are newer. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMain, root, run } from "./setup.mjs";

const folder = join(root, "packages/core/kernel");
const target = join(folder, "kernel.wasm");
const FLAGS = ["-O3", "--noAssert", "--runtime", "minimal", "--enable", "simd"];

/** @returns {Promise<{ ok: boolean, output: string, seconds: number, word?: string }>} */
export async function buildKernel() {
  const sources = readdirSync(folder)
    .filter((name) => name.endsWith(".ts"))
    .map((name) => join(folder, name));
  const made = statSync(target, { throwIfNoEntry: false })?.mtimeMs ?? 0;
  if (sources.every((source) => statSync(source).mtimeMs < made))
    return { ok: true, output: "", seconds: 0, word: "there" };
  const asc = join(root, "packages/core/node_modules/assemblyscript/bin/asc.js");
  return run(process.execPath, [asc, join(folder, "index.ts"), ...FLAGS, "--outFile", target]);
}

if (isMain(import.meta.url)) {
  const { ok, output } = await buildKernel();
  process.stdout.write(output);
  process.exitCode = ok ? 0 : 1;
}
