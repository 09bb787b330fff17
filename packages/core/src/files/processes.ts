import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";

/** Tells this machine from others that share its disk. */
export const MACHINE = createHash("sha256").update(hostname()).digest("hex").slice(0, 6);

/** Whether a process of this machine is running: one that has ended may still be listed until its parent asks for it. */
export function isRunning(processId: number): boolean {
  try {
    process.kill(processId, 0);
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "EPERM";
  }
  return statusOf(processId)?.[0] !== "Z";
}

/**
 * When a process of this machine was started, in ticks since the machine was: tells it from an earlier one of its number.
 * "" where the system does not say.
 */
export function startOf(processId: number): string {
  return statusOf(processId)?.[19] ?? "";
}

/** The fields of Linux's /proc/ID/stat after the program's name: its state first. */
function statusOf(processId: number): string[] | undefined {
  try {
    const line = readFileSync(`/proc/${processId}/stat`, "latin1");
    return line.slice(line.lastIndexOf(")") + 2).split(" ");
  } catch {
    return undefined; // no such process, or no /proc here
  }
}
