import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSound } from "@emotion-service/core/audio/decode";
import { findFfmpeg } from "@emotion-service/core/audio/ffmpeg";
import { samplesOf } from "@emotion-service/core/audio/sound";
import { describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { wavBytes } from "./wavBytes.ts";

const fixture = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/audio/${name}`, import.meta.url));

/** All of a sound. */
async function decodeAudio(path: string) {
  const sound = await openSound(path);
  const { sampleRateHz, channels } = sound;
  return { samples: await samplesOf(sound), sampleRateHz, channels };
}

/** Runs `work` where there is no ffmpeg. */
async function withoutFfmpeg<T>(work: () => Promise<T>): Promise<T> {
  vi.stubEnv("FFMPEG_PATH", "/nonexistent/ffmpeg");
  try {
    return await work();
  } finally {
    vi.unstubAllEnvs();
  }
}

/** Samples of the mono WAV fixture, as whole numbers. */
async function fixtureSteps(start: number, end: number): Promise<number[]> {
  const { samples } = await decodeAudio(fixture("chirp_16000.wav"));
  return Array.from(samples.subarray(start, end), (value) => value * 32768);
}

async function failure(work: Promise<unknown>): Promise<unknown> {
  return work.then(
    () => expect.unreachable(),
    (error: unknown) => error,
  );
}

/** Encodes the mono WAV fixture by the ffmpeg that the code under test finds. */
function encoded(name: string, ...options: string[]): string {
  const path = join(temporaryFolder(), name);
  const input = ["-nostdin", "-loglevel", "error", "-i", fixture("chirp_16000.wav")];
  execFileSync(findFfmpeg(), [...input, ...options, path]);
  return path;
}

describe("WAV", () => {
  it("is decoded at its own rate, its channels averaged", async () => {
    const { samples, sampleRateHz, channels } = await decodeAudio(fixture("stereo_44100.wav"));
    expect({ length: samples.length, sampleRateHz, channels }).toEqual({
      length: 17_640,
      sampleRateHz: 44_100,
      channels: 2,
    });
  });

  it.each([1, 999, 384_001, 4_294_967_295])("of %i Hz is refused", async (sampleRateHz) => {
    const path = join(temporaryFolder(), "odd.wav");
    writeFileSync(path, wavBytes([[1], [2]], { sampleRateHz }));
    expect(await failure(decodeAudio(path))).toMatchObject({
      code: "E_INPUT_BROKEN",
      message: `${path}: its sample rate must be from 1000 to 384000 Hz, is ${sampleRateHz}`,
    });
  });

  it("of another codec is decoded by ffmpeg", async () => {
    const path = join(temporaryFolder(), "alaw.wav");
    writeFileSync(path, wavBytes([[0x55 - 128], [0xd5 - 128]], { kind: "alaw", bits: 8 }));
    const { samples, sampleRateHz } = await decodeAudio(path);
    expect(sampleRateHz).toBe(16_000);
    expect(Array.from(samples, (value) => value * 32768)).toEqual([-8, 8]); // A-law's smallest steps (G.711)
  });
});

describe("FLAC", () => {
  it.each([
    ["chirp_16000.flac", 9000],
    ["short_last_frame.flac", 8097], // one sample: the decoder alone would drop it
  ])("%s is the same samples as WAV, without ffmpeg", async (name, end) => {
    const { samples, ...facts } = await withoutFfmpeg(() => decodeAudio(fixture(name)));
    expect(facts).toEqual({ sampleRateHz: 16_000, channels: 1 });
    expect(Array.from(samples, (value) => value * 32768)).toEqual(await fixtureSteps(4000, end));
  });

  it("that is cut short is left to ffmpeg, which reads as far as it goes", async () => {
    const path = join(temporaryFolder(), "cut.flac");
    const bytes = readFileSync(fixture("chirp_16000.flac"));
    writeFileSync(path, bytes.subarray(0, bytes.length - 300)); // within the second of two frames
    expect(await failure(withoutFfmpeg(() => decodeAudio(path)))).toMatchObject({
      code: "E_UNAVAILABLE",
    });
    const { samples } = await decodeAudio(path);
    expect(Array.from(samples.subarray(0, 4096), (value) => value * 32768)).toEqual(
      await fixtureSteps(4000, 8096),
    );
  });

  it("is not disturbed by a damaged one before it", async () => {
    const whole = await decodeAudio(fixture("chirp_16000.flac"));
    const path = join(temporaryFolder(), "cut.flac");
    writeFileSync(path, readFileSync(fixture("chirp_16000.flac")).subarray(0, 4000));
    await failure(decodeAudio(path)); // not one whole frame
    expect(await decodeAudio(fixture("chirp_16000.flac"))).toEqual(whole);
    expect(whole.samples).toHaveLength(5000);
  });

  it("of 24 bits and two channels is exact", async () => {
    const path = encoded(
      "wide.flac",
      "-af",
      "aformat=dbl,pan=stereo|c0=0.5*c0|c1=0.25*c0",
      "-sample_fmt",
      "s32",
    );
    const sound = await withoutFfmpeg(() => decodeAudio(path));
    expect(sound.channels).toBe(2);
    const steps = await fixtureSteps(0, 16_000);
    expect(sound.samples).toBeAllClose(
      steps.map((step) => (step * 0.375) / 32768),
      { rtol: 0, atol: 2 ** -23 }, // half a step of 24 bits, each channel
    );
  });
});

describe("other formats, by ffmpeg", () => {
  it("a name that looks like a protocol is a file all the same", async () => {
    const path = encoded("take.mp3");
    renameSync(path, join(dirname(path), "12:30.mp3"));
    const before = process.cwd();
    process.chdir(dirname(path));
    try {
      expect((await decodeAudio("12:30.mp3")).sampleRateHz).toBe(16_000);
    } finally {
      process.chdir(before);
    }
  });

  it.each([
    ["clip.aiff", []],
    ["clip.au", []],
    ["clip.mka", ["-c:a", "pcm_s16le"]],
  ])("%s without loss", async (name, options) => {
    const { samples } = await decodeAudio(encoded(name, ...options));
    expect(Array.from(samples, (value) => value * 32768)).toEqual(await fixtureSteps(0, 16_000));
  });

  it("a file whose name is of another kind is known by its content", async () => {
    const path = join(temporaryFolder(), "clip.mp3");
    writeFileSync(path, readFileSync(fixture("chirp_16000.wav")));
    expect((await decodeAudio(path)).samples).toHaveLength(16_000);
  });
});

describe("what cannot be decoded", () => {
  it.each([
    ["empty.wav", "", "is empty (0 bytes)"],
    ["text.wav", "these are no sounds", "ffmpeg cannot read it"],
    ["text.mp3", "these are no sounds at all", "ffmpeg cannot read it"],
    ["cut.flac", "fLaC", "ffmpeg cannot read it"],
  ])("%s is refused with its cause", async (name, text, cause) => {
    const path = join(temporaryFolder(), name);
    writeFileSync(path, text);
    const error = await failure(decodeAudio(path));
    expect(error).toMatchObject({ code: "E_INPUT_BROKEN" });
    expect((error as Error).message).toContain(`${path}: ${cause}`);
  });

  it("a missing file", async () => {
    const path = join(temporaryFolder(), "none.wav");
    expect(await failure(decodeAudio(path))).toMatchObject({
      code: "E_INPUT_BROKEN",
      message: expect.stringContaining(`${path}: cannot be read (ENOENT`),
    });
  });

  it("a picture in a sound's place", async () => {
    const path = join(temporaryFolder(), "picture.webm");
    const source = ["-f", "lavfi", "-i", "color=red:size=32x32:duration=0.2:rate=5"];
    execFileSync(findFfmpeg(), [...source, "-loglevel", "error", "-f", "matroska", path]);
    expect(await failure(decodeAudio(path))).toMatchObject({ code: "E_INPUT_BROKEN" });
  });
});

describe("finding ffmpeg", () => {
  const program = (): string => {
    const path = join(temporaryFolder(), "ffmpeg");
    writeFileSync(path, "");
    chmodSync(path, 0o755);
    return path;
  };

  it("FFMPEG_PATH comes first, then PATH in its order", () => {
    const [named, first, second] = [program(), program(), program()];
    const PATH = `/nonexistent:${join(first, "..")}:${join(second, "..")}`;
    expect(findFfmpeg({ FFMPEG_PATH: named, PATH })).toBe(named);
    expect(findFfmpeg({ PATH })).toBe(first);
    expect(findFfmpeg({ FFMPEG_PATH: "", PATH })).toBe(first);
  });

  it("FFMPEG_PATH that is no program is an error, not passed over", () => {
    expect(() => findFfmpeg({ FFMPEG_PATH: "/nonexistent/ffmpeg" })).toThrow(
      expect.objectContaining({
        code: "E_UNAVAILABLE",
        message: "FFMPEG_PATH /nonexistent/ffmpeg: must be a program that may be run",
      }),
    );
  });

  it("a file that may not be run is passed over", () => {
    const [dead, alive] = [program(), program()];
    chmodSync(dead, 0o644);
    expect(findFfmpeg({ PATH: `${join(dead, "..")}:${join(alive, "..")}` })).toBe(alive);
  });
});
