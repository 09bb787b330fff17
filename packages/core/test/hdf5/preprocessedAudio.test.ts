import { readFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";
import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import {
  createH5,
  readAttributes,
  readH5,
  requireDataset,
  writeArray,
  writeAttributes,
  writeStrings,
} from "@emotion-service/core/hdf5/file";
import {
  type FeatureRow,
  readPreprocessedAudio,
} from "@emotion-service/core/hdf5/preprocessedAudio";
import { createFeatureWriter } from "@emotion-service/core/hdf5/preprocessedAudioWriter";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

const FIXED: LogMelConfig = { ...DEFAULT_LOG_MEL, n_mels: 3, fixed_duration: 0.5, top_db: 30 };
const RAGGED: LogMelConfig = { ...FIXED, fixed_duration: 0, pad_mode: "reflect" };

const random = createRandom(4);
/** Rows of so many frames each, of any values. */
const rowsOf = (frames: readonly number[]): FeatureRow[] =>
  frames.map((count, row) => ({
    features: Float32Array.from({ length: 3 * count }, () => -80 * random()),
    frames: count,
    label: row % 2 === 0 ? "happy" : "unknown",
    path: `speaker ${row}/ä.wav`,
  }));

async function write(
  path: string,
  rows: readonly FeatureRow[],
  options: {
    readonly config: LogMelConfig;
    readonly batchRows?: number;
    readonly compression?: "none" | "gzip";
  },
): Promise<void> {
  const writer = await createFeatureWriter(path, { batchRows: 4, compression: "none", ...options });
  for (const row of rows) writer.add(row);
  writer.finish({ audioDir: "clips", errors: 2 });
}

const read = (path: string) =>
  readPreprocessedAudio(path, "--audio_h5", (facts, rows) => ({ ...facts, rows: [...rows] }));

const newPath = (): string => join(temporaryFolder(), "audio.h5");

describe("a file comes back as it was written", () => {
  const cases: [string, LogMelConfig, number[]][] = [
    ["fixed", FIXED, Array.from({ length: 150 }, () => 16)], // more rows than are read at once
    ["ragged", RAGGED, [4, 1, 9, 2, 700, 600]], // more frames than a chunk has
    ["one row", FIXED, [16]],
    ["one ragged row", RAGGED, [7]],
  ];
  it.each(cases)("%s", async (_, config, frames) => {
    const rows = rowsOf(frames);
    for (const batchRows of [1, 4, 1000])
      for (const compression of ["none", "gzip"] as const) {
        const path = newPath();
        await write(path, rows, { config, batchRows, compression });
        expect(await read(path)).toMatchObject({
          config,
          labels: rows.map(({ label }) => label),
          paths: rows.map((row) => row.path),
          rows,
        });
      }
  });

  it("with the layout and the attributes that the Python service reads", async () => {
    const path = newPath();
    await write(path, rowsOf([16, 16]), { config: FIXED });
    const [shape, chunks, attributes] = await readH5(path, "--in", (file) => {
      const dataset = requireDataset(file, "features/fixed", path, "");
      return [dataset.shape, dataset.metadata.chunks, readAttributes(file)];
    });
    expect({ shape, chunks }).toEqual({ shape: [2, 3, 16], chunks: [16, 3, 16] });
    expect(attributes).toMatchObject({
      sr: 16_000,
      n_mels: 3,
      n_fft: 1024,
      hop_length: 512,
      fixed_duration: 0.5,
      top_db: 30,
      pad_mode: "constant",
      audio_dir: "clips",
      num_samples: 2,
      errors: 2,
      format: "emotion-service preprocessed audio",
      format_version: 1,
    });
    expect(JSON.parse(String(attributes["feature_config"]))).toEqual(FIXED);
  });

  it("with ragged frames one below another: [frames, n_mels]", async () => {
    const path = newPath();
    const [row] = rowsOf([2]);
    await write(path, [row!], { config: RAGGED });
    const values = await readH5(
      path,
      "--in",
      (file) => requireDataset(file, "features/ragged", path, "").value,
    );
    const [a, b, c, d, e, f] = row!.features; // bands of two frames each
    expect(values).toEqual(Float32Array.of(a!, c!, e!, b!, d!, f!));
  });
});

it.each([
  ["fixed", FIXED],
  ["ragged", RAGGED],
])("the same rows give the same bytes, whenever they are written (%s)", async (_, config) => {
  const rows = rowsOf([5, 5, 5, 5, 5]);
  const [first, second] = [newPath(), newPath()];
  await write(first, rows, { config });
  await pause(1100); // HDF5 keeps times in whole seconds
  await write(second, rows, { config });
  expect(readFileSync(second).equals(readFileSync(first))).toBe(true);
});

it.each([
  ["fixed", FIXED],
  ["ragged", RAGGED],
])(
  "a file without a row (%s) has its layout all the same: a shard may be empty",
  async (_, config) => {
    const path = newPath();
    await write(path, [], { config });
    expect(await read(path)).toMatchObject({ config, labels: [], paths: [], rows: [] });
  },
);

it("several files can be open at once, each until the work on it is done", async () => {
  const [first, second] = [newPath(), newPath()];
  const rows = rowsOf(Array.from({ length: 7 }, () => 16));
  await write(first, rows, { config: FIXED });
  await write(second, rows.slice(0, 3), { config: FIXED });
  const both = await readPreprocessedAudio(
    first,
    "--in",
    (_, a) => readPreprocessedAudio(second, "--in", (__, b) => [[...b], [...a]]),
    false,
    2, // rows at a time
  );
  expect(both).toEqual([rows.slice(0, 3), rows]);
});

describe("extras", () => {
  const extras = ["mfcc", "rms"] as const; // of 3 bands: 3 rows and 1
  it.each([
    ["fixed", FIXED, [16, 16, 16]],
    ["ragged", RAGGED, [4, 700, 1]],
  ])("come back below the log-mel where they are asked for (%s)", async (_, config, frames) => {
    const path = newPath();
    const rows = rowsOf(frames).map((row) => ({
      ...row,
      features: Float32Array.from({ length: 7 * row.frames }, () => random()),
    }));
    const writer = await createFeatureWriter(path, {
      config,
      extras,
      batchRows: 2,
      compression: "none",
    });
    for (const row of rows) writer.add(row);
    writer.finish({ audioDir: "clips", errors: 0 });
    const whole = await readPreprocessedAudio(
      path,
      "--in",
      (facts, all) => ({ ...facts, rows: [...all] }),
      true,
    );
    expect(whole).toMatchObject({ extras, rows });
    const plain = await read(path);
    expect(plain.rows.map(({ features }) => features)).toEqual(
      rows.map((row) => row.features.slice(0, 3 * row.frames)),
    );
  });
});

/** A file made by hand: two fixed rows and two ragged ones, both of 3 bands, but for what is left out or put in. */
async function writeByHand(parts: {
  readonly leaveOut?: readonly string[];
  readonly attributes?: Readonly<Record<string, string | number>>;
  readonly frames?: readonly number[];
  readonly labels?: readonly string[];
  readonly paths?: readonly string[];
  readonly fixedShape?: readonly number[];
}): Promise<string> {
  const path = newPath();
  const { leaveOut = [], frames = [2, 3], fixedShape = [2, 3, 5] } = parts;
  const writer = await createH5(path);
  writer.edit((file) => {
    const group = file.create_group("features");
    const unless = (name: string, make: () => void): void => {
      if (!leaveOut.includes(name)) make();
    };
    const cells = fixedShape.reduce((product, axis) => product * axis, 1);
    unless("fixed", () => writeArray(group, "fixed", new Float32Array(cells), fixedShape, "<f"));
    unless("ragged", () => writeArray(group, "ragged", new Float32Array(15), [5, 3], "<f"));
    unless("frames", () => writeArray(group, "frames", Int32Array.from(frames), [2], "<i"));
    unless("labels", () => writeStrings(group, "labels", parts.labels ?? ["sad", "ANG"]));
    unless("paths", () => writeStrings(group, "paths", parts.paths ?? ["a.wav", "b.wav"]));
    const settings = { sr: 16_000, n_fft: 1024, hop_length: 512, n_mels: 3, fixed_duration: 0.5 };
    const kept = Object.entries({ ...settings, ...parts.attributes }).filter(
      ([name]) => !leaveOut.includes(name),
    );
    writeAttributes(file, Object.fromEntries(kept));
  });
  writer.close();
  return path;
}

describe("a file of the Python service", () => {
  it("lacks the settings that it does not have: its defaults hold", async () => {
    const { config, labels } = await read(await writeByHand({ leaveOut: ["ragged", "frames"] }));
    expect(config).toEqual({ ...DEFAULT_LOG_MEL, n_mels: 3, fixed_duration: 0.5 });
    expect(labels).toEqual(["sad", "angry"]);
  });
});

describe("what cannot be used is refused", () => {
  const NOT_RAGGED = ["ragged", "frames"];
  it.each([
    ["no labels", { leaveOut: ["labels"] }, /lacks the dataset 'features\/labels'/],
    ["no paths", { leaveOut: ["paths"] }, /lacks the dataset 'features\/paths'/],
    [
      "no features",
      { leaveOut: ["fixed", ...NOT_RAGGED] },
      /lacks the dataset 'features\/fixed' \(it holds: features,/,
    ],
    ["no frames", { leaveOut: ["frames"] }, /lacks the dataset 'features\/frames'/],
    ["no sr", { leaveOut: ["sr"] }, /lacks the attribute 'sr', a number/],
    ["no n_mels", { leaveOut: ["n_mels"] }, /lacks the attribute 'n_mels', a number/],
    [
      "an attribute that is no number",
      { attributes: { hop_length: "often" } },
      /lacks the attribute 'hop_length', a number/,
    ],
    ["more labels than paths", { labels: ["a", "b", "c"] }, /equally many rows, have 3, 2/],
    [
      "more rows than paths",
      { leaveOut: NOT_RAGGED, fixedShape: [3, 3, 5] },
      /must have the shape \[2, 3, 5\], has \[3, 3, 5\]/,
    ],
    [
      "bands that the attribute does not say",
      { leaveOut: NOT_RAGGED, attributes: { n_mels: 4 } },
      /must have the shape \[2, 4, 5\], has \[2, 3, 5\]/,
    ],
    [
      "an axis too few",
      { leaveOut: NOT_RAGGED, fixedShape: [2, 3] },
      /must have the shape \[2, 3, 0\], has \[2, 3\]/,
    ],
    [
      "frames that do not add up",
      { frames: [2, 4] },
      /'\/?features\/ragged' must have the shape \[6, 3\], has \[5, 3\]/,
    ],
  ])("%s", async (_, parts, message) => {
    const path = await writeByHand(parts);
    const error = await read(path).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: "E_LAYOUT", message: expect.stringMatching(message) });
    expect((error as Error).message).toContain(path);
  });

  it("a missing file", async () => {
    await expect(read("nowhere.h5")).rejects.toThrow("--audio_h5 nowhere.h5: no such file");
  });
});

describe("8 bits a cell", () => {
  const bytes = Uint8Array.from({ length: 2 * 3 * 4 }, (_, i) => (i * 255) / 23);
  const writeBytes = async (decibel: string | undefined): Promise<string> => {
    const path = newPath();
    const writer = await createH5(path);
    writer.edit((file) => {
      const features = file.create_group("features");
      writeArray(features, "fixed_u8", bytes, [2, 3, 4], "<B");
      if (decibel !== undefined)
        requireDataset(features, "fixed_u8", path, "").create_attribute("decibel", decibel);
      writeStrings(features, "labels", ["sad", "happy"]);
      writeStrings(features, "paths", ["a.wav", "b.wav"]);
      writeAttributes(file, { ...FIXED });
    });
    writer.close();
    return path;
  };

  it("are decibels as their attribute says", async () => {
    const { rows } = await read(await writeBytes("value * 80 / 255 - 80"));
    expect(rows.map(({ frames, label }) => [frames, label])).toEqual([
      [4, "sad"],
      [4, "happy"],
    ]);
    const cells = rows.flatMap(({ features }) => [...features]);
    expect(cells).toBeAllClose(
      Array.from(bytes, (value) => (value * 80) / 255 - 80),
      { rtol: 1e-6, atol: 1e-5 },
    );
    expect([Math.min(...cells), Math.max(...cells)]).toEqual([-80, 0]);
  });

  it.each([undefined, "value"])("of which the attribute says '%s' are refused", async (decibel) => {
    await expect(read(await writeBytes(decibel))).rejects.toMatchObject({
      code: "E_LAYOUT",
      message: expect.stringContaining("must have the attribute 'decibel'"),
    });
  });
});
