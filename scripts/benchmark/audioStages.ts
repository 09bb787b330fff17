/**
 * Where the time of audio-preprocess goes, stage by stage on one thread, and how far that is from what this machine could do:
 *
 *     pnpm bench:audio-stages DIR        (a folder of 16-bit WAV or FLAC files, defaults of the flags)
 *
 * Each stage runs over all files by itself, the best of five rounds counting.
 */
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { bytesOfFile } from "../../packages/core/src/audio/bytes.ts";
import { powerToDb } from "../../packages/core/src/audio/decibels.ts";
import { openSound } from "../../packages/core/src/audio/decode.ts";
import { floatsAt, kernel, store } from "../../packages/core/src/audio/kernel.ts";
import { createLogMelExtractor } from "../../packages/core/src/audio/logMel.ts";
import { DEFAULT_LOG_MEL } from "../../packages/core/src/audio/logMelConfig.ts";
import { createMelSpectrogram } from "../../packages/core/src/audio/melSpectrogram.ts";
import { soundOf } from "../../packages/core/src/audio/sound.ts";
import { LANES, createSpectra } from "../../packages/core/src/audio/spectra.ts";
import { trimBounds } from "../../packages/core/src/audio/trim.ts";
import { openJournal } from "../../packages/core/src/files/journal.ts";
import { createFeatureWriter } from "../../packages/core/src/hdf5/preprocessedAudioWriter.ts";

const ROUNDS = 5;
const REPEATS = 500;
const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error("name a folder of WAV or FLAC files");
const root = resolve(import.meta.dirname, "../..");
const scratch = mkdtempSync(join(tmpdir(), "stages-"));
const files = readdirSync(folder)
  .filter((name) => /\.(wav|flac)$/i.test(name))
  .slice(0, 1000)
  .map((name) => join(folder, name));

const config = DEFAULT_LOG_MEL;
const { n_fft: nFft, hop_length: hop, n_mels: nMels, sr } = config;
const samplesAClip = config.fixed_duration * sr;
const frames = 1 + Math.floor(samplesAClip / hop);
const noise = Float32Array.from({ length: samplesAClip + 2 * nFft }, (_, i) => Math.sin(i * i));
const features = Float32Array.from({ length: nMels * frames }, (_, i) => (i % 80) / 80);

try {
  const stages = await measureStages();
  const whole = await measureWhole();
  report(stages, whole);
} finally {
  rmSync(scratch, { recursive: true, force: true });
}

/** Microseconds a file of each stage. */
async function measureStages(): Promise<Map<string, number>> {
  const room = new Uint8Array(1 << 20);
  const samples = store(noise);
  const hops = Math.ceil(samplesAClip / 512);
  const sums = kernel.allocate(8 * hops);
  const spectra = createSpectra(nFft);
  const startMel = createMelSpectrogram(config);
  const transforms = await best(() => {
    for (let t = 0; t < frames; t += LANES) spectra.measure(samples, hop);
  });
  const mel = await best(() => {
    const run = startMel(frames);
    run.push(floatsAt(samples, samplesAClip + nFft), 0.9);
    run.finish();
  });
  const read = await bestOfFiles((path) => {
    const bytes = bytesOfFile(path);
    bytes.readInto(room, 0);
  });
  const decoded = await bestOfFiles(async (path) => (await openSound(path)).read(() => true));
  const trim = await best(() => {
    kernel.energies(samples, hops, 512, sums);
    const energies = new Float64Array(kernel.memory.buffer, sums, hops);
    trimBounds(energies, samplesAClip, config.top_db);
    kernel.peak(samples, samplesAClip);
  });
  return new Map([
    ["read (open, stat, read, close)", read],
    ["open and decode (that read taken off)", decoded - read],
    ["trim and peak", trim],
    ["window, FFT, power", transforms],
    ["framing and mel", mel - transforms],
    ["decibels", await best(() => powerToDb(features.slice()))],
    ["journal (append, read back)", await measureJournal()],
    ["write (HDF5)", await measureWriter()],
  ]);
}

async function measureJournal(): Promise<number> {
  const journal = openJournal<object>(join(scratch, "a.h5"), {}, false);
  let key = 0;
  const time = await best(() => {
    journal.append(String(key), { frames }, features);
    journal.read(String(key));
    key += 1;
  });
  journal.close(true);
  return time;
}

async function measureWriter(): Promise<number> {
  const writer = await createFeatureWriter(join(scratch, "b.h5"), {
    config,
    batchRows: 64,
    compression: "none",
  });
  const row = { features, frames, label: "happy", path: "clip.wav" };
  const time = await best(() => writer.add(row));
  writer.close();
  return time;
}

/** The whole extraction on one thread: of files, and of sounds in memory. */
async function measureWhole(): Promise<{ readonly file: number; readonly sound: number }> {
  const extract = createLogMelExtractor(config);
  const file = await bestOfFiles(async (path) => extract(await openSound(path)));
  const sound = soundOf(noise.slice(0, samplesAClip), sr);
  return { file, sound: await best(() => extract(sound)) };
}

/** Microseconds a call, the best round's mean. */
async function best(work: () => unknown): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    for (let i = 0; i < REPEATS; i += 1) await work();
    least = Math.min(least, performance.now() - started);
  }
  return (1000 * least) / REPEATS;
}

async function bestOfFiles(work: (path: string) => unknown): Promise<number> {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    for (const path of files) await work(path);
    least = Math.min(least, performance.now() - started);
  }
  return (1000 * least) / files.length;
}

/** What one thread of this machine can do: GFLOP/s of 128-bit lanes, GB/s of a copy in memory. */
function machineLimits(): { readonly gflops: number; readonly gigabytes: number } {
  const asc = join(root, "packages/core/node_modules/assemblyscript/bin/asc.js");
  const source = join(root, "packages/core/kernel/benchmark/peak.ts");
  const target = join(scratch, "peak.wasm");
  execFileSync(process.execPath, [
    asc,
    source,
    "-O3",
    "--enable",
    "simd",
    "--runtime",
    "stub",
    "--outFile",
    target,
  ]);
  interface WebAssemblyApi {
    readonly Module: new (bytes: Uint8Array) => object;
    readonly Instance: new (module: object) => { readonly exports: unknown };
  }
  const { Module, Instance } = (globalThis as unknown as { WebAssembly: WebAssemblyApi })
    .WebAssembly;
  const { multiplyAdd } = new Instance(new Module(readFileSync(target))).exports as {
    readonly multiplyAdd: (steps: number) => number;
  };
  const steps = 10_000_000;
  const flops = bestSync(() => multiplyAdd(steps), 64 * steps);
  const [from, to] = [new Uint8Array(1 << 26).fill(1), new Uint8Array(1 << 26).fill(2)];
  const bytes = bestSync(() => to.set(from), 2 * from.length); // read and written
  return { gflops: flops / 1e9, gigabytes: bytes / 1e9 };
}

/** Amount a second, in the best of the rounds. */
function bestSync(work: () => unknown, amount: number): number {
  let least = Infinity;
  for (let round = 0; round < ROUNDS; round += 1) {
    const started = performance.now();
    work();
    least = Math.min(least, performance.now() - started);
  }
  return (1000 * amount) / least;
}

function report(stages: ReadonlyMap<string, number>, whole: { file: number; sound: number }): void {
  const total = [...stages.values()].reduce((sum, time) => sum + time, 0);
  console.log(`${files.length} files; microseconds a file on one thread\n`);
  for (const [name, time] of stages)
    console.log(
      `${name.padEnd(38)} ${time.toFixed(1).padStart(8)}  ${((100 * time) / total).toFixed(0).padStart(3)} %`,
    );
  console.log(`${"sum".padEnd(38)} ${total.toFixed(1).padStart(8)}`);
  console.log(
    `${"measured: a file to its features".padEnd(38)} ${whole.file.toFixed(1).padStart(8)}`,
  );
  console.log(
    `${"measured: 3 s in memory to features".padEnd(38)} ${whole.sound.toFixed(1).padStart(8)}\n`,
  );
  const { gflops, gigabytes } = machineLimits();
  // A real transform of n samples: 2.5 n log2 n; window n; power 1.5 n; mel: two bands a bin, a product and a sum each.
  const flop =
    frames * (2.5 * nFft * Math.log2(nFft) + nFft + 1.5 * nFft + 4 * (nFft / 2)) + 5 * samplesAClip;
  const bytes = 2 * (2 + 4 + 4) * samplesAClip + 2 * 3 * 4 * features.length; // file, samples, trimmed; features thrice
  const compute = flop / gflops / 1000;
  const memory = bytes / gigabytes / 1000;
  console.log(
    `limits of one thread: ${gflops.toFixed(1)} GFLOP/s in 128-bit lanes, ${gigabytes.toFixed(1)} GB/s of copying`,
  );
  console.log(
    `a clip of 3 s needs ${(flop / 1e6).toFixed(2)} MFLOP (${compute.toFixed(0)} µs at that rate) and moves ${(bytes / 1e6).toFixed(2)} MB (${memory.toFixed(0)} µs)`,
  );
  console.log(
    `measured / limit, 3 s in memory to features: ${(whole.sound / (compute + memory)).toFixed(1)}`,
  );
}
