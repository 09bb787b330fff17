import { execFileSync } from "node:child_process";
import { chmodSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { openSound } from "@emotion-service/core/audio/decode";
import { findFfmpeg } from "@emotion-service/core/audio/ffmpeg";
import { samplesOf } from "@emotion-service/core/audio/sound";
import { UserError } from "@emotion-service/core/errors";
import { describe, expect, it, vi } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { type FlacShape, flacBytes } from "./flacBytes.ts";
import { ID3V1, ID3V2, concatenate, wavBytes } from "./wavBytes.ts";

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
    const { samples, sampleRateHz } = await decodeAudio(
      encoded("adpcm.wav", "-c:a", "adpcm_ima_wav"),
    );
    expect(sampleRateHz).toBe(16_000);
    // ADPCM keeps 4 bits a sample: the error is some hundredths of the sound's power.
    const steps = await fixtureSteps(0, 16_000);
    const errors = steps.map((step, i) => samples[i]! - step / 32_768);
    const powerOf = (values: readonly number[]) =>
      values.reduce((sum, value) => sum + value ** 2, 0);
    expect(powerOf(errors)).toBeLessThan(0.05 * powerOf(steps.map((step) => step / 32_768)));
  });

  it("behind a tag of a music program is read without ffmpeg", async () => {
    const path = join(temporaryFolder(), "tagged.wav");
    writeFileSync(path, concatenate([ID3V2, wavBytes([[16384], [8192]])]));
    const { samples } = await withoutFfmpeg(() => decodeAudio(path));
    expect(samples).toEqual(Float32Array.of(0.5, 0.25));
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

  it("of 24 bits and two channels, as ffmpeg encodes them, is exact", async () => {
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

  /** Samples of some channels all over the range of so many bits, and what their means are. */
  const ramp = (bits: number, channels: number, n = 100) => {
    const fullScale = 2 ** (bits - 1);
    const samples = Array.from({ length: n }, (_, i) =>
      Array.from({ length: channels }, (__, channel) =>
        Math.max(-fullScale, Math.round(fullScale * Math.sin(i + channel)) - 1),
      ),
    );
    const sum = (frame: readonly number[]): number => frame.reduce((a, b) => a + b, 0);
    const means = samples.map((frame) => Math.fround(sum(frame) / (fullScale * channels)));
    return { samples, means: Float32Array.from(means) };
  };
  const written = (bytes: Uint8Array): string => {
    const path = join(temporaryFolder(), "made.flac");
    writeFileSync(path, bytes);
    return path;
  };

  describe.each([8, 16, 24])("of %i bits", (bits) => {
    it.each([1, 2, 3, 4, 5, 6, 7, 8])("and %i channels: their mean, exactly", async (channels) => {
      const { samples, means } = ramp(bits, channels);
      const path = written(flacBytes(samples, { bits, sampleRateHz: 22_050 }));
      expect(await withoutFfmpeg(() => decodeAudio(path))).toEqual({
        samples: means,
        sampleRateHz: 22_050,
        channels,
      });
    });
  });

  it("of 32 bits is as exact as 32-bit floats are", async () => {
    const { samples, means } = ramp(32, 2);
    const path = written(flacBytes(samples, { bits: 32 }));
    const sound = await withoutFfmpeg(() => decodeAudio(path));
    expect(sound.samples).toBeAllClose(means, { rtol: 0, atol: 2 ** -24 });
  });

  it.each([4, 12, 20])("of %i bits is left to ffmpeg: the decoder knows no such", async (bits) => {
    const { samples, means } = ramp(bits, 1);
    const path = written(flacBytes(samples, { bits }));
    expect(await failure(withoutFfmpeg(() => decodeAudio(path)))).toMatchObject({
      code: "E_UNAVAILABLE",
    });
    expect((await decodeAudio(path)).samples).toEqual(means);
  });

  it.each<[string, FlacShape]>([
    ["that does not state how long it is", { statedSamples: 0 }],
    ["that states less than it holds", { statedSamples: 50 }],
    ["whose frames vary in length", { blocks: [16, 5, 33, 1], isVariable: true }],
    ["of one frame", { blocks: [100] }],
    ["whose frames have one sample each", { blocks: [1] }],
  ])("%s is read whole", async (_, shape) => {
    const { samples, means } = ramp(16, 2);
    const path = written(flacBytes(samples, shape));
    const sound = await withoutFfmpeg(() => decodeAudio(path));
    expect(sound.samples).toEqual(means);
  });

  it.each([
    ["a tag before it", [ID3V2], []],
    ["a tag after it", [], [ID3V1]],
    ["tags on both sides", [ID3V2], [ID3V1]],
    ["zeros after it", [], [new Uint8Array(1000)]],
  ])("with %s is read without ffmpeg, and so is the next", async (_, before, after) => {
    const { samples, means } = ramp(16, 1);
    const path = written(concatenate([...before, flacBytes(samples), ...after]));
    await withoutFfmpeg(async () => {
      expect((await decodeAudio(path)).samples).toEqual(means);
      expect((await decodeAudio(written(flacBytes(samples)))).samples).toEqual(means);
    });
  });

  it("with what is no sound after the samples that it states", async () => {
    const { samples, means } = ramp(16, 1, 96);
    const junk = Uint8Array.from({ length: 300 }, (_, i) => (i * 31) % 251);
    const path = written(concatenate([flacBytes(samples), junk]));
    expect((await decodeAudio(path)).samples).toEqual(means);
  });

  it("read at the same time as others of its kind and of another", async () => {
    const clips = [ramp(16, 1, 900), ramp(16, 1, 500), ramp(16, 2, 700), ramp(16, 1, 300)];
    const paths = clips.map(({ samples }) => written(flacBytes(samples, { blocks: [32] })));
    const sounds = await withoutFfmpeg(() => Promise.all(paths.map(decodeAudio)));
    expect(sounds.map(({ samples }) => samples)).toEqual(clips.map(({ means }) => means));
  });

  it("behind thousands of empty blocks is left to ffmpeg: passing over them takes long here", async () => {
    const { samples, means } = ramp(16, 1, 64);
    const whole = flacBytes(samples);
    const behind = (blocks: number): string => {
      const head = whole.slice(0, 42);
      head[4]! &= 0x7f; // not the last block
      const padding = Array.from({ length: blocks }, (_, k) =>
        Uint8Array.of(k === blocks - 1 ? 0x81 : 1, 0, 0, 0),
      );
      return written(concatenate([head, ...padding, whole.subarray(42)]));
    };
    const sound = await withoutFfmpeg(() => decodeAudio(behind(9000)));
    expect(sound.samples).toEqual(means);
    await expect(withoutFfmpeg(() => decodeAudio(behind(10_001)))).rejects.toThrow(UserError);
  });

  it("cut anywhere gives whole frames or is refused, never anything else", async () => {
    const { samples, means } = ramp(16, 1, 64);
    const whole = flacBytes(samples);
    const outcomeOf = async (length: number): Promise<Float32Array | string> => {
      const outcome = decodeAudio(written(whole.subarray(0, length)));
      return outcome.then(
        (sound) => sound.samples,
        (error: unknown) => (error instanceof UserError ? error.code : String(error)),
      );
    };
    const allowed = [
      "E_INPUT_BROKEN",
      ...[16, 32, 48].map((count) => means.subarray(0, count)), // whole frames
    ];
    for (const length of [3, 4, 30, 41, 42, 50, 80, 130, 200, whole.length - 1])
      expect(allowed).toContainEqual(await outcomeOf(length));
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
