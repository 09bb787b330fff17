import { throwIfAborted } from "./errors.ts";

/** Lets signals and messages through, and stops when the signal has fired: call it between the steps of long work. */
export async function breathe(signal?: AbortSignal): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  throwIfAborted(signal);
}
