/**
 * Sends the service requests that were changed at random: files, forms, and the protocol itself.
 *
 *     pnpm fuzz:serve [--requests 10000] [--seed 1] [--clients 8]
 *
 * None may make it fail (status 500) or restart what predicts; afterwards it must answer, and have left no file, no program and no
 * memory that grows. Prints the statuses and the memory; exit status 1 where something else happened: the message has its index.
 */
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as delay } from "node:timers/promises";
import { parseArgs } from "node:util";
import { descendantsOf, memoryOf, startServe } from "../benchmark/startServe.ts";
import { fuzzService } from "./serveRequests.ts";

const { values: flags } = parseArgs({
  options: {
    requests: { type: "string", default: "10000" },
    seed: { type: "string", default: "1" },
    clients: { type: "string", default: "8" },
  },
});
const [requests, seed, atOnce] = [flags.requests, flags.seed, flags.clients].map(Number) as [
  number,
  number,
  number,
];
/** MiB that the processes may have grown by after the first quarter. */
const MOST_GROWTH = 150;

const temporary = mkdtempSync(join(tmpdir(), "emotion-service-fuzz-"));
const served = await startServe(["--quiet"], { TMPDIR: temporary });
const faults: string[] = [];
try {
  const { port } = new URL(served.url);
  const statuses = new Map<number, number>();
  const memories: number[] = [];
  const quarter = Math.ceil(requests / 4);
  for (let from = 0; from < requests; from += quarter) {
    const to = Math.min(requests, from + quarter);
    await fuzzService(Number(port), { seed, from, to, atOnce }, (index, { status, text }) => {
      statuses.set(status, (statuses.get(status) ?? 0) + 1);
      if (status === 500)
        faults.push(`request ${index} of seed ${seed}: ${text.split("\r\n\r\n")[1] ?? ""}`);
    });
    memories.push(memory());
    console.log(`${to} requests, ${memories.at(-1)?.toFixed(0)} MiB`);
  }
  console.log(
    [...statuses]
      .sort(([a], [b]) => a - b)
      .map(([status, n]) => `${status}: ${n}`)
      .join(", "),
  );
  if ((memories.at(-1) ?? 0) - (memories[0] ?? 0) > MOST_GROWTH) faults.push("the memory grows");
  await seeWhatIsLeft();
} finally {
  const status = await served.stop();
  if (status !== 0) faults.push(`the service ended with status ${status}`);
  rmSync(temporary, { recursive: true, force: true });
}
for (const fault of faults) console.log(fault);
process.exitCode = faults.length > 0 ? 1 : 0;

function memory(): number {
  return [served.pid, ...descendantsOf(served.pid)].reduce(
    (sum, pid) => sum + (memoryOf(pid) || 0),
    0,
  );
}

/** Once all is quiet: no files, no programs, no restart, and an answer. */
async function seeWhatIsLeft(): Promise<void> {
  await delay(2000);
  const [own = ""] = readdirSync(temporary).filter((name) =>
    name.startsWith("emotion-service-serve"),
  );
  const files = readdirSync(join(temporary, own));
  if (files.length > 0) faults.push(`files are left: ${files.join(", ")}`);
  const programs = descendantsOf(served.pid).length;
  if (programs > 2) faults.push(`${programs} programs run, not 2 at most`);
  const metrics = await (await fetch(`${served.url}/metrics`)).text();
  for (const [line] of metrics.matchAll(
    /^emotion_service_(?:predictor_restarts|visitors).* [1-9]\d*$/gm,
  ))
    faults.push(line);
  const { status } = await fetch(`${served.url}/health`);
  if (status !== 200) faults.push(`health is ${status}`);
}
