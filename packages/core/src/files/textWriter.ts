import { closeSync, openSync, writeFileSync } from "node:fs";
import { outputError } from "./outputs.ts";

/** A text file that is written piece by piece, a few pieces being in memory at a time. */
export interface TextWriter {
  write(text: string): void;
  /** Writes what is held, and closes the file. */
  close(): void;
}

/** Text that is held before it is written, characters. */
const TEXT_HELD = 1 << 18;

/**
 * Starts a text file, in place of one of that name.
 * @throws UserError E_OUTPUT, from any of its functions, when it cannot be written: the disk is full
 */
export function createTextWriter(path: string): TextWriter {
  const attempt = <T>(work: () => T): T => {
    try {
      return work();
    } catch (error) {
      throw outputError(path, error);
    }
  };
  const file = attempt(() => openSync(path, "w"));
  let held = "";
  const flush = (): void => {
    attempt(() => writeFileSync(file, held));
    held = "";
  };
  return {
    write: (text) => {
      held += text;
      if (held.length >= TEXT_HELD) flush();
    },
    close: () => {
      try {
        flush();
      } finally {
        closeSync(file);
      }
    },
  };
}
