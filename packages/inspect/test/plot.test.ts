import { readFileSync } from "node:fs";
import { join } from "node:path";
import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { createH5, readH5, writeArray, writeStrings } from "@emotion-service/core/hdf5/file";
import type { FeatureRow } from "@emotion-service/core/hdf5/preprocessedAudio";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { describe, expect, test } from "vitest";
import { namesIn, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { chooseClips } from "../src/chooseClips.ts";
import { createProgram } from "../src/h5Cli.ts";
import { lengthsDataset, lengthsOf } from "../src/lengths.ts";

/**
 * Made by h5py 3.16 as the Python service does: features/vlen_flat, an h5py.vlen_dtype("f4") of 2 mel bands and 3, 1, 6
 * and 2 frames, features/labels and features/paths, and the attributes sr=16000, n_fft=1024, hop_length=512, n_mels=2,
 * fixed_duration=0.0. h5wasm cannot write such lists.
 */
const VLEN_FLAT = join(import.meta.dirname, "fixtures/vlen_flat.h5");
const RAGGED: LogMelConfig = { ...DEFAULT_LOG_MEL, n_mels: 3, fixed_duration: 0 };

/** Runs `inspect-h5` in this process, in the folder `cwd`. */
function inspect(cwd: string, ...argv: string[]) {
  return runInProcess(createProgram, argv, { cwd });
}

/** A clip of so many frames; silent: all cells alike, else rising from -80 to 0 dB. */
function clip(label: string, path: string, frames = 4, silent = false): FeatureRow {
  const length = 3 * frames;
  const features = Float32Array.from({ length }, (_, i) => (silent ? 0 : (80 * i) / length - 80));
  return { features, frames, label, path };
}

async function fileOf(path: string, rows: readonly FeatureRow[], config = RAGGED): Promise<void> {
  const writer = await createFeatureWriter(path, { config, batchRows: 8, compression: "none" });
  for (const row of rows) writer.add(row);
  writer.finish({ audioDir: "clips", errors: 0 });
}

describe("chooseClips", () => {
  const chosen = (rows: readonly FeatureRow[]): string[] =>
    chooseClips(
      rows.map(({ label }) => label),
      rows,
      6,
    ).map(({ path }) => path);

  test("takes the first of each label, in label order, what is not known last", () => {
    const rows = ["sad", "unknown", "happy", "sad", "angry", "happy"].map((label, row) =>
      clip(label, `${row}`),
    );
    expect(chosen(rows)).toEqual(["4", "2", "0", "1"]);
  });

  test("passes over a silent clip for the next of its label, and a label that has no other", () => {
    const rows = [clip("sad", "0", 4, true), clip("sad", "1"), clip("calm", "2", 4, true)];
    expect(chosen(rows)).toEqual(["1"]);
  });

  test("of nine labels takes six", () => {
    const labels = ["unknown", "surprise", "sad", "neutral", "happy", "fear", "disgust", "calm"];
    expect(chosen([...labels, "angry"].map((label) => clip(label, label)))).toEqual([
      "angry",
      "calm",
      "disgust",
      "fear",
      "happy",
      "neutral",
    ]);
  });

  test("of one label spreads them evenly", () => {
    const rows = Array.from({ length: 60 }, (_, row) => clip("sad", `${row}`, 4, row === 10));
    expect(chosen(rows)).toEqual(["0", "11", "20", "30", "40", "50"]);
    expect(chosen(rows.slice(0, 2))).toEqual(["0", "1"]);
  });

  test("reads no further than it must, and keeps no view of a batch", () => {
    const batch = clip("sad", "0");
    const rows = function* (): Iterable<FeatureRow> {
      yield batch;
      yield clip("happy", "1");
      throw new Error("read too far");
    };
    const [, sad] = chooseClips(["sad", "happy", "sad"], rows(), 6);
    expect(sad?.features).toEqual(batch.features);
    expect(sad?.features.buffer).not.toBe(batch.features.buffer);
  });
});

describe("--plot", () => {
  const rows = [clip("happy", "a.wav"), clip("sad", "b.wav", 9), clip("calm", "c.wav", 2, true)];

  test("writes a picture and says so, the same bytes each time", async () => {
    const folder = temporaryFolder();
    await fileOf(join(folder, "a.h5"), rows);
    const first = await inspect(folder, "a.h5", "--plot", "one.png");
    expect(first).toMatchObject({ exitCode: 0, stderr: "" });
    expect(first.stdout).toMatch(/\nplot: one\.png\n$/);
    const second = await inspect(folder, "a.h5", "--plot", "deep/two.png", "--json");
    expect(JSON.parse(second.stdout).plot).toBe("deep/two.png");
    const [one, two] = ["one.png", "deep/two.png"].map((name) => readFileSync(join(folder, name)));
    expect(one?.subarray(1, 4).toString()).toBe("PNG");
    expect(one?.equals(two ?? Buffer.alloc(0))).toBe(true);
    expect(namesIn(folder)).toEqual(["a.h5", "deep", "one.png"]);
  });

  test("draws fixed clips, and the Python service's lists", async () => {
    const folder = temporaryFolder();
    const fixed = { ...RAGGED, fixed_duration: 0.128 };
    await fileOf(join(folder, "a.h5"), [clip("happy", "a.wav"), clip("happy", "b.wav")], fixed);
    const fromFixed = await inspect(folder, "a.h5", "--plot", "fixed.png");
    const fromLists = await inspect(folder, VLEN_FLAT, "--plot", "lists.png");
    expect([fromFixed.exitCode, fromLists.exitCode]).toEqual([0, 0]);
    expect(namesIn(folder)).toEqual(["a.h5", "fixed.png", "lists.png"]);
  });

  test("never replaces the file that is read", async () => {
    const folder = temporaryFolder();
    await fileOf(join(folder, "a.png"), rows); // HDF5 under another name
    const before = readFileSync(join(folder, "a.png"));
    const { exitCode, stderr } = await inspect(folder, "a.png", "--plot", "./a.png");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("./a.png: would replace an input of that name");
    expect(readFileSync(join(folder, "a.png")).equals(before)).toBe(true);
  });

  test("refuses a file without spectrograms, and says what it is", async () => {
    const folder = temporaryFolder();
    const writer = await createH5(join(folder, "e.h5"));
    writer.edit((file) => {
      file.create_group("all");
      writeArray(file, "all/embeddings", new Float32Array(6), [3, 2], "<f");
    });
    writer.close();
    const { exitCode, stdout, stderr } = await inspect(folder, "e.h5", "--plot", "e.png");
    expect({ exitCode, stdout }).toEqual({ exitCode: 1, stdout: "" });
    expect(stderr).toContain(
      "--plot: needs one of the datasets features/fixed, features/ragged, features/vlen_flat, e.h5 has none (it is: embeddings (rows × values): all 3 × 2)",
    );
    expect(stderr).toContain("hint: name a file that audio-preprocess wrote");
    expect(namesIn(folder)).toEqual(["e.h5"]);
  });

  test("refuses a file of silent clips", async () => {
    const folder = temporaryFolder();
    await fileOf(join(folder, "s.h5"), [clip("sad", "a.wav", 4, true)]);
    const { exitCode, stderr } = await inspect(folder, "s.h5", "--plot", "s.png");
    expect(exitCode).toBe(1);
    expect(stderr).toContain("s.h5: must hold a clip with sound, has none");
    expect(namesIn(folder)).toEqual(["s.h5"]);
  });

  test("a picture of another kind is wrong usage", async () => {
    const { exitCode, stderr } = await inspect(".", "a.h5", "--plot", "a.svg");
    expect(exitCode).toBe(2);
    expect(stderr).toContain("must be the name of a .png file, got 'a.svg'");
  });
});

describe("lengths", () => {
  /** What lengthsOf says of the fixture under other attributes. */
  const underAttributes = (attributes: Record<string, number>) =>
    readH5(VLEN_FLAT, "<file>", (file) =>
      lengthsOf(lengthsDataset(file)!, attributes, () => undefined),
    );

  test("of ragged clips: shortest, median, longest", async () => {
    const folder = temporaryFolder();
    const rows = [7, 2, 10, 4].map((frames, row) => clip("sad", `${row}.wav`, frames));
    await fileOf(join(folder, "a.h5"), rows);
    const { stdout } = await inspect(folder, "a.h5");
    expect(stdout).toContain(
      "\nlengths: 4 clips, 2 / 5.5 / 10 frames (shortest / median / longest), 0.06 / 0.18 / 0.32 s\n",
    );
    const { lengths } = JSON.parse((await inspect(folder, "a.h5", "--json")).stdout);
    expect(lengths.frames).toEqual({ min: 2, median: 5.5, max: 10 });
    expect([lengths.clips, lengths.seconds.min, lengths.seconds.max]).toBeAllClose([
      4,
      2 * 0.032,
      10 * 0.032,
    ]);
  });

  test("of the Python service's lists: their values by n_mels", async () => {
    const { stdout } = await inspect(".", VLEN_FLAT);
    expect(stdout).toContain("lengths: 4 clips, 1 / 2.5 / 6 frames");
    expect(stdout).toContain("0.03 / 0.08 / 0.19 s");
  });

  test("that cannot be read are said where they stand", async () => {
    const folder = temporaryFolder();
    const writer = await createH5(join(folder, "a.h5"));
    writer.edit((file) => {
      const group = file.create_group("features");
      writeArray(group, "ragged", new Float32Array(12), [3, 4], "<f");
      writeStrings(group, "frames", ["one", "two"]);
    });
    writer.close();
    const { exitCode, stdout } = await inspect(folder, "a.h5");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(/ frames .*\n +! cannot be read: holds no numbers\n/);
    expect(stdout).not.toContain("lengths");
  });

  test("only in frames where the file does not say how long one is", async () => {
    const folder = temporaryFolder();
    const writer = await createH5(join(folder, "a.h5"));
    writer.edit((file) => {
      file.create_group("features");
      writeArray(file, "features/ragged", new Float32Array(12), [3, 4], "<f");
      writeArray(file, "features/frames", BigInt64Array.of(1n, 2n), [2], "<q");
    });
    writer.close();
    expect((await inspect(folder, "a.h5")).stdout).toContain(
      "lengths: 2 clips, 1 / 1.5 / 2 frames (shortest / median / longest)\n",
    );
    expect((await underAttributes({ n_mels: 2, sr: 16_000 }))?.seconds).toBeNull();
  });

  test("of lists are unknown without n_mels, and refused where it does not divide them", async () => {
    expect(await underAttributes({})).toBeUndefined();
    await expect(underAttributes({ n_mels: 3 })).rejects.toThrow(
      "row 1 has 2 values, no multiple of n_mels (3)",
    );
  });

  test("are not shown of fixed clips", async () => {
    const folder = temporaryFolder();
    await fileOf(join(folder, "a.h5"), [clip("sad", "a.wav")], { ...RAGGED, fixed_duration: 0.1 });
    expect((await inspect(folder, "a.h5")).stdout).not.toContain("lengths");
  });
});
