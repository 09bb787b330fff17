import { spawn } from "node:child_process";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { onTestFinished } from "vitest";

export interface CommandResult {
  /** null when a signal ended it */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The packages of the commands that are not called as their package is. */
const PACKAGES: Readonly<Record<string, string>> = {
  "inspect-h5": "inspect",
  "inspect-model": "inspect",
  "merge-h5": "merge",
};

/** How often `killWhen` is asked, milliseconds. */
const ASK_EVERY_MS = 5;

interface CommandOptions {
  readonly cwd?: string;
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** The signal after this time, once stderr matches, or once this is true: Ctrl-C by default. */
  readonly killAfterMs?: number;
  readonly killOn?: RegExp;
  readonly killWhen?: () => boolean;
  readonly signal?: "SIGINT" | "SIGKILL";
}

/** Runs a built command as a user would, `bin` being its name, in the folder `cwd`. */
export function runCommand(
  bin: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<CommandResult> {
  const { cwd, killOn, killAfterMs, killWhen } = options;
  const env = { ...process.env, ...options.env };
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [scriptOf(bin), ...args], { cwd, env });
    let stdout = "";
    let stderr = "";
    let isKilled = false;
    const kill = (): void => {
      if (!isKilled) child.kill(options.signal ?? "SIGINT"); // once: a second one would not let it end cleanly
      isKilled = true;
    };
    child.stdout.on("data", (text: Buffer) => (stdout += text.toString()));
    child.stderr.on("data", (text: Buffer) => {
      stderr += text.toString();
      if (killOn?.test(stderr) === true) kill();
    });
    const timers = [
      killAfterMs === undefined ? undefined : setTimeout(kill, killAfterMs),
      killWhen && setInterval(() => killWhen() && kill(), ASK_EVERY_MS),
    ];
    child.on("error", fail);
    child.on("close", (exitCode) => {
      for (const timer of timers) clearTimeout(timer);
      done({ exitCode, stdout, stderr });
    });
  });
}

/** What `node` runs when a user calls the command. */
export function scriptOf(bin: string): string {
  const packageName = PACKAGES[bin] ?? bin;
  return resolve(import.meta.dirname, `../packages/${packageName}/bin/${bin}.js`);
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
