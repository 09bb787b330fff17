import { type CliIo, runCli } from "../packages/core/src/cli/run.ts";
import type { CommandResult } from "./command.ts";

/**
 * Runs a program in this process, in the folder `cwd` (default: where it is): as a built command does, without the half second that a process
 * takes to start. One at a time.
 */
export async function runInProcess(
  createProgram: (io: CliIo) => Parameters<typeof runCli>[0],
  args: readonly string[],
  { cwd = ".", signal }: { readonly cwd?: string; readonly signal?: AbortSignal } = {},
): Promise<CommandResult> {
  let stdout = "";
  let stderr = "";
  const io: CliIo = {
    stdout: { write: (text: string) => ((stdout += text), true) },
    stderr: { write: (text: string) => ((stderr += text), true) },
    ...(signal === undefined ? {} : { signal }),
  };
  const before = process.cwd();
  process.chdir(cwd);
  try {
    const exitCode = await runCli(createProgram(io), args, io);
    return { exitCode, stdout, stderr };
  } finally {
    process.chdir(before);
  }
}
