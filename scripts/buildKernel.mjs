/** Compiles the kernels of packages/core (AssemblyScript → WebAssembly) whose sources are newer than what was made of them. */
import { readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { isMain, root, run } from "./setup.mjs";

const core = join(root, "packages/core");
const FLAGS = ["-O3", "--noAssert", "--enable", "simd"];
const KERNELS = [
  { name: "kernel", flags: ["--runtime", "minimal"] },
  // Works in the memory of TensorFlow.js: it has none of its own, and nothing that it would have to put there.
  { name: "trainingKernel", flags: ["--runtime", "stub", "--importMemory"] },
];

/** @returns {Promise<{ ok: boolean, output: string, seconds: number, word?: string }>} */
export async function buildKernel() {
  const made = [];
  for (const kernel of KERNELS) if (!isMade(kernel)) made.push(await compile(kernel));
  if (made.length === 0) return { ok: true, output: "", seconds: 0, word: "there" };
  return {
    ok: made.every(({ ok }) => ok),
    output: made.map(({ output }) => output).join(""),
    seconds: made.reduce((sum, { seconds }) => sum + seconds, 0),
  };
}

/** packages/core/NAME/*.ts → NAME.wasm there. */
function targetOf({ name }) {
  return join(core, name, `${name}.wasm`);
}

function isMade({ name }) {
  const made = statSync(targetOf({ name }), { throwIfNoEntry: false })?.mtimeMs ?? 0;
  return readdirSync(join(core, name))
    .filter((file) => file.endsWith(".ts"))
    .every((file) => statSync(join(core, name, file)).mtimeMs < made);
}

function compile({ name, flags }) {
  const asc = join(core, "node_modules/assemblyscript/bin/asc.js");
  const source = join(core, name, "index.ts");
  return run(process.execPath, [asc, source, ...FLAGS, ...flags, "--outFile", targetOf({ name })]);
}

if (isMain(import.meta.url)) {
  const { ok, output } = await buildKernel();
  process.stdout.write(output);
  process.exitCode = ok ? 0 : 1;
}
