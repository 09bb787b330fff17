import { chmodSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { isRunning } from "@emotion-service/core/files/processes";
import { expect, it } from "vitest";
import { runCommand } from "../../../test/command.ts";
import { clip, folderOf, readManifest, readRows, writeLongClip } from "./clips.ts";

const FLAGS = ["--audio_dir", "clips", "--out_h5", "audio.h5", "--out_dir", "out", "--quiet"];
const LIMITED = [...FLAGS, "--time_limit", "1", "--workers", "2"];

/** What is in the manifest of each file, and that the HDF5 file has those that are ok, in order. */
async function statuses(folder: string) {
  const lines = readManifest(join(folder, "out/audio_manifest.csv"));
  const { paths } = await readRows(join(folder, "audio.h5"));
  expect(paths).toEqual(lines.filter(({ status }) => status === "ok").map(({ path }) => path));
  return lines.map(({ path, status, cause }) => [path, status, cause].join(" "));
}

it.each([
  ["that never answers", ""],
  ["that never answers and will not end when told to", "trap '' TERM INT HUP"],
  ["that stops in the middle of its answer", "printf RIFF"],
])("an ffmpeg %s costs its file alone, and is ended", async (_, line) => {
  const folder = folderOf({
    "a.wav": clip({ seconds: 0.3 }),
    "b.mp3": "ffmpeg would read this",
    "c.wav": clip({ seconds: 0.4 }),
    "d.wav": clip({ seconds: 0.5 }),
  });
  const script = join(folder, "ffmpeg");
  writeFileSync(script, `#!/bin/sh\n${line}\necho $$ >> "${folder}/processes"\nexec sleep 100\n`);
  chmodSync(script, 0o755);
  const env = { FFMPEG_PATH: script };
  const { exitCode, stderr } = await runCommand("audio-preprocess", LIMITED, { cwd: folder, env });
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  expect(await statuses(folder)).toEqual([
    "a.wav ok ",
    "b.mp3 failed took longer than 1 s",
    "c.wav ok ",
    "d.wav ok ",
  ]);
  const started = readFileSync(join(folder, "processes"), "utf8").trim().split("\n").map(Number);
  expect(started.length).toBeGreaterThan(0);
  await expect.poll(() => started.filter(isRunning)).toEqual([]);
});

it("a clip that keeps a worker busy for longer costs that clip alone", async () => {
  const folder = folderOf({
    "a.wav": clip({ seconds: 0.3 }),
    "c.wav": clip({ seconds: 0.4 }),
    "d.wav": clip({ seconds: 0.5 }),
  });
  writeLongClip(join(folder, "clips", "b.wav"));
  const flags = [...LIMITED, "--json", "--workers", "1"]; // the others wait behind it
  const { exitCode, stdout } = await runCommand("audio-preprocess", flags, { cwd: folder });
  expect(exitCode).toBe(0);
  expect(await statuses(folder)).toEqual([
    "a.wav ok ",
    "b.wav failed took longer than 1 s",
    "c.wav ok ",
    "d.wav ok ",
  ]);
  expect(JSON.parse(stdout)).toMatchObject({ causes: { "took longer than 1 s": 1 }, written: 3 });
});
