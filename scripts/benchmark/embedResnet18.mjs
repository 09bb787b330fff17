/**
 * Times `embed --model resnet18` against another program with --images_dir, --weights and --out_h5, in turn (A B A B …), on the
 * same pictures and weights:
 *
 *     pnpm bench:resnet18 --images_dir DIR --weights FILE --peer "python embed_resnet18.py" [--files 1000] [--runs 5] [--flags "--batch_size 8"]
 *
 * The first --files pictures of the folder (by path) are copied first. Prints pictures per second with everything in it (start,
 * weights, decoding, network, writing), the processor time, the peak memory of the process that was started, and the ratios of
 * the medians. Where a program prints `images_per_second` of its own, which may leave out its start, that is compared with
 * our whole time too. On a busy machine the ratios, the processor time's above all, say more than the rates. Without --peer it
 * times ours alone.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";
import { copyPictures } from "./copyPictures.mjs";
import { median } from "./median.mjs";

const { values: flags } = parseArgs({
  options: {
    images_dir: { type: "string" },
    weights: { type: "string" },
    peer: { type: "string" },
    files: { type: "string", default: "1000" },
    runs: { type: "string", default: "5" },
    flags: { type: "string", default: "" },
  },
});
if (flags.images_dir === undefined) throw new Error("--images_dir DIR is required");
if (flags.weights === undefined) throw new Error("--weights FILE is required");

/** The system's clock ticks a second (Linux: USER_HZ). */
const TICKS = 100;

const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
const own = ["--model", "resnet18", "--quiet", ...flags.flags.split(" ").filter(Boolean)];
const programs = { ours: [process.execPath, join(root, "packages/embed/bin/embed.js"), ...own] };
if (flags.peer !== undefined) programs.peer = flags.peer.split(" ");
try {
  const target = join(folder, "pictures");
  const { folder: pictures, count } = copyPictures(flags.images_dir, target, Number(flags.files));
  const runs = await inTurn(programs, pictures);
  for (const [name, each] of Object.entries(runs)) console.log(line(name, each, count));
  if (runs.peer !== undefined) printRatios(runs, count);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function inTurn(commands, pictures) {
  const names = Object.keys(commands);
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let turn = 0; turn < Number(flags.runs); turn += 1)
    for (const name of names) {
      const output = join(folder, `${name}.h5`);
      const same = ["--images_dir", pictures, "--weights", flags.weights, "--out_h5", output];
      const [program, ...args] = commands[name];
      const run = await time(program, [...args, ...same]);
      runs[name].push(run);
      console.log(`${name} ${turn + 1}: ${run.seconds.toFixed(2)} s`);
      rmSync(output);
    }
  return runs;
}

/** Runs a program to its end: its wall time and processor time, seconds, its peak memory, MiB, and the rate that it prints. */
function time(program, args) {
  const started = performance.now();
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ["ignore", "pipe", "inherit"] });
    let used = {};
    let printed = "";
    child.stdout.on("data", (text) => (printed += text));
    const watch = setInterval(() => (used = resourcesOf(child.pid) ?? used), 20);
    child.on("error", fail);
    child.on("close", (status) => {
      clearInterval(watch);
      if (status !== 0) fail(new Error(`${program} ended with ${status}`));
      const rate = Number(/"images_per_second": ([\d.]+)/.exec(printed)?.[1]);
      done({ seconds: (performance.now() - started) / 1000, rate, ...used });
    });
  });
}

/** The system's own record (Linux) of what a process has used, its threads included. */
function resourcesOf(pid) {
  try {
    const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    if (kib === undefined) return undefined; // it has ended, and keeps no memory
    const fields = readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
    return {
      peak: Number(kib) / 1024,
      processor: (Number(fields[11]) + Number(fields[12])) / TICKS,
    };
  } catch {
    return undefined;
  }
}

function line(name, runs, count) {
  const all = runs.map(({ seconds }) => seconds);
  const range = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`;
  const seconds = medianOf(runs, "seconds");
  return (
    `${name}: median ${seconds.toFixed(2)} s (${range}), ${(count / seconds).toFixed(1)} pictures/s, ` +
    `${((1000 * medianOf(runs, "processor")) / count).toFixed(1)} ms of processor time a picture, ` +
    `peak ${medianOf(runs, "peak").toFixed(0)} MiB`
  );
}

function printRatios({ ours, peer }, count) {
  const ratio = (key) => (medianOf(peer, key) / medianOf(ours, key)).toFixed(2);
  console.log(`peer's wall time / ours: ${ratio("seconds")}`);
  console.log(`peer's processor time / ours: ${ratio("processor")}`);
  const rate = medianOf(peer, "rate");
  if (Number.isNaN(rate)) return;
  const whole = count / medianOf(ours, "seconds");
  console.log(
    `the rate the peer prints: ${rate.toFixed(1)} images/s; ours, start included, is ${(whole / rate).toFixed(2)} times that`,
  );
}

function medianOf(runs, key) {
  return median(runs.map((run) => run[key] ?? NaN));
}
