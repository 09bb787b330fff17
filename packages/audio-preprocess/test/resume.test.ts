import { spawnSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  readFileSync,
  rmSync,
  rmdirSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { basename, join } from "node:path";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { namesIn, runCommand, scriptOf } from "../../../test/command.ts";
import { preprocessAudio } from "../src/preprocessAudio.ts";
import { clip, folderOf, readManifest, writeLongClip } from "./clips.ts";

/** Small features: what is tried here is not the sound. */
const CONFIG = { ...DEFAULT_LOG_MEL, n_mels: 8, fixed_duration: 0.5 };
const FLAGS = ["--n_mels", "8", "--fixed_duration", "0.5", "--audio_dir", "clips", "--json"];
const OUTPUTS = ["--out_h5", "out/audio.h5", "--out_dir", "out", "--workers", "2", "--quiet"];

/** What a run ends with, all it wrote and all it may leave. */
const H5 = "out/audio.h5";
const MANIFEST = "out/audio_manifest.csv";
const JOURNAL = "out/.audio.h5.unfinished";
const WHOLE = [basename(MANIFEST), basename(H5)].toSorted();

type Kill = Pick<
  NonNullable<Parameters<typeof runCommand>[2]>,
  "killAfterMs" | "killWhen" | "signal"
>;

const run = (folder: string, flags: readonly string[] = [], kill: Kill = {}) =>
  runCommand("audio-preprocess", [...FLAGS, ...OUTPUTS, ...flags], { cwd: folder, ...kill });

/** Runs to the end; returns the summary. */
async function runWell(folder: string, ...flags: string[]) {
  const { exitCode, stdout, stderr } = await run(folder, flags);
  expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
  return JSON.parse(stdout) as { files: number; written: number; resumed: number };
}

const bytesOf = (folder: string): Buffer[] =>
  [H5, MANIFEST].map((name) => readFileSync(join(folder, name)));

/** The outputs of an undisturbed run, which are then taken away. */
async function undisturbed(folder: string, ...flags: string[]): Promise<Buffer[]> {
  await runWell(folder, ...flags);
  const bytes = bytesOf(folder);
  rmSync(join(folder, "out"), { recursive: true });
  return bytes;
}

/** Both outputs are those, and nothing else is there. */
function expectWhole(folder: string, expected: readonly Buffer[]): void {
  expect(namesIn(join(folder, "out"))).toEqual(WHOLE);
  expect(bytesOf(folder).map((bytes, i) => bytes.equals(expected[i]!))).toEqual([true, true]);
}

/** Names of the clips whose features the journal holds; the last may not be whole. */
function journalled(folder: string): string[] {
  const path = join(folder, JOURNAL);
  const text = existsSync(path) ? readFileSync(path, "latin1") : "";
  return [...text.matchAll(/\{"key":"[^"]*\/([^"/]+\.wav) /g)].map(([, name]) => name ?? "");
}

/** Of clips that are links to a few: as many as take a run about a second. */
function folderOfMany(count: number): string {
  const folder = folderOf({
    "a.wav": clip({ seconds: 0.5 }),
    "b.wav": clip({ seconds: 0.7, sampleRateHz: 8000 }),
    "broken.wav": "no sound",
  });
  for (let i = 3; i < count; i += 1)
    symlinkSync(i % 2 === 0 ? "a.wav" : "b.wav", join(folder, "clips", `sad_${i}.wav`));
  return folder;
}

describe("kill -9 at 20 random moments", () => {
  const COUNT = 600;
  const SHORT = clip({ seconds: 0.2 });

  it("never leaves a broken output; --resume ends with the bytes of an undisturbed run", async () => {
    const folder = folderOfMany(COUNT - 1);
    const last = join(folder, "clips/z.wav");
    writeFileSync(last, SHORT);
    const started = performance.now();
    const expected = await undisturbed(folder);
    const runMs = performance.now() - started;
    const most = expected[0]!.length * 0.8;
    const random = createRandom(20);
    /** Resumes until the journal has come to that size; a last clip that takes seconds keeps the run from its end. */
    const killAt = async (size: number): Promise<void> => {
      writeLongClip(last);
      const killWhen = (): boolean => journalSize(folder) > size;
      const { exitCode } = await run(folder, ["--resume"], { killWhen, signal: "SIGKILL" });
      expect(exitCode).toBeNull();
      expect(journalSize(folder)).toBeGreaterThan(size);
      writeFileSync(last, SHORT);
    };
    for (let round = 0; round < 10; round += 1) {
      // A moment of the whole run, then one of the work in it.
      const killAfterMs = 200 + random() * (runMs - 200);
      await run(folder, ["--resume"], { killAfterMs, signal: "SIGKILL" });
      expectWholeOrAbsent(folder, expected);
      if (journalSize(folder) > most / 2) rmSync(join(folder, "out"), { recursive: true });
      const size = journalSize(folder);
      await killAt(size + random() * (most - size));
      expectWholeOrAbsent(folder, expected);
    }

    // Once more, half way for certain.
    rmSync(join(folder, "out"), { recursive: true, force: true });
    await killAt(expected[0]!.length / 2);
    expect(namesIn(join(folder, "out"))).toContainEqual(
      expect.stringMatching(/^\.audio\.h5\.tmp-/),
    );
    const done = journalled(folder).length;
    const { resumed, ...summary } = await runWell(folder, "--resume");
    expect(summary).toMatchObject({ files: COUNT, written: COUNT - 1, failed: 1 });
    expect(resumed).toBeGreaterThan(COUNT / 4);
    expect(done - resumed).toBeOneOf([0, 1]); // the last piece may have been cut
    expectWhole(folder, expected);
  }, 240_000); // some 25 runs

  const journalSize = (folder: string): number =>
    statSync(join(folder, JOURNAL), { throwIfNoEntry: false })?.size ?? 0;

  function expectWholeOrAbsent(folder: string, expected: readonly Buffer[]): void {
    for (const [i, name] of [H5, MANIFEST].entries()) {
      const path = join(folder, name);
      expect(!existsSync(path) || readFileSync(path).equals(expected[i]!)).toBe(true);
    }
  }
});

describe("a run that was stopped with most of its clips finished", () => {
  const NAMES = ["a", "b", "c", "d", "e", "f"].map((name) => `${name}.wav`);
  /** The last clip takes so long that the run is stopped before its end; after that it is a short one. */
  const LAST = "z.wav";

  /** A new folder of the clips; their time of change is always the same. */
  function newFolder(): string {
    const clips = NAMES.map((name, i) => [name, clip({ seconds: 0.5 + 0.1 * i })] as const);
    const folder = folderOf({ ...Object.fromEntries(clips), [LAST]: clip({ seconds: 0.2 }) });
    for (const name of NAMES) utimesSync(join(folder, "clips", name), 10, 10);
    return folder;
  }

  /** The folder of a run that was stopped, what an undisturbed run writes there, and the clips that are finished. */
  async function stop(flags: readonly string[], signal: "SIGINT" | "SIGKILL") {
    const folder = newFolder();
    const expected = await undisturbed(folder, ...flags);
    const last = join(folder, "clips", LAST);
    writeLongClip(last);
    const killWhen = (): boolean => journalled(folder).length >= NAMES.length - 1;
    const result = await run(folder, flags, { killWhen, signal });
    writeFileSync(last, clip({ seconds: 0.2 }));
    return { folder, expected, finished: journalled(folder), result };
  }

  let killed: { expected: Buffer[]; finished: string[]; journal: Buffer } | undefined;
  /** As `stop` by kill -9, which happens once: the others get a copy. */
  async function stopped() {
    if (killed === undefined) {
      const { folder: first, ...facts } = await stop([], "SIGKILL");
      killed = { ...facts, journal: readFileSync(join(first, JOURNAL)) };
    }
    const folder = newFolder();
    mkdirSync(join(folder, "out"));
    writeFileSync(join(folder, JOURNAL), killed.journal);
    return { ...killed, folder };
  }

  it("by Ctrl-C says how to go on, and goes on; so with clips of any length and with extras", async () => {
    const flags = ["--fixed_duration", "0", "--features", "mel,mfcc,rms"];
    const { folder, expected, finished, result } = await stop(flags, "SIGINT");
    expect(result).toEqual({
      exitCode: 130,
      stdout: "",
      stderr: [
        "audio-preprocess: stopped before the end",
        `  hint: ${finished.length} of 7 files are done: the same command with --resume goes on with the others`,
        "",
      ].join("\n"),
    });
    expect(namesIn(join(folder, "out"))).toEqual([basename(JOURNAL)]);
    expect((await runWell(folder, "--resume", ...flags)).resumed).toBe(finished.length);
    expectWhole(folder, expected);
  });

  it("does no finished clip again: it is not even read", async () => {
    const { folder, expected, finished } = await stopped();
    for (const name of finished) {
      const path = join(folder, "clips", name);
      writeFileSync(path, Buffer.alloc(statSync(path).size)); // no sound, of the same size and time
      utimesSync(path, 10, 10);
    }
    expect((await runWell(folder, "--resume")).resumed).toBe(finished.length);
    expectWhole(folder, expected);
  });

  it("does a clip again whose size or time has changed since, and minds clips that came and went", async () => {
    const { folder, finished } = await stopped();
    const [longer, touched, gone] = finished.map((name) => join(folder, "clips", name));
    writeFileSync(longer!, clip({ seconds: 0.45 }));
    utimesSync(touched!, 1, 1);
    rmSync(gone!);
    writeFileSync(join(folder, "clips", "0.wav"), clip({ seconds: 0.3 }));
    expect((await runWell(folder, "--resume")).resumed).toBe(finished.length - 3);
    const resumed = bytesOf(folder);
    await runWell(folder);
    expectWhole(folder, resumed);
    const lines = readManifest(join(folder, MANIFEST));
    expect(lines.find(({ path }) => path === basename(longer!))).toMatchObject({
      duration_seconds: "0.450000",
    });
  });

  it("is not gone on with by other settings, and stays", async () => {
    const { folder, expected, finished } = await stopped();
    const flags = ["--sr", "8000", "--top_db", "0", "--features", "mel,rms"];
    const { exitCode, stderr } = await run(folder, ["--resume", ...flags]);
    expect(exitCode).toBe(1);
    expect(stderr).toBe(
      [
        "audio-preprocess: out/audio.h5: the unfinished run was begun with other settings (sr 16000, now 8000; top_db 20, now 0; features mel, now mel,rms)",
        "  hint: give --resume the same flags, or leave it out to begin anew",
        "",
      ].join("\n"),
    );
    expect((await runWell(folder, "--resume")).resumed).toBe(finished.length);
    expectWhole(folder, expected);
  });

  it("is gone on with by flags that change no feature", async () => {
    const { folder, finished } = await stopped();
    const flags = [
      "--workers",
      "1",
      "--batch_write",
      "2",
      "--labels",
      "folder",
      "--compression",
      "gzip",
    ];
    expect((await runWell(folder, "--resume", ...flags)).resumed).toBe(finished.length);
    const resumed = bytesOf(folder);
    await runWell(folder, ...flags);
    expectWhole(folder, resumed);
  });

  it("begins anew without --resume", async () => {
    const { folder, expected } = await stopped();
    expect((await runWell(folder)).resumed).toBe(0);
    expectWhole(folder, expected);
  });
});

it("--resume begins at the beginning where there is nothing to go on from", async () => {
  const folder = folderOf({ "a.wav": clip() });
  const expected = await undisturbed(folder);
  expect((await runWell(folder, "--resume")).resumed).toBe(0);
  expectWhole(folder, expected);
});

describe("a run that cannot write", () => {
  const COUNT = 150;
  const DONE = COUNT - 1; // one clip is broken
  const WAY_ON = "files are done: the same command with --resume goes on with the others\n";

  it("its outputs in the end loses no work, nor does Ctrl-C while the next takes it from the journal", async () => {
    const folder = folderOfMany(COUNT);
    const taken = join(folder, MANIFEST);
    const takeName = (): boolean => {
      if (existsSync(join(folder, JOURNAL))) mkdirSync(taken, { recursive: true });
      return false;
    };
    const { exitCode, stderr } = await run(folder, [], { killWhen: takeName });
    rmdirSync(taken);
    expect(exitCode).toBe(1);
    expect(stderr).toContain("a folder of that name is in the way");
    expect(stderr).toContain(`; ${DONE} of ${COUNT} ${WAY_ON}`);
    expect(namesIn(join(folder, "out"))).toEqual([basename(JOURNAL)]);

    rmSync(join(folder, "clips/broken.wav")); // so that nothing is left to do
    await expect(resumeInProcess(folder)).rejects.toMatchObject({ code: "E_ABORTED" });
    expect(namesIn(join(folder, "out"))).toEqual([basename(JOURNAL)]);

    expect((await runWell(folder, "--resume")).resumed).toBe(DONE);
    const resumed = bytesOf(folder);
    await runWell(folder);
    expectWhole(folder, resumed);
  });

  /** As --resume in this process; what stops it can be heard only between two pieces of work, as a signal is. */
  async function resumeInProcess(folder: string) {
    const controller = new AbortController();
    const before = process.cwd();
    process.chdir(folder);
    try {
      return await preprocessAudio({
        audioDir: "clips",
        outH5: H5,
        manifestDir: "out",
        manifestName: basename(MANIFEST),
        config: CONFIG,
        extras: [],
        labels: "auto",
        resume: true,
        workers: 1,
        timeLimitSeconds: 60,
        batchRows: 64,
        compression: "none",
        onProgress: () => setImmediate(() => controller.abort()),
        signal: controller.signal,
      });
    } finally {
      process.chdir(before);
    }
  }

  it("since the disk takes no more says so, and goes on once there is room", async () => {
    const folder = folderOfMany(COUNT);
    // As on a full disk: files can grow to 60 blocks, 30 or 60 KB, and writing more is an error.
    const limited = `trap "" XFSZ; ulimit -f 60; exec "$@"`;
    const words = [process.execPath, scriptOf("audio-preprocess"), ...FLAGS, ...OUTPUTS];
    const { status, stdout, stderr } = spawnSync("sh", ["-c", limited, "sh", ...words], {
      cwd: folder,
      encoding: "utf8",
    });
    expect({ status, stdout }).toEqual({ status: 1, stdout: "" });
    expect(stderr).toMatch(/^audio-preprocess: .*audio\.h5: cannot be written \(.*\)\n {2}hint: /);
    expect(stderr).toContain(WAY_ON);
    expect(namesIn(join(folder, "out"))).toEqual([basename(JOURNAL)]);
    const { resumed } = await runWell(folder, "--resume");
    expect(resumed).toBeGreaterThan(20);
    expect(resumed).toBeLessThan(DONE);
    const bytes = bytesOf(folder);
    await runWell(folder);
    expectWhole(folder, bytes);
  });
});
