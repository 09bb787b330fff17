import { existsSync, mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_LOG_MEL, fixedFrames } from "@emotion-service/core/audio/logMelConfig";
import { readAttributes, readH5 } from "@emotion-service/core/hdf5/file";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { createRandom } from "@emotion-service/core/random";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { encodeWav } from "@emotion-service/core/audio/encodeWav";
import { writeFaceSample, writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { drawRoom, hasFfmpeg, makeVideo } from "../../../test/video.ts";

const JOURNAL = "out/.e.h5.unfinished";
const OUTPUTS = ["out/e.h5", "out/e_manifest.csv"];

type Kill = Pick<NonNullable<Parameters<typeof runCommand>[2]>, "killWhen" | "signal">;

const run = (folder: string, flags: readonly string[], kill: Kill = {}) =>
  runCommand("embed", [...flags, "--out_h5", "out/e.h5", "--workers", "2", "--quiet", "--json"], {
    cwd: folder,
    ...kill,
  });

interface Summary {
  readonly inputs: number;
  readonly written: number;
  readonly failed: number;
  readonly resumed: number;
}

/** Runs to the end; returns the summary. */
async function runWell(folder: string, flags: readonly string[]): Promise<Summary> {
  const { exitCode, stdout, stderr } = await run(folder, flags);
  expect({ exitCode, stderr: withoutWarning(stderr) }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout) as Summary;
}

/** resnet18 of random weights says so. */
const withoutWarning = (text: string): string => text.replace(/^--weights random: .*\n/, "");

const bytesOf = (folder: string): Buffer[] =>
  OUTPUTS.map((name) => readFileSync(join(folder, name)));

/** Pieces that the journal holds; the last may not be whole. */
function journalled(folder: string, journal = JOURNAL): number {
  const path = join(folder, journal);
  return existsSync(path) ? readFileSync(path, "latin1").split('{"key":').length - 1 : 0;
}

/** Links to the files of a folder, under names of their own: so many that a run takes a second or more. */
function addLinks(folder: string, names: readonly string[], count: number): void {
  for (let i = 0; i < count; i += 1)
    symlinkSync(names[i % names.length]!, join(folder, `link_${i}_${names[i % names.length]}`));
}

async function makeFaces(folder: string, count: number): Promise<void> {
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  addLinks(join(folder, "faces/happy"), ["happy_001.jpg"], count);
  writeFileSync(join(folder, "faces/happy/broken.jpg"), "no picture");
}

function makeClips(folder: string): void {
  const [first = ""] = writeSpeechSample(join(folder, "clips"), { speakers: 1, sentences: 1 });
  writeFileSync(join(folder, "clips/silent.wav"), encodeWav(new Float32Array(8000), 16_000));
  addLinks(join(folder, "clips"), ["silent.wav", ...Array<string>(9).fill(first)], 150);
}

const CONFIG = { ...DEFAULT_LOG_MEL, fixed_duration: 0.5 };

/** Preprocessed audio of noise, its rows not in order, of a few seconds' work. */
async function makeFeatures(folder: string): Promise<void> {
  const options = { config: CONFIG, batchRows: 64, compression: "none" } as const;
  const writer = await createFeatureWriter(join(folder, "f.h5"), options);
  const random = createRandom(5);
  const frames = fixedFrames(CONFIG);
  for (let i = 0; i < 800; i += 1) {
    const features = Float32Array.from({ length: CONFIG.n_mels * frames }, () => -80 * random());
    writer.add({ features, frames, label: "sad", path: `${1800 - i}.wav` });
  }
  writer.finish({ audioDir: "clips", errors: 0 });
}

describe("a run that kill -9 ended half way", () => {
  const kinds: [string, (folder: string) => Promise<void> | void, readonly string[]][] = [
    [
      "faces",
      (folder) => makeFaces(folder, 80),
      ["--images_dir", "faces", "--batch_size", "4", "--face_crop", "off"],
    ],
    [
      "all faces of pictures",
      (folder) => makeFaces(folder, 80),
      ["--images_dir", "faces", "--batch_size", "4", "--face_crop", "off", "--faces", "all"],
    ],
    [
      "resnet18",
      (folder) => makeFaces(folder, 14),
      ["--images_dir", "faces", "--model", "resnet18", "--weights", "random", "--batch_size", "4"],
    ],
    ["sound", makeClips, ["--audio_dir", "clips"]],
    ["preprocessed audio", makeFeatures, ["--audio_h5", "f.h5"]],
  ];
  it.each(kinds)("%s: --resume does the rest, to the same bytes", async (_, make, flags) => {
    const folder = temporaryFolder();
    await make(folder);
    const { inputs, written, failed } = await runWell(folder, flags);
    const expected = bytesOf(folder);
    rmSync(join(folder, "out"), { recursive: true });

    const killWhen = (): boolean => journalled(folder) > inputs / 2;
    const { exitCode } = await run(folder, flags, { killWhen, signal: "SIGKILL" });
    expect(exitCode).toBe(null);
    expect(namesIn(join(folder, "out")).filter((name) => !name.startsWith("."))).toEqual([]);
    const done = journalled(folder);

    const { resumed, ...rest } = await runWell(folder, [...flags, "--resume"]);
    expect(rest).toMatchObject({ inputs, written, failed });
    expect(resumed).toBeGreaterThan(inputs / 3);
    expect(done - resumed).toBeOneOf([0, 1]); // the last piece may have been cut
    expect(namesIn(join(folder, "out"))).toEqual(["e.h5", "e_manifest.csv"]);
    expect(bytesOf(folder).map((bytes, i) => bytes.equals(expected[i]!))).toEqual([true, true]);
  });
});

it("a run that Ctrl-C stopped says how to go on; not by other settings, and without --resume it begins anew", async () => {
  const folder = temporaryFolder();
  await makeFaces(folder, 60);
  const flags = ["--images_dir", "faces", "--batch_size", "2", "--face_crop", "off"];
  const result = await run(folder, flags, { killWhen: () => journalled(folder) > 10 });
  const done = journalled(folder);
  expect(result).toEqual({
    exitCode: 130,
    stdout: "",
    stderr: [
      "embed: stopped before the end",
      `  hint: ${done} of 67 inputs are done: the same command with --resume goes on with the others`,
      "",
    ].join("\n"),
  });
  expect(namesIn(join(folder, "out"))).toEqual([".e.h5.unfinished"]);

  const other = await run(folder, [...flags, "--face_crop", "on", "--resume"]);
  expect(other).toEqual({
    exitCode: 1,
    stdout: "",
    stderr: [
      "embed: out/e.h5: the unfinished run was begun with other settings (face_crop off, now on)",
      "  hint: give --resume the same flags, or leave it out to begin anew",
      "",
    ].join("\n"),
  });
  expect(journalled(folder)).toBe(done);
  expect(await runWell(folder, flags)).toMatchObject({ inputs: 67, resumed: 0 });
});

it("that no face is in a picture is remembered; a picture that cannot be read is tried again", async () => {
  const folder = temporaryFolder();
  mkdirSync(join(folder, "pictures"));
  const wall = { create: { width: 300, height: 200, channels: 3, background: "grey" } } as const;
  for (const name of ["a.png", "b.png"])
    await sharp(wall)
      .png()
      .toFile(join(folder, "pictures", name));
  writeFileSync(join(folder, "pictures/c.png"), "no picture");
  const flags = ["--images_dir", "pictures"];
  const { exitCode, stderr } = await run(folder, flags);
  expect(exitCode).toBe(1); // no row at all: going on would end the same way
  expect(stderr).toMatch(/none of the 3 inputs gave an embedding\n {2}hint: 2 × no face found/);
  expect(stderr).not.toContain("--resume");
  expect(namesIn(folder)).toEqual(["pictures"]);

  // A folder in the place of the manifest: the rows are found, and cannot be written in the end.
  await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
  symlinkSync("../faces", join(folder, "pictures/faces"));
  const taken = join(folder, "out/e_manifest.csv");
  const killWhen = (): boolean => {
    if (existsSync(join(folder, JOURNAL))) mkdirSync(taken, { recursive: true });
    return false;
  };
  const late = await run(folder, flags, { killWhen });
  expect(late.stderr).toContain("8 of 9 inputs are done: the same command with --resume");
  rmSync(taken, { recursive: true });
  expect(await runWell(folder, [...flags, "--resume"])).toMatchObject({
    inputs: 9,
    written: 6,
    failed: 3,
    resumed: 8,
  });
});

describe.skipIf(!hasFfmpeg())("--videos_dir (skipped where there is no ffmpeg)", () => {
  it("has a journal for each of its outputs, and goes on with both", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "videos"));
    writeSpeechSample(join(folder, "audio"), { speakers: 1, sentences: 1 });
    await drawRoom(join(folder, "room.png"));
    const voice = ["-i", "audio/1001_DFA_HAP_XX.wav", "-c:a", "aac"];
    makeVideo(folder, "videos/talk.mp4", "room.png", voice);
    makeVideo(folder, "videos/mute.mp4", "room.png", []);
    addLinks(join(folder, "videos"), ["talk.mp4"], 3);
    const outputs = ["--out_h5", "faces.h5", "--out_audio_h5", "voices.h5", "--json", "--quiet"];
    const embed = (flags: readonly string[], kill: Kill = {}) =>
      runCommand("embed", ["--videos_dir", "videos", "--workers", "1", ...outputs, ...flags], {
        cwd: folder,
        ...kill,
      });
    const names = ["faces.h5", "voices.h5", "faces_manifest.csv", "voices_manifest.csv"];
    const bytes = () => names.map((name) => readFileSync(join(folder, name)));
    await embed([]);
    const expected = bytes();
    for (const name of names) rmSync(join(folder, name));

    const killWhen = (): boolean => journalled(folder, ".voices.h5.unfinished") > 0;
    expect((await embed([], { killWhen })).exitCode).toBe(130);
    expect(namesIn(folder)).toEqual([
      ".faces.h5.unfinished",
      ".voices.h5.unfinished",
      "audio",
      "room.png",
      "videos",
    ]);
    const other = await embed(["--fps", "1", "--resume"]);
    expect(other.stderr).toContain("begun with other settings (fps 2, now 1)");

    const { stdout } = await embed(["--resume"]);
    const { images, audio } = JSON.parse(stdout) as { images: Summary; audio: Summary };
    expect(images.resumed).toBe(5);
    expect(audio.resumed).toBeGreaterThanOrEqual(1);
    expect(bytes().map((each, i) => each.equals(expected[i]!))).toEqual([true, true, true, true]);
  });
});

describe("--shard", () => {
  const FLAGS = ["--images_dir", "faces", "--face_crop", "off", "--quiet", "--json"];

  it("embeds each input in one shard, says which, and is not written over by another", async () => {
    const folder = temporaryFolder();
    await makeFaces(folder, 3);
    const shard = (flags: readonly string[], env = {}) =>
      runCommand("embed", [...FLAGS, ...flags], { cwd: folder, env });
    const first = await shard(["--shard", "1/2", "--out_h5", "s1.h5"]);
    const slurm = {
      SLURM_ARRAY_TASK_ID: "1",
      SLURM_ARRAY_TASK_COUNT: "2",
      SLURM_ARRAY_TASK_MIN: "0",
    };
    const second = await shard(["--out_h5", "s2.h5"], slurm);
    const summaries = [first, second].map(
      ({ stdout }) => JSON.parse(stdout) as Summary & { shard: string },
    );
    expect(summaries.map((summary) => summary.shard)).toEqual([
      "1/2 by --shard",
      "2/2 by SLURM_ARRAY_TASK_ID",
    ]);
    expect(summaries.reduce((sum, { inputs }) => sum + inputs, 0)).toBe(10);
    expect(summaries.reduce((sum, { written }) => sum + written, 0)).toBe(9);
    const attributes = await readH5(join(folder, "s1.h5"), "", readAttributes);
    expect(attributes).toMatchObject({ shard: "1/2", inputs: 10, errors: summaries[0]?.failed });

    const clash = await shard(["--shard", "2/2", "--out_h5", "s1.h5"]);
    expect(clash.exitCode).toBe(2);
    expect(clash.stderr).toContain("--out_h5 s1.h5: holds shard 1/2, this run is shard 2/2");
  });

  it("may have no input; of preprocessed audio it needs rows that merge-h5 can put together", async () => {
    const folder = temporaryFolder();
    await writeFaceSample(join(folder, "faces"), { facesPerClass: 1 });
    const none = [...FLAGS, "--shard", "1/1000", "--out_h5", "s1.h5"];
    const result = await runCommand("embed", none, { cwd: folder });
    expect(JSON.parse(result.stdout)).toMatchObject({ inputs: 0, written: 0, groups: {} });

    await makeFeatures(folder);
    const args = ["--audio_h5", "f.h5", "--shard", "1/2", "--out_h5", "e.h5"];
    const { exitCode, stderr } = await runCommand("embed", args, { cwd: folder });
    expect(exitCode).toBe(1);
    expect(stderr).toContain("must have its rows in the order of their paths, each once");
  });
});
