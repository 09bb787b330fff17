import { fork, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { setPriority, tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { onTestFinished } from "vitest";

export interface CommandResult {
  /** null when a signal ended it */
  readonly exitCode: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** The commands that are not called as their package is: the package, and the module that makes their program. */
const PROGRAMS: Readonly<Record<string, { readonly package: string; readonly cli: string }>> = {
  "inspect-h5": { package: "inspect", cli: "h5Cli" },
  "inspect-model": { package: "inspect", cli: "modelCli" },
  "merge-h5": { package: "merge", cli: "cli" },
};
const programOf = (bin: string) => PROGRAMS[bin] ?? { package: bin, cli: "cli" };
const packageFolder = (bin: string): string =>
  resolve(import.meta.dirname, "../packages", programOf(bin).package);

/** How often `killWhen` is asked, milliseconds. */
const ASK_EVERY_MS = 5;

/** Of a command that is watched, as `nice` has it: it gets about a third of what others get. */
const YIELDING = 5;

interface OwnProcess {
  /** Variables beside those of this process. */
  readonly env?: Readonly<Record<string, string>>;
  /** The signal after this time, once stderr matches, or once this is true: Ctrl-C by default. */
  readonly killAfterMs?: number;
  readonly killOn?: RegExp;
  readonly killWhen?: () => boolean;
  readonly signal?: "SIGINT" | "SIGKILL";
}

/**
 * Runs a built command as a user would, `bin` being its name, in the folder `cwd`: in a process of its own where it gets
 * variables or a signal, else in one that a file's tests share, since starting takes most of the time of most commands.
 */
export function runCommand(
  bin: string,
  args: readonly string[],
  { cwd = ".", ...own }: OwnProcess & { readonly cwd?: string } = {},
): Promise<CommandResult> {
  return Object.keys(own).length > 0
    ? runAlone(bin, args, cwd, own)
    : (shared ??= startHost())(bin, args, cwd);
}

function runAlone(
  bin: string,
  args: readonly string[],
  cwd: string,
  { killOn, killAfterMs, killWhen, signal, ...options }: OwnProcess,
): Promise<CommandResult> {
  const env = { ...process.env, ...options.env };
  return new Promise((done, fail) => {
    const child = spawn(process.execPath, [scriptOf(bin), ...args], { cwd, env });
    if (child.pid !== undefined && (killOn ?? killWhen) !== undefined)
      setPriority(child.pid, YIELDING); // or, on a busy machine, it could end before we come to look
    let stdout = "";
    let stderr = "";
    let isKilled = false;
    const kill = (): void => {
      if (!isKilled) child.kill(signal ?? "SIGINT"); // once: a second one would not let it end cleanly
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

let shared: ReturnType<typeof startHost> | undefined;

/** Starts commandHost.mjs, which ends with this process; it runs one command at a time. */
function startHost() {
  const host = fork(new URL("commandHost.mjs", import.meta.url), { execArgv: [] });
  host.unref();
  host.channel?.unref();
  const ended = once(host, "exit");
  let last: Promise<unknown> = Promise.resolve();
  return (bin: string, args: readonly string[], cwd: string): Promise<CommandResult> => {
    const cli = pathToFileURL(join(packageFolder(bin), "dist", `${programOf(bin).cli}.js`)).href;
    const run = async (): Promise<CommandResult> => {
      host.channel?.ref();
      host.send({ cli, args, cwd: resolve(cwd) });
      const [result] = await Promise.race([once(host, "message"), ended]);
      host.channel?.unref();
      if (typeof result !== "object") throw new Error(`${bin} broke the process that it ran in`);
      return result as CommandResult;
    };
    const next = last.then(run);
    last = next.catch(() => undefined);
    return next;
  };
}

/** What `node` runs when a user calls the command. */
export function scriptOf(bin: string): string {
  return join(packageFolder(bin), "bin", `${bin}.js`);
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
