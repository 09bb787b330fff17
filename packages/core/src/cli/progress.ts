import type { CliIo } from "./run.ts";

/** Tells how far the work is: `done` of `total` (0: unknown) things called `unit`. */
export type OnProgress = (done: number, total: number, unit: string) => void;

const PLAIN_EVERY_MS = 10_000;
const TERMINAL_EVERY_MS = 100;

/**
 * Progress on stderr: a line that rewrites itself on a terminal, a plain line every ten seconds elsewhere,
 * nothing when quiet. Time stands only here, never in a result.
 */
export function createProgress(
  io: CliIo,
  quiet: boolean,
): { readonly report: OnProgress; readonly end: () => void } {
  if (quiet) return { report: () => {}, end: () => {} };
  const terminal = io.stderr.isTTY === true;
  let started = performance.now();
  let before = 0; // done by an earlier run: no part of this one's rate
  let last = started;
  let unitSoFar = "";
  let drawn = false;
  const report: OnProgress = (done, total, unit) => {
    const now = performance.now();
    if (unit !== unitSoFar) {
      unitSoFar = unit;
      started = now;
      before = done;
      last = now;
    }
    if (now - last < (terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS)) return;
    last = now;
    const rate = (1000 * (done - before)) / Math.max(1, now - started);
    const line = progressLine(done, total, unit, rate);
    io.stderr.write(terminal ? `\r\u001B[2K${line}` : `${line}\n`);
    drawn = terminal;
  };
  const end = (): void => {
    if (drawn) io.stderr.write("\r\u001B[2K");
    drawn = false;
  };
  return { report, end };
}

/** @param rate things a second */
function progressLine(done: number, total: number, unit: string, rate: number): string {
  const speed = `${rate < 10 ? rate.toFixed(1) : Math.round(rate)} ${unit}/s`;
  if (total <= 0) return `${done} ${unit}, ${speed}`;
  const left = rate > 0 ? `, ${duration((total - done) / rate)} left` : "";
  return `${done}/${total} ${unit} (${Math.floor((100 * done) / total)} %), ${speed}${left}`;
}

/** 75 → "1 min 15 s". */
export function duration(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
