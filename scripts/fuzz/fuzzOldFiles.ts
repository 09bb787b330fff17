/**
 * Feeds the readers of old files (joblib, pickle, torch.save) with files that were changed at random, in processes of their own.
 *
 *     pnpm fuzz:old-files [--inputs 1000000] [--seed 1] [--processes 2]
 *     pnpm fuzz:old-files --only INDEX [--seed 1]                     one input, in this process, with its error
 *
 * Each input must be read or refused by a UserError, within 10 s of a processor's time and 1 GiB. Prints the inputs a second,
 * what became of them, the slowest and the most memory; exit status 1 where one did something else: the message has its index.
 */
import { type ChildProcess, fork } from "node:child_process";
import { parseArgs } from "node:util";
import { mutated } from "./mutate.ts";
import { oldFiles, readOld } from "./oldFiles.ts";

const SECONDS = 10;
/** A process that says nothing for so long hangs; others may want the machine too. */
const SILENT_SECONDS = 120;
const MEBIBYTES = 1024;
/** Inputs between two words of a process to the one that watches it. */
const BATCH = 100;

const { values: flags } = parseArgs({
  options: {
    inputs: { type: "string", default: "1000000" },
    seed: { type: "string", default: "1" },
    processes: { type: "string", default: "2" },
    only: { type: "string" },
    slice: { type: "string" },
  },
});
const [inputs, seed, processes] = [flags.inputs, flags.seed, flags.processes].map(Number) as [
  number,
  number,
  number,
];

/** What a process says before its next inputs, and at the end. */
interface Progress {
  readonly next: number;
  readonly outcomes: Readonly<Record<string, number>>;
  readonly slowestMs: number;
  readonly slowest: number;
  readonly rssMebibytes: number;
}

if (flags.only !== undefined)
  console.log(await readOld(mutated(oldFiles(), seed, Number(flags.only))));
else if (flags.slice !== undefined) await runSlice(Number(flags.slice));
else await watchAll();

/** Every `processes`-th input from `slice` on. */
async function runSlice(slice: number): Promise<void> {
  const corpus = oldFiles();
  const outcomes: Record<string, number> = {};
  let [slowestMs, slowest] = [0, 0];
  for (let index = slice, done = 0; index < inputs; index += processes, done += 1) {
    if (done % BATCH === 0) tell(index);
    const bytes = mutated(corpus, seed, index);
    const start = process.cpuUsage();
    const outcome = await readOld(bytes).catch((error: unknown) => {
      throw new Error(`input ${index}`, { cause: error });
    });
    const { user, system } = process.cpuUsage(start);
    const milliseconds = (user + system) / 1000;
    if (milliseconds > 1000 * SECONDS) throw new Error(`input ${index}: ${milliseconds} ms`);
    if (milliseconds > slowestMs) [slowestMs, slowest] = [milliseconds, index];
    outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
  }
  tell(inputs);
  process.disconnect();

  function tell(next: number): void {
    const rssMebibytes = process.memoryUsage.rss() / 2 ** 20;
    const progress: Progress = { next, outcomes, slowestMs, slowest, rssMebibytes };
    process.send?.(progress);
  }
}

async function watchAll(): Promise<void> {
  const start = performance.now();
  const stop = new AbortController();
  const reports = await Promise.all(
    Array.from({ length: processes }, (_, slice) => watch(slice, stop.signal)),
  ).finally(() => stop.abort());
  const seconds = (performance.now() - start) / 1000;
  const outcomes: Record<string, number> = {};
  for (const report of reports)
    for (const [outcome, count] of Object.entries(report.outcomes))
      outcomes[outcome] = (outcomes[outcome] ?? 0) + count;
  const slowest = reports.toSorted((a, b) => b.slowestMs - a.slowestMs)[0]!;
  console.log(
    JSON.stringify({
      inputs,
      seed,
      processes,
      per_second: Math.round(inputs / seconds),
      outcomes,
      slowest_ms: Math.round(slowest.slowestMs),
      slowest_input: slowest.slowest,
      most_mebibytes: Math.round(Math.max(...reports.map((report) => report.rssMebibytes))),
    }),
  );
}

/** Runs a slice in a process; throws when that crashes, is silent for too long, or grows too large. */
function watch(slice: number, signal: AbortSignal): Promise<Progress> {
  const args = [...process.argv.slice(2), "--slice", String(slice)];
  const child: ChildProcess = fork(import.meta.filename, args, { signal, killSignal: "SIGKILL" });
  return new Promise((resolve, reject) => {
    let last: Progress | undefined;
    let most = 0;
    const fail = (what: string): void =>
      reject(new Error(`${what}, from input ${last?.next ?? slice} on (every ${processes}th)`));
    const arm = (): NodeJS.Timeout =>
      setTimeout(() => fail(`silent for ${SILENT_SECONDS} s`), SILENT_SECONDS * 1000);
    let timer = arm();
    child.on("message", (message) => {
      last = message as Progress;
      most = Math.max(most, last.rssMebibytes);
      clearTimeout(timer);
      timer = arm();
      if (last.rssMebibytes > MEBIBYTES) fail(`${Math.round(last.rssMebibytes)} MiB`);
      if (slice === 0 && last.next % 50_000 === 0) console.error(`${last.next} of ${inputs}`);
    });
    child.on("error", (error) => fail(error.message));
    child.on("exit", (code) => {
      clearTimeout(timer);
      if (code !== 0 || last?.next !== inputs) fail(`ended with exit status ${code}`);
      else resolve({ ...last, rssMebibytes: most });
    });
  });
}
