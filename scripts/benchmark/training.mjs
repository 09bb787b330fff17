/**
 * Times training against PyTorch, in turn (A B A B …), on the same rows:
 *
 *     pnpm bench:training --python PYTHON --peer train_multimodal.py [--model fusion|audio_cnn] [--rows 20000] [--epochs 3]
 *                         [--runs 3] [--backends wasm,tensorflow]
 *
 * fusion: made pairs of 512 + 128 values, batch 64, by train-multimodal and by the peer, a program with the same flags that
 * prints median_epoch_seconds. audio_cnn: made log-mel clips [64, 94], by scripts/benchmark/audioCnn.ts and audio_cnn.py.
 * Prints the median seconds of an epoch, and each ratio to PyTorch's.
 */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";
import { median } from "./median.mjs";

const { values: flags } = parseArgs({
  options: {
    model: { type: "string", default: "fusion" },
    python: { type: "string", default: "python3" },
    peer: { type: "string" },
    rows: { type: "string" },
    epochs: { type: "string", default: "3" },
    runs: { type: "string", default: "3" },
    backends: { type: "string", default: "wasm,tensorflow" },
  },
});
const folder = mkdtempSync(join(tmpdir(), "benchmark-"));
try {
  const programs = flags.model === "fusion" ? await fusionPrograms() : audioCnnPrograms();
  const seconds = await inTurn(programs);
  for (const [name, each] of Object.entries(seconds)) {
    const ratio = median(each) / median(seconds.pytorch);
    console.log(
      `${name.padEnd(12)} ${median(each).toFixed(3)} s an epoch, ${ratio.toFixed(2)} times PyTorch's`,
    );
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

async function fusionPrograms() {
  if (flags.peer === undefined) throw new Error("--peer FILE.py is required");
  const rows = flags.rows ?? "20000";
  const files = { train: join(folder, "train.h5"), val: join(folder, "val.h5") };
  const make = join(root, "scripts/make-large-pairs.ts");
  for (const [file, count, seed] of [
    [files.train, rows, "1"],
    [files.val, "1000", "2"],
  ])
    await output([
      process.execPath,
      "--import",
      "tsx",
      make,
      "--rows",
      count,
      "--seed",
      seed,
      "--out",
      file,
    ]);
  const same = ["--train_h5", files.train, "--val_h5", files.val, "--epochs", flags.epochs];
  const ours = [process.execPath, join(root, "packages/train-multimodal/bin/train-multimodal.js")];
  const out = ["--save_dir", join(folder, "models"), "--json", "--quiet"];
  return {
    pytorch: [flags.python, flags.peer, ...same],
    ...perBackend((name) => [...ours, ...same, ...out, "--backend", name]),
  };
}

function audioCnnPrograms() {
  const same = ["--rows", flags.rows ?? "640", "--epochs", flags.epochs];
  const script = join(root, "scripts/benchmark/audioCnn.ts");
  return {
    pytorch: [flags.python, join(root, "scripts/benchmark/audio_cnn.py"), ...same],
    ...perBackend((name) => [
      process.execPath,
      "--import",
      "tsx",
      script,
      ...same,
      "--backend",
      name,
    ]),
  };
}

function perBackend(command) {
  return Object.fromEntries(flags.backends.split(",").map((name) => [name, command(name)]));
}

async function inTurn(programs) {
  const seconds = Object.fromEntries(Object.keys(programs).map((name) => [name, []]));
  for (let turn = 1; turn <= Number(flags.runs); turn += 1)
    for (const [name, command] of Object.entries(programs)) {
      const { median_epoch_seconds: epoch } = JSON.parse(await output(command));
      seconds[name].push(epoch);
      console.log(`turn ${turn}: ${name.padEnd(12)} ${epoch.toFixed(3)} s`);
    }
  return seconds;
}

/** What a program prints on stdout. */
function output([program, ...args]) {
  return new Promise((done, fail) => {
    const child = spawn(program, args, { cwd: root, stdio: ["ignore", "pipe", "inherit"] });
    let text = "";
    child.stdout.setEncoding("utf8").on("data", (more) => (text += more));
    child.on("error", fail);
    child.on("close", (status) =>
      status === 0 ? done(text) : fail(new Error(`${program} ended with ${status}`)),
    );
  });
}
