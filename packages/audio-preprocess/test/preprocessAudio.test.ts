import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { openSound } from "@emotion-service/core/audio/decode";
import { describe, expect, it } from "vitest";
import { writeSpeechSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { clip, folderOf, readManifest, readRows } from "./clips.ts";

/** Runs audio-preprocess in `folder`, on its folder `clips`, and checks that it ended well. */
async function preprocess(folder: string, ...args: string[]) {
  const flags = ["--audio_dir", "clips", "--quiet", "--workers", "1", ...args];
  const result = await runCommand("audio-preprocess", flags, { cwd: folder });
  expect(result).toMatchObject({ exitCode: 0, stderr: "" });
  return result;
}

const MANIFEST = "preprocessed_audio/audio_manifest.csv";

describe("audio-preprocess", () => {
  it("writes ./preprocessed_audio.h5 and preprocessed_audio/audio_manifest.csv, and tells of them", async () => {
    const folder = folderOf({});
    const names = writeSpeechSample(join(folder, "clips"), { speakers: 2, sentences: 1 });
    const { stdout } = await preprocess(folder);
    expect(namesIn(folder)).toEqual(["clips", "preprocessed_audio", "preprocessed_audio.h5"]);
    expect(namesIn(join(folder, "preprocessed_audio"))).toEqual(["audio_manifest.csv"]);
    expect(stdout).toBe(
      [
        "12 of 12 files written to preprocessed_audio.h5",
        "labels: angry 2, disgust 2, fear 2, happy 2, neutral 2, sad 2",
        "manifest: preprocessed_audio/audio_manifest.csv",
        "",
      ].join("\n"),
    );
    const { config, paths, rows } = await readRows(join(folder, "preprocessed_audio.h5"));
    expect(config).toEqual(DEFAULT_LOG_MEL);
    expect(paths).toEqual(names.toSorted());
    const extract = createLogMelExtractor(DEFAULT_LOG_MEL);
    for (const row of rows) {
      const sound = await openSound(join(folder, "clips", row.path));
      expect(row.features).toEqual((await extract(sound)).features);
      expect(row.frames).toBe(94);
    }
  });

  it("writes the same bytes, rows in sorted order, whatever the number of workers", async () => {
    const folder = folderOf({
      "b/sad/z.wav": clip(),
      "b/happy/a.wav": clip({ seconds: 6 }),
      "broken.wav": "nothing",
      "a.wav": clip({ seconds: 0.2 }),
      "Z.WAV": clip({ seconds: 4 }),
      "10.wav": clip({ seconds: 0.5, sampleRateHz: 44_100 }),
      "9.wav": clip({ silent: true }),
    });
    const outputs = await Promise.all(
      ["1", "3"].map(async (workers) => {
        const flags = ["--workers", workers, "--out_h5", `${workers}.h5`, "--out_dir", workers];
        await preprocess(folder, ...flags, "--batch_write", "2");
        return [`${workers}.h5`, `${workers}/audio_manifest.csv`].map((name) =>
          readFileSync(join(folder, name)),
        );
      }),
    );
    expect(outputs[1]?.map((bytes, i) => bytes.equals(outputs[0]![i]!))).toEqual([true, true]);
    const { paths, labels } = await readRows(join(folder, "1.h5"));
    expect(paths).toEqual(["10.wav", "9.wav", "Z.WAV", "a.wav", "b/happy/a.wav", "b/sad/z.wav"]);
    expect(labels).toEqual(["unknown", "unknown", "unknown", "unknown", "happy", "sad"]);
  });

  it("takes each flag in both spellings", async () => {
    const folder = folderOf({ "a.wav": clip() });
    const settings = {
      sr: 8000,
      n_fft: 400,
      hop_length: 160,
      n_mels: 20,
      fixed_duration: 0.5,
      top_db: 40,
      pad_mode: "reflect",
    };
    const flags = Object.entries(settings).map(([name, value]) => [`--${name}`, String(value)]);
    await preprocess(
      folder,
      ...flags.flat(),
      "--out_h5",
      "u.h5",
      "--out_dir",
      "u",
      "--manifest_name",
      "m.csv",
    );
    const hyphens = flags.map(([name, value]) => `${name!.replaceAll("_", "-")}=${value}`);
    await preprocess(
      folder,
      ...hyphens,
      "--out-h5",
      "h.h5",
      "--out-dir",
      "h",
      "--manifest-name",
      "m.csv",
    );
    expect((await readRows(join(folder, "u.h5"))).config).toEqual(settings);
    expect(readFileSync(join(folder, "h.h5")).equals(readFileSync(join(folder, "u.h5")))).toBe(
      true,
    );
    expect(namesIn(folder)).toEqual(["clips", "h", "h.h5", "u", "u.h5"]);
    expect(namesIn(join(folder, "h"))).toEqual(["m.csv"]);
  });

  it("gives the manifest a line for every input, also the failed ones, with their cause", async () => {
    const folder = folderOf({
      "1001_DFA_ANG_XX.wav": clip({ seconds: 1.25 }),
      "1002_DFA_SAD_XX.wav": clip({ silent: true }),
      "empty.wav": "",
      "stereo/1003_DFA_HAP_XX.wav": clip({ sampleRateHz: 22_050 }),
      "text.mp3": "these are no sounds",
      "text2.mp3": "these are no sounds",
      "notes.txt": "not an input",
    });
    const { stdout } = await preprocess(folder, "--json");
    const lines = readManifest(join(folder, MANIFEST));
    const line = (
      path: string,
      label: string,
      speaker: string,
      status: string,
      cause: string,
      rest: string[],
    ) => ({
      path,
      label,
      speaker,
      status,
      cause,
      duration_seconds: rest[0] ?? "",
      sample_rate_hz: rest[1] ?? "",
      channels: rest[2] ?? "",
      frames: rest[3] ?? "",
    });
    const damaged = lines[4]?.["cause"] ?? "";
    expect(damaged).toMatch(/^ffmpeg cannot read it \(Invalid .+\)$/); // the rest is ffmpeg's word
    expect(lines).toEqual([
      line("1001_DFA_ANG_XX.wav", "angry", "cremad:1001", "ok", "", [
        "1.250000",
        "16000",
        "1",
        "94",
      ]),
      line("1002_DFA_SAD_XX.wav", "sad", "cremad:1002", "silent", "every sample is zero", [
        "1.000000",
        "16000",
        "1",
        "94",
      ]),
      line("empty.wav", "unknown", "", "failed", "is empty (0 bytes)", []),
      line("stereo/1003_DFA_HAP_XX.wav", "happy", "cremad:1003", "ok", "", [
        "1.000000",
        "22050",
        "1",
        "94",
      ]),
      line("text.mp3", "unknown", "", "failed", damaged, []),
      line("text2.mp3", "unknown", "", "failed", damaged, []),
    ]);
    expect(JSON.parse(stdout)).toEqual({
      out_h5: "preprocessed_audio.h5",
      manifest: MANIFEST,
      files: 6,
      written: 3,
      silent: 1,
      failed: 3,
      resumed: 0,
      shard: null,
      causes: { [damaged]: 2, "is empty (0 bytes)": 1 },
      labels: { angry: 1, happy: 1, sad: 1 },
      notes: [],
    });
    expect((await readRows(join(folder, "preprocessed_audio.h5"))).paths).toHaveLength(3);
  });

  it("sums up what failed by cause, and what is silent", async () => {
    const folder = folderOf({
      "a.wav": clip(),
      "b.wav": clip({ silent: true }),
      "c.wav": "",
      "d.wav": "",
    });
    const { stdout } = await preprocess(folder);
    expect(stdout).toContain("2 of 4 files written to preprocessed_audio.h5\n");
    expect(stdout).toContain("silent (every sample is zero): 1\n");
    expect(stdout).toContain("failed: 2\n  2 × is empty (0 bytes)\n");
  });

  it("keeps each clip's own length with --fixed_duration 0", async () => {
    const folder = folderOf({
      "a.wav": clip({ seconds: 1 }),
      "b.wav": clip({ seconds: 2 }),
      "c.wav": clip({ seconds: 0.01 }),
    });
    await preprocess(folder, "--fixed_duration", "0", "--top_db", "0", "--compression", "gzip");
    const { config, rows } = await readRows(join(folder, "preprocessed_audio.h5"));
    expect(config.fixed_duration).toBe(0);
    expect(rows.map(({ frames }) => frames)).toEqual([
      1 + Math.floor(16_000 / 512),
      1 + Math.floor(32_000 / 512),
      1,
    ]);
    const extract = createLogMelExtractor(config);
    for (const row of rows) {
      const sound = await openSound(join(folder, "clips", row.path));
      expect(row.features).toEqual((await extract(sound)).features);
    }
    expect(readManifest(join(folder, MANIFEST)).map(({ frames }) => frames)).toEqual([
      "32",
      "63",
      "1",
    ]);
  });

  it("replaces what an earlier run wrote", async () => {
    const folder = folderOf({ "a.wav": clip() });
    writeFileSync(join(folder, "preprocessed_audio.h5"), "old");
    await preprocess(folder);
    expect((await readRows(join(folder, "preprocessed_audio.h5"))).paths).toEqual(["a.wav"]);
    expect(namesIn(folder)).toEqual(["clips", "preprocessed_audio", "preprocessed_audio.h5"]);
  });
});

describe("labels", () => {
  const files = {
    "1001_DFA_ANG_XX.wav": clip({ seconds: 0.1 }),
    "sad/03-01-03-01-01-01-01.wav": clip({ seconds: 0.1 }),
  };
  it.each([
    ["auto", ["angry", "happy"]],
    ["cremad", ["angry", "unknown"]],
    ["ravdess", ["unknown", "happy"]],
    ["folder", ["unknown", "sad"]],
  ])("by the rule %s", async (rule, labels) => {
    const folder = folderOf(files);
    await preprocess(folder, "--labels", rule);
    expect((await readRows(join(folder, "preprocessed_audio.h5"))).labels).toEqual(labels);
  });

  it("from a CSV file: aliases understood, the speaker still by the name", async () => {
    const folder = folderOf(files);
    writeFileSync(
      join(folder, "labels.csv"),
      "label,path\nFearful,1001_DFA_ANG_XX.wav\nsad,elsewhere.wav\n",
    );
    await preprocess(folder, "--labels", "csv:labels.csv");
    expect((await readRows(join(folder, "preprocessed_audio.h5"))).labels).toEqual([
      "fear",
      "unknown",
    ]);
    expect(
      readManifest(join(folder, MANIFEST)).map(({ label, speaker }) => [label, speaker]),
    ).toEqual([
      ["fear", "cremad:1001"],
      ["unknown", "ravdess:01"],
    ]);
  });
});

it("--help shows each flag with its unit and default", async () => {
  const { exitCode, stdout } = await runCommand("audio-preprocess", ["--help"], {
    cwd: temporaryFolder(),
  });
  expect(exitCode).toBe(0);
  const text = stdout.replaceAll(/\s+/g, " ");
  for (const line of [
    "--audio_dir <dir> root folder containing audio files",
    '--out_h5 <file> output HDF5 file (default: "preprocessed_audio.h5")',
    '--out_dir <dir> folder of the CSV manifest (default: "preprocessed_audio")',
    "--sr <hz> target sample rate, Hz (default: 16000)",
    "--n_fft <samples> length of a frame, samples (default: 1024)",
    "--hop_length <samples> step from frame to frame, samples (default: 512)",
    "--n_mels <bands> mel bands (default: 64)",
    "--fixed_duration <seconds> if > 0, crop or pad every clip to this duration, seconds; 0 keeps its own (default: 3)",
    "--top_db <db> trim silence this many decibels below the loudest frame; 0: no trimming (default: 20)",
    '(choices: "constant", "reflect", "wrap", default: "constant")',
    "--workers <n> worker threads (default: 4)",
    '--manifest_name <name> name of the CSV manifest (default: "audio_manifest.csv")',
    '(choices: "none", "gzip", default: "none")',
    "--batch_write <rows> rows written at a time (default: 64)",
  ])
    expect(text).toContain(line);
});
