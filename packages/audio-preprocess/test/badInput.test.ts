import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand } from "../../../test/command.ts";
import { clip, folderOf, writeLongClip } from "./clips.ts";

/** Runs audio-preprocess in `folder`, outputs in a folder `out` that is not there; nothing may be left. */
async function runBadly(folder: string, ...args: string[]) {
  const before = namesIn(folder);
  const outputs = ["--out_h5", "out/audio.h5", "--out_dir", "out/manifest", "--quiet"];
  const result = await runCommand("audio-preprocess", [...outputs, ...args], { cwd: folder });
  expect(namesIn(folder)).toEqual(before);
  expect(result.stdout).toBe("");
  expect(result.stderr).not.toMatch(/^\s+at /m);
  return result;
}

describe("audio-preprocess on bad input", () => {
  it("names a folder that is missing", async () => {
    const folder = folderOf({});
    expect(await runBadly(folder, "--audio_dir", "none")).toEqual({
      exitCode: 1,
      stdout: "",
      stderr:
        "audio-preprocess: --audio_dir none: no such folder\n" +
        "  hint: check the spelling; a relative path starts at the folder the command runs in\n",
    });
  });

  it("refuses a file in place of a folder", async () => {
    const folder = folderOf({ "a.wav": clip() });
    const { exitCode, stderr } = await runBadly(folder, "--audio_dir", "clips/a.wav");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--audio_dir clips/a.wav: must be a folder, is a file");
  });

  it.each([
    ["an empty folder", {}],
    ["a folder without audio files", { "notes.txt": "no sound", "sub/picture.jpg": "no sound" }],
  ])("refuses %s", async (_, files) => {
    const { exitCode, stderr } = await runBadly(folderOf(files), "--audio_dir", "clips");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("--audio_dir clips: holds no file that ends in .wav");
    expect(stderr).toContain("hint: name the folder that holds the files");
  });

  it("refuses a folder with only broken files, and says what is wrong with them", async () => {
    const folder = folderOf({
      "a.wav": "",
      "b.wav": "",
      "c.wav": clip().subarray(0, 36),
      "d.mp3": "no sound",
    });
    const { exitCode, stderr } = await runBadly(folder, "--audio_dir", "clips");
    expect(exitCode).toBe(1);
    const [message, hint, end] = stderr.split("\n");
    expect(message).toBe(
      "audio-preprocess: --audio_dir clips: none of its 4 audio files could be read",
    );
    expect(hint).toMatch(
      /^ {2}hint: 2 × is empty \(0 bytes\); 1 × ffmpeg cannot read it \(Invalid .+\); 1 × holds no sound: it has no 'data' chunk$/,
    );
    expect(end).toBe("");
  });

  it.each([
    ["a missing label file", undefined, "--labels labels.csv: no such file"],
    [
      "a label file without its columns",
      "file,emotion\na.wav,sad\n",
      "lacks the column 'path' (it has: file, emotion)",
    ],
  ])("refuses %s", async (_, text, message) => {
    const folder = folderOf({ "a.wav": clip() });
    if (text !== undefined) writeFileSync(join(folder, "labels.csv"), text);
    const { exitCode, stderr } = await runBadly(
      folder,
      "--audio_dir",
      "clips",
      "--labels",
      "csv:labels.csv",
    );
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
  });
});

it("refuses to write over a clip that it reads", async () => {
  const folder = folderOf({ "a.wav": clip() });
  const args = ["--audio_dir", "clips", "--out_h5", "clips/a.wav"];
  const { exitCode, stderr } = await runBadly(folder, ...args);
  expect(exitCode).toBe(2);
  expect(stderr).toContain("clips/a.wav: would replace an input of that name");
});

it("refuses a label file none of whose paths is a clip", async () => {
  const folder = folderOf({ "a.wav": clip() });
  writeFileSync(join(folder, "labels.csv"), "path,label\nclips/a.wav,sad\n");
  const args = ["--audio_dir", "clips", "--labels", "csv:labels.csv"];
  const { exitCode, stderr } = await runBadly(folder, ...args);
  expect(exitCode).toBe(1);
  expect(stderr).toContain(
    "none of its 1 paths, such as 'clips/a.wav', is one of the 1 audio files",
  );
});

describe("audio-preprocess with an output that cannot be written", () => {
  it.each([
    ["the HDF5 file", ["--out_h5", "file/audio.h5"], "file/audio.h5: cannot be written"],
    ["the manifest", ["--out_dir", "file"], "file/audio_manifest.csv: cannot be written"],
    [
      "a folder in the way",
      ["--out_h5", "taken"],
      "taken: cannot be written (a folder of that name is in the way)",
    ],
    [
      "a folder in the manifest's way",
      ["--out_dir", ".", "--manifest_name", "taken"],
      "a folder of that name is in the way",
    ],
  ])("%s: nothing is left", async (_, flags, message) => {
    const folder = folderOf({ "a.wav": clip({ seconds: 0.1 }) });
    writeFileSync(join(folder, "file"), "in the way");
    mkdirSync(join(folder, "taken"));
    const { exitCode, stderr } = await runBadly(folder, "--audio_dir", "clips", ...flags);
    expect(exitCode).toBe(1);
    expect(stderr).toContain(message);
    expect(stderr).toContain("hint: name a place where you may create files");
  });

  it("one name for both", async () => {
    const folder = folderOf({ "a.wav": clip({ seconds: 0.1 }) });
    const flags = ["--out_h5", "both", "--out_dir", ".", "--manifest_name", "both"];
    const { exitCode, stderr } = await runBadly(folder, "--audio_dir", "clips", ...flags);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("both: must be one output, is the name of two");
  });
});

describe("audio-preprocess with wrong flags", () => {
  it.each([
    [["--sr", "fast"], "must be a whole number from 1000 to 384000, got 'fast'"],
    [["--n_fft", "8"], "must be a whole number from 16 to 65536, got '8'"],
    [["--hop_length", "0"], "must be a whole number from 1 to 65536, got '0'"],
    [["--n-mels", "6.5"], "got '6.5'"],
    [["--fixed_duration", "-3"], "must be a number from 0 to 86400, got '-3'"],
    [["--top_db", "loud"], "must be a number from 0 to 200, got 'loud'"],
    [["--pad_mode", "edge"], "Allowed choices are constant, reflect, wrap"],
    [["--workers", "0"], "must be a whole number from 1 to 256, got '0'"],
    [["--compression", "zip"], "Allowed choices are none, gzip"],
    [
      ["--labels", "names"],
      "--labels names: must be auto, cremad, ravdess, emodb, tess, savee, folder or csv:FILE",
    ],
    [
      ["--features", "mel,loudness"],
      "must be mel and any of mfcc, chroma, rms, zcr, spectralCentroid, spectralBandwidth, spectralRolloff, spectralFlatness, spectralContrast, got 'loudness'",
    ],
    [["--features", "mfcc,rms"], "must have mel in it, got 'mfcc,rms': it is always stored"],
    [["--features", "mel,"], "got ''"],
    [
      ["--features", "mel,spectralContrast", "--sr", "8000"],
      "needs --sr above 12800 Hz for its seven bands, is 8000",
    ],
    [["--time_limit", "0"], "must be a number from 1 to 86400, got '0'"],
    [["--epochs", "3"], "unknown option '--epochs'"],
  ])("%j exits with 2", async (flags, message) => {
    const folder = folderOf({ "a.wav": clip({ seconds: 0.1 }) });
    const { exitCode, stderr } = await runBadly(folder, "--audio_dir", "clips", ...flags);
    expect(exitCode).toBe(2);
    expect(stderr).toContain(message);
  });

  it("must have --audio_dir", async () => {
    const { exitCode, stderr } = await runBadly(folderOf({}));
    expect(exitCode).toBe(2);
    expect(stderr).toContain("required option '--audio_dir <dir>' not specified");
  });
});

it("stops at Ctrl-C with 130; where no clip is finished nothing is left behind", async () => {
  const folder = folderOf({});
  writeLongClip(join(folder, "clips", "long.wav")); // far more work than the seconds it is given
  const flags = ["--audio_dir", "clips", "--out_h5", "out/audio.h5", "--out_dir", "out/manifest"];
  const result = await runCommand("audio-preprocess", flags, { cwd: folder, killAfterMs: 2500 });
  expect(result).toEqual({
    exitCode: 130,
    stdout: "",
    stderr: "audio-preprocess: stopped before the end\n",
  });
  expect(namesIn(folder)).toEqual(["clips"]);
});
