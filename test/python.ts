import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { resolve } from "node:path";

const OURS = resolve(import.meta.dirname, "../.cache/python/bin/python");

/** A Python that has h5py, to read our files with the library that the Python service uses; undefined: there is none. */
export function h5pyPython(): string | undefined {
  return pythonThatImports("h5py");
}

/** A Python that has onnx and onnxruntime, to check and run the networks that we write; undefined: there is none. */
export function onnxPython(): string | undefined {
  return pythonThatImports("onnx, onnxruntime");
}

/** The Python that `npm run verify` names in EMOTION_SERVICE_PYTHON, else the one that it made in .cache/python. */
function pythonThatImports(modules: string): string | undefined {
  const named = process.env["EMOTION_SERVICE_PYTHON"];
  const python = named === undefined || named === "" ? OURS : named;
  if (python === OURS && !existsSync(OURS)) return undefined;
  return spawnSync(python, ["-c", `import ${modules}`]).status === 0 ? python : undefined;
}

/** Runs a Python program that prints JSON, and returns what it printed; `args` are its sys.argv[1:]. */
export function runPython(python: string, program: string, args: readonly string[]): unknown {
  const { status, stdout, stderr } = spawnSync(python, ["-c", program, ...args], {
    encoding: "utf8",
  });
  if (status !== 0) throw new Error(`Python ended with ${status}: ${stderr}`);
  return JSON.parse(stdout);
}
