import type { Writable } from "node:stream";
import { CommanderError, type CommandUnknownOpts } from "@commander-js/extra-typings";
import { type ErrorCode, UserError } from "../errors.ts";

/** Where a command writes and what stops it; tests pass buffers. */
export interface CliIo {
  readonly stdout: Pick<Writable, "write">;
  readonly stderr: Pick<Writable, "write"> & { readonly isTTY?: boolean };
  readonly signal?: AbortSignal;
}

export const EXIT_OK = 0;
export const EXIT_FAILURE = 1;
export const EXIT_USAGE = 2;
/** What a shell expects of a program that Ctrl-C stopped: 128 + SIGINT. */
export const EXIT_INTERRUPTED = 130;

const EXIT_STATUS: Partial<Record<ErrorCode, number>> = {
  E_FLAG: EXIT_USAGE,
  E_ABORTED: EXIT_INTERRUPTED,
};

/**
 * Runs a program on argv (without node and script) and returns its exit status; never calls process.exit.
 * A flag may be spelt `--audio_dir` or `--audio-dir`.
 */
export async function runCli(
  program: CommandUnknownOpts,
  argv: readonly string[],
  io: CliIo,
): Promise<number> {
  program
    .exitOverride()
    .showHelpAfterError(`(${program.name()} --help lists the flags)`)
    .configureOutput({
      writeOut: (text) => io.stdout.write(text),
      writeErr: (text) => io.stderr.write(text),
    });
  try {
    const words = underscoreFlags(argv, program);
    refuseUnknownFlags(words, program);
    await program.parseAsync(words, { from: "user" });
    return EXIT_OK;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT_OK : EXIT_USAGE;
    if (error instanceof UserError) {
      io.stderr.write(`${program.name()}: ${error.message}\n`);
      if (error.hint !== undefined) io.stderr.write(`  hint: ${error.hint}\n`);
      return EXIT_STATUS[error.code] ?? EXIT_FAILURE;
    }
    if (isSystemError(error)) {
      io.stderr.write(`${program.name()}: ${error.message}\n`);
      io.stderr.write(
        "  hint: see to the disk's room, the rights and the limits of this machine\n",
      );
      return EXIT_FAILURE;
    }
    throw error;
  }
}

/** What the user's machine refuses, wherever in the work that was. */
const SYSTEM_CODES = ["ENOSPC", "EDQUOT", "EROFS", "EACCES", "EPERM", "EIO", "EMFILE", "ENFILE"];

function isSystemError(error: unknown): error is NodeJS.ErrnoException {
  return error instanceof Error && "code" in error && SYSTEM_CODES.includes(String(error.code));
}

/** Runs a program as this process: Ctrl-C or a TERM signal aborts it once, its name being the reason, a second one kills it. */
export async function runProcess(createProgram: (io: CliIo) => CommandUnknownOpts): Promise<void> {
  // ONNX Runtime (from 1.29 on) tells its makers what it runs, and reads this when it loads; a worker's own copy would not reach it.
  process.env["ORT_DISABLE_TELEMETRY"] ??= "1";
  const controller = new AbortController();
  const stop = (name: NodeJS.Signals): void => controller.abort(name);
  process.once("SIGINT", stop);
  process.once("SIGTERM", stop);
  const io: CliIo = { stdout: process.stdout, stderr: process.stderr, signal: controller.signal };
  process.stdout.on("error", (error: NodeJS.ErrnoException) => {
    if (error.code === "EPIPE") process.exit(EXIT_OK); // `| head` closed the pipe
    throw error;
  });
  try {
    process.exitCode = await runCli(createProgram(io), process.argv.slice(2), io);
  } catch (error) {
    // A fault of ours: the whole stack, and no dump of a library's source beside it.
    io.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
    process.exitCode = EXIT_FAILURE;
  }
  process.off("SIGINT", stop);
  process.off("SIGTERM", stop);
}

/** commander names a missing flag before an unknown one: of a misspelt flag it would say that it is missing. */
function refuseUnknownFlags(words: readonly string[], program: CommandUnknownOpts): void {
  const find = (word: string) =>
    program.options.find(({ long, short }) => long === word || short === word);
  for (const [index, word] of words.entries()) {
    if (word === "--") return;
    const flag = word.split("=", 1)[0] ?? "";
    const isValue = find(words[index - 1] ?? "")?.required === true;
    if (!flag.startsWith("--") || isValue || flag === "--help" || find(flag) !== undefined)
      continue;
    (program as unknown as { unknownOption(flag: string): never }).unknownOption(flag);
  }
}

/** `--audio-dir` → `--audio_dir`, for the flags that the program knows by that name. */
function underscoreFlags(argv: readonly string[], program: CommandUnknownOpts): string[] {
  const known = new Set(program.options.map((option) => option.long));
  const end = argv.indexOf("--");
  return argv.map((word, index) => {
    if (!word.startsWith("--") || (end !== -1 && index >= end)) return word;
    const [flag = "", ...rest] = word.split("=");
    const underscored = `--${flag.slice(2).replaceAll("-", "_")}`;
    if (known.has(flag) || !known.has(underscored)) return word;
    return [underscored, ...rest].join("=");
  });
}
