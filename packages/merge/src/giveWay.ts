import { setImmediate as nextTurn } from "node:timers/promises";
import { throwIfAborted } from "@emotion-service/core/errors";

/** Lets a signal come in: reading and writing HDF5 wait for nothing. Throws E_ABORTED once one has. */
export async function giveWay(signal: AbortSignal | undefined): Promise<void> {
  await nextTurn();
  throwIfAborted(signal);
}
