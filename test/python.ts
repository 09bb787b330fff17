import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const OURS = resolve(import.meta.dirname, "../.cache/python/bin/python");

/**
 * A Python that has h5py, to read our files with the library that the Python service uses: the one that `npm run
 * verify` names in EMOTION_SERVICE_PYTHON, else the one it made in .cache/python; undefined when there is none.
 */
export function h5pyPython(): string | undefined {
  const named = process.env["EMOTION_SERVICE_PYTHON"];
  if (named !== undefined && named !== "") return named;
  if (!existsSync(OURS)) return undefined;
  return spawnSync(OURS, ["-c", "import h5py"]).status === 0 ? OURS : undefined;
}

/** Runs a Python program that prints JSON, and returns what it printed; `args` are its sys.argv[1:]. */
export function runPython(python: string, program: string, args: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(python, ["-c", program, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
