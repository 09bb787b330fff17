/** Sets the workspace up: checks Node, installs what pnpm-lock.yaml names, compiles. `node scripts/setup.mjs` */
import { spawn } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";
import { delimiter, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { stripVTControlCharacters } from "node:util";

export const root = fileURLToPath(new URL("..", import.meta.url));
/** Where the tools of the workspace are, once it is installed. */
const bin = join(root, "node_modules/.bin");

/**
 * Runs a program and collects what it prints.
 * @param {string} program
 * @param {readonly string[]} args
 * @param {{ env?: Record<string, string>, timeoutMs?: number, cwd?: string }} [options] `cwd`: by default the root
 * @returns {Promise<{ ok: boolean, output: string, stdout: string, seconds: number }>} `output` is both streams, as they came
 */
export function run(program, args, { env = {}, timeoutMs, cwd = root } = {}) {
  const started = performance.now();
  return new Promise((done) => {
    const path = `${bin}${delimiter}${process.env.PATH ?? ""}`;
    const child = spawn(program, args, {
      cwd,
      env: {
        ...process.env,
        PATH: path,
        ...env,
      },
      stdio: ["ignore", "pipe", "pipe"],
      shell: process.platform === "win32" && program !== process.execPath, // pnpm and npx are .cmd files there
    });
    let output = "";
    let stdout = "";
    child.stdout.setEncoding("utf8").on("data", (text) => {
      stdout += text;
      output += text;
    });
    child.stderr.setEncoding("utf8").on("data", (text) => (output += text));
    const timer = timeoutMs && setTimeout(() => child.kill(), timeoutMs);
    const end = (ok) => {
      clearTimeout(timer);
      done({ ok, output, stdout, seconds: (performance.now() - started) / 1000 });
    };
    child.on("error", (error) => {
      output += `${program}: ${error.message}\n`;
      end(false);
    });
    child.on("close", (status, signal) => {
      if (signal !== null) output += `${program}: ended by ${signal}\n`;
      end(status === 0);
    });
  });
}

/** Why this Node cannot be used, or undefined. */
export function nodeProblem(version = process.versions.node) {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major > 20 || (major === 20 && minor >= 19)) return undefined;
  return `Node ${version} is too old: emotion-service needs Node 20.19 or newer (https://nodejs.org)`;
}

/** Installs exactly what pnpm-lock.yaml says, by the pnpm on PATH when it is of the right major, else through npx. */
export async function install() {
  const { packageManager } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
  const major = packageManager.split("@")[1].split(".")[0];
  const found = await run("pnpm", ["--version"], { timeoutMs: 20_000 });
  const args = [
    "install",
    "--frozen-lockfile",
    "--reporter=append-only",
    "--config.confirmModulesPurge=false",
  ];
  if (found.ok && found.stdout.trim().split(".")[0] === major) return run("pnpm", args);
  return run("npx", ["--yes", packageManager, ...args]);
}

/** Compiles every package, the kernels and the page of serve: the commands run from dist/. */
export async function compile() {
  const [{ buildKernel }, { buildPage }] = await Promise.all([
    import("./buildKernel.mjs"),
    import("./buildPage.mjs"),
  ]);
  let seconds = 0;
  for (const build of [buildKernel, buildPage]) {
    const made = await build();
    if (!made.ok) return made;
    seconds += made.seconds;
  }
  const types = await run("tsc", ["-b"]);
  return { ...types, seconds: seconds + types.seconds };
}

/**
 * Runs a step and prints one line about it; all its output when it fails.
 * @param {string} name
 * @param {() => Promise<{ ok: boolean, output: string, seconds: number, word?: string }>} work `word` stands for "ok"
 */
export async function step(name, work) {
  process.stdout.write(`${name.padEnd(14)} `);
  const result = await work();
  process.stdout.write(
    `${result.ok ? (result.word ?? "ok") : "FAILED"}  ${result.seconds.toFixed(1)} s\n`,
  );
  if (!result.ok)
    process.stdout.write(`\n${stripVTControlCharacters(result.output).trimEnd()}\n\n`);
  return result;
}

/** The whole set-up; false when a part of it failed, which it has said then. Safe to run again. */
export async function setUp() {
  const problem = nodeProblem();
  if (problem !== undefined) {
    console.log(problem);
    return false;
  }
  return (await step("install", install)).ok && (await step("compile", compile)).ok;
}

/** True for the script that Node was started with. */
export function isMain(moduleUrl) {
  return (
    process.argv[1] !== undefined &&
    existsSync(process.argv[1]) &&
    resolve(process.argv[1]) === fileURLToPath(moduleUrl)
  );
}

// Not awaited here: buildKernel imports this module, and would wait for its end for ever.
if (isMain(import.meta.url))
  void setUp().then((done) => {
    process.exitCode = done ? 0 : 1;
  });
