import { readFileSync } from "node:fs";
import { join } from "node:path";
import {
  FRAME_FEATURES,
  type FrameFeature,
  rowsOf,
} from "@emotion-service/core/audio/frameFeatures";
import { type LogMelConfig, DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { mfcc } from "@emotion-service/core/audio/mfcc";
import { readH5, requireDataset } from "@emotion-service/core/hdf5/file";
import { describe, expect, it } from "vitest";
import { runCommand } from "../../../test/command.ts";
import { clip, folderOf, readManifest, readRows, writeLongClip } from "./clips.ts";

const ALL = ["mel", ...FRAME_FEATURES].join(",");
const H5 = "audio.h5";

/** Runs audio-preprocess on the folder's clips, and checks that it ended well. */
async function preprocess(folder: string, ...flags: string[]): Promise<void> {
  const args = ["--audio_dir", "clips", "--out_h5", H5, "--quiet", "--workers", "1", ...flags];
  const result = await runCommand("audio-preprocess", args, { cwd: folder });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
}

/** A dataset below `features`. */
function readDataset(folder: string, name: string) {
  const path = join(folder, H5);
  return readH5(path, "--in", (file) => {
    const { shape, value } = requireDataset(file, `features/${name}`, path, "");
    return { shape: shape ?? [], values: value as Float32Array };
  });
}

/** [a, b] row-major → [b, a] */
const transposed = (values: Float32Array, [a = 0, b = 0]: readonly number[]): Float32Array =>
  Float32Array.from({ length: a * b }, (_, i) => values[(i % a) * b + Math.floor(i / a)]!);

type Measured = Exclude<FrameFeature, "mfcc">;

interface Case {
  readonly file: string;
  readonly config: Omit<LogMelConfig, "n_mels">;
  readonly frames: number;
  /** float32 [rows, frames], base64 */
  readonly features: Readonly<Record<Measured, string>>;
}

const CORE_TEST = new URL("../../core/test/", import.meta.url);

/** What scripts/reference/frame_features.py wrote. */
const reference: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL("reference/frame_features.json", CORE_TEST), "utf8"),
);
/** Of clips whose own rate is `sr`, since librosa was given the samples as they are; one case of each padding and length. */
const cases = reference.cases
  .filter(({ file, config }) => file.endsWith(`_${config.sr}.wav`))
  .filter(({ config }) => config.pad_mode !== "constant" || config.fixed_duration > 0)
  .map((each) => ({
    ...each,
    name: `${each.file} ${Object.entries(each.config).flat().join(" ")}`,
  }));

const decodeFloats = (base64: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);

/**
 * Beyond librosa's own roundings (core/test/audio/frameFeatures.test.ts) the spectrum is made in single precision here, 6e-8
 * of its loudest bin. Sums over all bins hide that; what hangs on the faintest bins shows it. The worst seen: bandwidth 5e-6
 * and flatness 3e-5 of the value, contrast, whose valleys lie 60 dB below its peaks, 0.012 dB.
 */
const TOLERANCE: Readonly<Record<Measured, { rtol: number; atol: number }>> = {
  chroma: { rtol: 0, atol: 2e-6 },
  rms: { rtol: 1e-6, atol: 0 },
  zcr: { rtol: 1e-7, atol: 0 },
  spectralCentroid: { rtol: 1e-6, atol: 0 },
  spectralBandwidth: { rtol: 2e-5, atol: 0 },
  spectralRolloff: { rtol: 1e-7, atol: 0 }, // the same bin
  spectralFlatness: { rtol: 1e-4, atol: 0 },
  spectralContrast: { rtol: 0, atol: 0.05 }, // dB
};

describe("as librosa", () => {
  it.each(cases)("$name", async ({ file, config, frames, features }) => {
    const folder = folderOf({ [file]: readFileSync(new URL(`fixtures/audio/${file}`, CORE_TEST)) });
    const flags = Object.entries(config).map(([name, value]) => `--${name}=${value}`);
    await preprocess(folder, "--features", ALL, ...flags);
    const isFixed = config.fixed_duration > 0;
    for (const [name, expected] of Object.entries(features)) {
      const rows = rowsOf(name as Measured, DEFAULT_LOG_MEL);
      const { shape, values } = await readDataset(folder, name);
      expect(shape).toEqual(isFixed ? [1, rows, frames] : [frames, rows]);
      const inRows = isFixed ? values : transposed(values, [frames, rows]);
      expect(inRows).toBeAllClose(decodeFloats(expected), TOLERANCE[name as Measured]);
    }
  });
});

it.each([
  ["a fixed length", "0.5", "fixed"],
  ["their own lengths", "0", "ragged"],
])(
  "clips of %s have the same log-mel whatever else is stored, and its mfcc",
  async (_, seconds, main) => {
    const folders = ["mel", ALL].map(async (features) => {
      const folder = folderOf({
        "a.wav": clip({ seconds: 0.6 }),
        "b.wav": clip({ seconds: 0.4, sampleRateHz: 22_050 }),
        "silent.wav": clip({ silent: true }),
        "tiny.wav": clip({ seconds: 0.001 }),
      });
      await preprocess(
        folder,
        "--fixed_duration",
        seconds,
        "--n_mels",
        "30",
        "--features",
        features,
      );
      return folder;
    });
    const [plain = "", rich = ""] = await Promise.all(folders);
    const mel = await readDataset(plain, main);
    expect(await readDataset(rich, main)).toEqual(mel);
    for (const name of FRAME_FEATURES) {
      const { shape, values } = await readDataset(rich, name);
      expect(shape).toEqual(mel.shape.with(1, rowsOf(name, { n_mels: 30 }))); // the bands' axis, fixed or ragged
      expect([name, values.find((value) => !Number.isFinite(value))]).toEqual([name, undefined]);
    }
    const { rows } = await readRows(join(rich, H5), true);
    expect(rows).toHaveLength(4);
    for (const { features, frames } of rows) {
      const [start, end] = [30 * frames, 50 * frames]; // the extras lie below the log-mel, mfcc first
      expect(features.subarray(start, end)).toEqual(mfcc(features.subarray(0, start), 30, frames));
    }
  },
);

it("are stored in one order, whatever the order of the flag and however often they are named", async () => {
  const [first, second] = ["mel,mfcc,rms", "rms, mfcc,mel,rms"].map((features) => {
    const folder = folderOf({ "a.wav": clip({ seconds: 0.3 }) });
    return preprocess(folder, "--features", features).then(() => readFileSync(join(folder, H5)));
  });
  expect((await second)?.equals((await first)!)).toBe(true);
});

it("of a clip whose extras would take too much memory are refused, of that clip alone", async () => {
  const folder = folderOf({ "a.wav": clip({ seconds: 0.3 }) });
  writeLongClip(join(folder, "clips", "long.wav"), 6 * 60);
  const flags = [
    "--hop_length",
    "1",
    "--n_mels",
    "30",
    "--fixed_duration",
    "0",
    "--top_db",
    "0",
    "--workers",
    "2",
  ];
  await preprocess(folder, ...flags, "--features", ALL);
  expect(readManifest(join(folder, "preprocessed_audio/audio_manifest.csv"))).toMatchObject([
    { path: "a.wav", status: "ok" },
    {
      path: "long.wav",
      status: "failed",
      cause: "its features must take at most 1 GiB, would take 1.6",
    },
  ]);
});

it("are left out by embed: the embeddings are those of the log-mel", async () => {
  const embeddings = ["mel", ALL].map(async (features) => {
    const folder = folderOf({ "a.wav": clip({ seconds: 0.6 }), "b.wav": clip() });
    await preprocess(folder, "--features", features);
    const args = ["--audio_h5", H5, "--out_h5", "embeddings.h5", "--quiet"];
    const result = await runCommand("embed", args, { cwd: folder });
    expect(result).toMatchObject({ exitCode: 0, stderr: "" });
    return readFileSync(join(folder, "embeddings.h5"));
  });
  const [plain, rich] = await Promise.all(embeddings);
  expect(rich!.equals(plain!)).toBe(true);
});
