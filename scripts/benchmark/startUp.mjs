/**
 * Times cold starts: the help of every command, and predict on one picture and one clip where models are named.
 *
 *     pnpm bench:start-up [--runs 10] [--multimodal FOLDER] [--isolation FILE] [--image FILE] [--audio FILE]
 *
 * Prints medians in milliseconds; "node" is an empty program, what Node itself takes.
 */
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { root } from "../setup.mjs";

const { values: flags } = parseArgs({
  options: {
    runs: { type: "string", default: "10" },
    multimodal: { type: "string" },
    isolation: { type: "string" },
    image: { type: "string" },
    audio: { type: "string" },
  },
});
const programs = { node: ["--eval", "0"], ...helps(), ...predictions() };
const times = Object.fromEntries(Object.keys(programs).map((name) => [name, []]));
for (let run = 0; run < Number(flags.runs); run += 1)
  for (const [name, args] of Object.entries(programs)) times[name].push(time(args));
for (const [name, each] of Object.entries(times)) {
  each.sort((a, b) => a - b);
  console.log(`${name.padEnd(28)} ${each[each.length >> 1].toFixed(0).padStart(5)} ms`);
}

/** Every bin of the workspace, with --help. */
function helps() {
  const packages = readdirSync(join(root, "packages"));
  const bins = packages.flatMap((name) => {
    const folder = join(root, "packages", name, "bin");
    const files = name === "core" ? [] : readdirSync(folder);
    return files.map((file) => [
      `${file.replace(/\.js$/, "")} --help`,
      [join(folder, file), "--help"],
    ]);
  });
  return Object.fromEntries(bins);
}

function predictions() {
  const models = ["multimodal", "isolation"].flatMap((name) =>
    flags[name] === undefined ? [] : [`--${name}`, flags[name]],
  );
  if (models.length === 0) return {};
  const bin = join(root, "packages/predict/bin/predict.js");
  const inputs = ["image", "audio"].filter((name) => flags[name] !== undefined);
  return Object.fromEntries(
    inputs.map((name) => [`predict --${name}`, [bin, ...models, `--${name}`, flags[name]]]),
  );
}

function time(args) {
  const started = performance.now();
  const { status, stderr } = spawnSync(process.execPath, args, { encoding: "utf8" });
  if (status !== 0) throw new Error(`${args.join(" ")} ended with ${status}: ${stderr}`);
  return performance.now() - started;
}
