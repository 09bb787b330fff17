/**
 * Times audio-preprocess against another program with the same flags, in turn (A B A B …), on the same folder:
 *
 *     pnpm bench:audio --audio_dir DIR --peer "python preprocess_audio.py" [--files 7000] [--runs 5] [--workers 4]
 *
 * The folder's files are first copied under other names, until there are --files of them. Prints files per second, the
 * peak memory of the main process, and the ratio of the medians of the wall times. Without --peer it times audio-preprocess alone.
 */
import { spawn } from "node:child_process";
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { extname, join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";
import { median } from "./median.mjs";

const { values: flags } = parseArgs({
  options: {
    audio_dir: { type: "string" },
    peer: { type: "string" },
    files: { type: "string", default: "7000" },
    runs: { type: "string", default: "5" },
    workers: { type: "string", default: "4" },
  },
});
if (flags.audio_dir === undefined) throw new Error("--audio_dir DIR is required");

const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
const ours = [process.execPath, join(root, "packages/audio-preprocess/bin/audio-preprocess.js")];
const programs = { ours: [...ours, "--quiet", "--out_dir", folder] };
if (flags.peer !== undefined) programs.peer = flags.peer.split(" ");
try {
  const audio = replicate(flags.audio_dir, Number(flags.files));
  const runs = await inTurn(programs, audio);
  for (const [name, each] of Object.entries(runs)) console.log(line(name, each));
  if (runs.peer !== undefined) {
    const ratio = median(runs.peer.map(seconds)) / median(runs.ours.map(seconds));
    console.log(`ratio of medians (peer's seconds / ours): ${ratio.toFixed(1)}`);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Copies a folder's files, again and again under other names, until there are `count`. */
function replicate(source, count) {
  const target = join(folder, "audio");
  mkdirSync(target);
  const names = readdirSync(source)
    .filter((name) => extname(name) !== "")
    .sort();
  for (let i = 0; i < count; i += 1) {
    const copy = Math.floor(i / names.length);
    const name = names[i % names.length];
    copyFileSync(join(source, name), join(target, `${String(copy).padStart(4, "0")}_${name}`));
  }
  return target;
}

async function inTurn(commands, audio) {
  const names = Object.keys(commands);
  const runs = Object.fromEntries(names.map((name) => [name, []]));
  for (let turn = 0; turn < Number(flags.runs); turn += 1)
    for (const name of names) {
      const output = join(folder, `${name}.h5`);
      const same = ["--audio_dir", audio, "--out_h5", output, "--workers", flags.workers];
      const [program, ...args] = commands[name];
      const run = await time(program, [...args, ...same]);
      runs[name].push(run);
      console.log(`${name} ${turn + 1}: ${run.seconds.toFixed(2)} s`);
      rmSync(output);
    }
  return runs;
}

/** Runs a program to its end; the peak memory is of the process that was started, without its children, MiB (Linux; else undefined). */
function time(program, args) {
  const started = performance.now();
  return new Promise((done, fail) => {
    const child = spawn(program, args, { stdio: ["ignore", "ignore", "inherit"] });
    let peak;
    const watch = setInterval(() => (peak = peakMemory(child.pid) ?? peak), 50);
    child.on("error", fail);
    child.on("close", (status) => {
      clearInterval(watch);
      if (status !== 0) fail(new Error(`${program} ended with ${status}`));
      else done({ seconds: (performance.now() - started) / 1000, peak });
    });
  });
}

/** The system's own record of the most that a process has held, MiB. */
function peakMemory(pid) {
  try {
    const [, kib] = /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, "utf8")) ?? [];
    return kib === undefined ? undefined : Number(kib) / 1024;
  } catch {
    return undefined;
  }
}

function seconds(run) {
  return run.seconds;
}

function line(name, runs) {
  const all = runs.map(seconds);
  const rate = Number(flags.files) / median(all);
  const range = `${Math.min(...all).toFixed(2)} to ${Math.max(...all).toFixed(2)}`;
  const peak = Math.max(...runs.map((run) => run.peak ?? NaN));
  return `${name}: median ${median(all).toFixed(2)} s (${range}), ${rate.toFixed(0)} files/s, peak ${peak.toFixed(0)} MiB`;
}
