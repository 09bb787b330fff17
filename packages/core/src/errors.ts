/** What a failure is about; scripts and tests may rely on these. */
export type ErrorCode =
  | "E_INPUT_MISSING"
  | "E_INPUT_EMPTY"
  | "E_INPUT_BROKEN"
  | "E_LAYOUT"
  | "E_SETTINGS"
  | "E_FLAG"
  | "E_OUTPUT"
  | "E_UNAVAILABLE"
  | "E_LIMIT"
  | "E_ABORTED";

/**
 * A failure that the user can mend: printed as one line and a hint, without a stack, with exit status 1.
 * `message` reads "thing: rule, value got"; `hint` is the cure.
 */
export class UserError extends Error {
  override readonly name: string = "UserError";
  readonly code: ErrorCode;
  readonly hint: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { readonly hint?: string; readonly cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause });
    this.code = code;
    this.hint = options.hint;
  }
}

/** The first line of what went wrong, for a manifest's cause or a message. */
export function causeOf(error: unknown): string {
  const text = error instanceof Error ? error.message : String(error);
  return text.split("\n", 1)[0] ?? text;
}

/** What E_ABORTED says. */
export const ABORTED = "stopped before the end";

/** Throws E_ABORTED once the signal has fired; call it between the steps of long work. */
export function throwIfAborted(signal: AbortSignal | undefined): void {
  if (signal?.aborted === true) throw new UserError("E_ABORTED", ABORTED);
}
