import { spawn } from "node:child_process";
import { once } from "node:events";
import { readFileSync, readdirSync } from "node:fs";
import { fileURLToPath } from "node:url";

/** A service that runs, as a user starts it. */
export interface Served {
  readonly url: string;
  readonly pid: number;
  /** What it has said on stdout and stderr. */
  output(): { readonly stdout: string; readonly stderr: string };
  /** Ends it, and returns its exit status; null where the signal ended it. */
  stop(signal?: NodeJS.Signals): Promise<number | null>;
}

/** Starts the built `serve` on a free port, and waits until it listens. */
export async function startServe(
  args: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
): Promise<Served> {
  const script = fileURLToPath(new URL("../../packages/serve/bin/serve.js", import.meta.url));
  const child = spawn(process.execPath, [script, "--port", "0", ...args], {
    env: { ...process.env, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = once(child, "close");
  let [stdout, stderr] = ["", ""];
  child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
  const url = await new Promise<string>((settle, fail) => {
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
      const [, found] = /listening on (\S+)/.exec(stderr) ?? [];
      if (found !== undefined) settle(found);
    });
    child.once("close", () => fail(new Error(`serve ended: ${stderr}`)));
  });
  return {
    url,
    pid: child.pid ?? 0,
    output: () => ({ stdout, stderr }),
    stop: async (signal = "SIGTERM") => {
      child.kill(signal);
      const [status] = (await ended) as [number | null];
      return status;
    },
  };
}

/** The processes that a process started, and theirs (Linux). */
export function descendantsOf(pid: number): number[] {
  const parents = readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .map((name): [number, number] => [Number(name), Number(field(Number(name), "PPid"))]);
  const childrenOf = (parent: number): number[] =>
    parents.flatMap(([id, of]) => (of === parent ? [id, ...childrenOf(id)] : []));
  return childrenOf(pid);
}

/** Resident memory of a process, MiB (Linux); NaN where it has gone. */
export function memoryOf(pid: number): number {
  return Number(/\d+/.exec(field(pid, "VmRSS"))?.[0]) / 1024;
}

/** A line of /proc/ID/status. */
function field(pid: number, name: string): string {
  try {
    const status = readFileSync(`/proc/${pid}/status`, "latin1");
    return new RegExp(`^${name}:\\s*(.*)$`, "m").exec(status)?.[1] ?? "";
  } catch {
    return "";
  }
}
