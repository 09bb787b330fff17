import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";

export interface CommandResult {
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs a built command as a user would, `bin` being its name, in the folder `cwd`. */
export function runCommand(
  bin: string,
  args: readonly string[],
  options: {
    readonly cwd?: string;
    /** Ctrl-C after this time, or once stderr matches. */
    readonly killAfterMs?: number;
    readonly killOn?: RegExp;
  } = {},
): Promise<CommandResult> {
  const packageName = bin.startsWith("inspect-") ? "inspect" : bin;
  const script = resolve(import.meta.dirname, `../packages/${packageName}/bin/${bin}.js`);
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [script, ...args], { cwd: options.cwd });
    let stdout = "";
    let stderr = "";
    let killed = false;
    child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
      if (killed || options.killOn?.test(stderr) !== true) return;
      killed = child.kill("SIGINT"); // once: a second one would not let it end cleanly
    });
    child.on("error", fail);
    child.on("close", (exitCode) => done({ exitCode, stdout, stderr }));
    if (options.killAfterMs !== undefined)
      setTimeout(() => child.kill("SIGINT"), options.killAfterMs);
  });
}

/** A temporary folder that goes when the test ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), "emotion-service-"));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  return folder;
}

/** Every name in a folder, hidden ones too, sorted: to see that nothing was left behind. */
export function namesIn(folder: string): string[] {
  return readdirSync(folder).sort();
}
