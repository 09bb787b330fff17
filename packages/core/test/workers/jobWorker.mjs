import { setTimeout as sleep } from "node:timers/promises";
import { serveJobs } from "../../dist/workers/serve.js";

/** A worker as `pool.test.ts` wants it, on the built `serveJobs` (a worker thread reads no TypeScript): doubles `value` after `ms`; `how` says how a job ends instead. */
serveJobs(
  ({ offset, left }) => {
    process.on("exit", () => left && Atomics.store(left, 0, 1)); // not where the thread is ended from outside
    return async ({ value, ms = 0, how = "well" }) => {
      await sleep(ms);
      if (how === "throws") throw new Error(`no good: ${value}\nand a second line`);
      if (how === "exits") process.exit(3);
      if (how === "hangs") for (;;);
      if (how === "waits") await new Promise(() => {}); // for what never comes
      if (how === "crashes") {
        setTimeout(() => {
          throw new Error("out of nowhere");
        });
        await sleep(60_000);
      }
      return Float64Array.of(2 * value + offset);
    };
  },
  (result) => [result.buffer],
);
