import { UserError } from "../errors.ts";
import { statOf } from "./listFiles.ts";

/** The key of a file in a journal, which tells it from what it was before: its path, size and time of change. */
export function keyOfFile(path: string): string {
  const stat = statOf(path);
  return `${path} ${stat?.size} ${stat?.mtimeMs}`;
}

/** The error of a run that was stopped, with the way on where some of the work is done. */
export function withWayOn(error: unknown, done: number, inputs: number, unit: string): unknown {
  if (!(error instanceof UserError) || done === 0) return error;
  const wayOn = `${done} of ${inputs} ${unit} are done: the same command with --resume goes on with the others`;
  const hint = error.hint === undefined ? wayOn : `${error.hint}; ${wayOn}`;
  return new UserError(error.code, error.message, { hint, cause: error });
}
