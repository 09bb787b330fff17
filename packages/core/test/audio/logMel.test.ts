import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { openSound } from "@emotion-service/core/audio/decode";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { hzToMel, melToHz } from "@emotion-service/core/audio/mel";
import { type Sound, soundOf } from "@emotion-service/core/audio/sound";
import { createRandom, normal } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface Case {
  readonly file: string;
  readonly config: LogMelConfig;
  readonly frames: number;
  /** Frames that `features` holds: of a long clip some. */
  readonly kept: readonly number[];
  /** float32 [n_mels, kept], base64 */
  readonly features: string;
}

/** What scripts/reference/log_mel.py wrote. */
const { cases }: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL("../reference/log_mel.json", import.meta.url), "utf8"),
);

const clip = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/audio/${name}`, import.meta.url));

/** The greatest difference in dB over the bands that `isWanted` picks; what lies below -79 dB counts as -79 dB. */
function worstDifference(
  actual: Float32Array,
  { config, frames, kept, features }: Case,
  isWanted: (band: number) => boolean = () => true,
): number {
  const expected = new Float32Array(new Uint8Array(Buffer.from(features, "base64")).buffer);
  expect(expected.length).toBe(config.n_mels * kept.length);
  expect(actual.length).toBe(config.n_mels * frames);
  let worst = 0;
  for (const [i, value] of expected.entries()) {
    const [band, frame] = [Math.floor(i / kept.length), kept[i % kept.length]!];
    if (!isWanted(band)) continue;
    const measured = actual[band * frames + frame]!;
    worst = Math.max(worst, Math.abs(Math.max(-79, measured) - Math.max(-79, value)));
  }
  return worst;
}

/** The upper edge of each mel band, Hz. */
function upperEdges({ sr, n_mels }: LogMelConfig): number[] {
  const top = hzToMel(sr / 2);
  return Array.from({ length: n_mels }, (_, band) => melToHz((top * (band + 2)) / (n_mels + 1)));
}

const nameOf = ({ file, config }: Case): string => {
  const changed = Object.entries(config).filter(
    ([name, value]) => value !== DEFAULT_LOG_MEL[name as keyof LogMelConfig],
  );
  return `${file} ${changed.map((pair) => pair.join(" ")).join(", ")}`;
};
const named = cases.map((each) => ({ ...each, name: nameOf(each) }));
const rateOf = ({ file }: Case): number => Number(/_(\d+)\.wav$/.exec(file)?.[1]);
const isAtEqualRate = (each: Case): boolean => rateOf(each) === each.config.sr;

describe("as librosa", () => {
  it.each(named.filter(isAtEqualRate))("$name", async (reference) => {
    const sound = await openSound(clip(reference.file));
    const { features, frames, silent } = await createLogMelExtractor(reference.config)(sound);
    expect({ frames, silent }).toEqual({ frames: reference.frames, silent: false });
    // librosa keeps the spectrum in single precision, 1e-7 of the loudest bin: some 1e-3 of an amplitude 80 dB below it, 0.01 dB.
    expect(worstDifference(features, reference)).toBeLessThan(0.01);
  });

  it.each(named.filter((each) => !isAtEqualRate(each)))("resampled: $name", async (reference) => {
    const sound = await openSound(clip(reference.file));
    const { features, frames } = await createLogMelExtractor(reference.config)(sound);
    expect(frames).toBe(reference.frames);
    // librosa resamples with soxr: both filters are flat to 91 % of the lower Nyquist frequency (7.3 of 8 kHz) and fall
    // to silence at it, each by a slope of its own. A band astride it holds little but the slope's foot.
    const nyquist = Math.min(rateOf(reference), reference.config.sr) / 2;
    const edges = upperEdges(reference.config);
    const worstTo = (hz: number) =>
      worstDifference(features, reference, (band) => edges[band]! <= hz);
    expect(worstTo(0.875 * nyquist)).toBeLessThan(0.1); // 7 of 8 kHz
    expect(worstTo(nyquist)).toBeLessThan(1);
  });

  it.each<[keyof LogMelConfig, unknown[]]>([
    ["sr", [8000, 16_000, 22_050, 44_100, 48_000]],
    ["n_fft", [256, 400, 512, 551, 1024, 2048, 4096]],
    ["n_mels", [20, 40, 64, 80, 128]],
    ["fixed_duration", [0, 1, 3, 10]],
    ["top_db", [0, 20, 60]],
    ["pad_mode", ["constant", "reflect", "wrap"]],
  ])("has cases of every %s", (name, values) => {
    expect(cases.map(({ config }) => config[name])).toEqual(expect.arrayContaining(values));
  });

  it.each([
    [48_000, 16_000],
    [44_100, 16_000],
    [8000, 16_000],
    [16_000, 22_050],
  ])("has cases from %i to %i Hz", (from, to) => {
    const resampled = cases.filter((each) => rateOf(each) === from && each.config.sr === to);
    expect(resampled.length).toBeGreaterThanOrEqual(2);
  });
});

const random = createRandom(9);
const noise = (n: number): Float32Array =>
  Float32Array.from({ length: n }, () => 0.1 * normal(random));
/** The log-mel spectrogram of a sound at 16 kHz. */
const logMel = async (samples: Float32Array, changes: Partial<LogMelConfig> = {}) =>
  createLogMelExtractor({ ...DEFAULT_LOG_MEL, ...changes })(soundOf(samples, 16_000));

describe("invariants", () => {
  it("is 64 x 94 for three seconds at the defaults, however long the clip is", async () => {
    for (const n of [1, 5000, 48_000, 100_000]) {
      const { features, frames } = await logMel(noise(n));
      expect({ frames, cells: features.length }).toEqual({ frames: 94, cells: 64 * 94 });
    }
  });

  it("lies in [-80, 0] dB, the loudest cell at 0, whatever the settings", async () => {
    const settings = fc.record({
      n_fft: fc.constantFrom(64, 255, 400, 512),
      hop_length: fc.integer({ min: 10, max: 60 }), // below n_fft, so that every sample is in a frame
      n_mels: fc.integer({ min: 1, max: 80 }),
      fixed_duration: fc.constantFrom(0, 0.25),
      top_db: fc.constantFrom(0, 20),
      pad_mode: fc.constantFrom("constant" as const, "reflect" as const, "wrap" as const),
    });
    await fc.assert(
      fc.asyncProperty(settings, fc.integer({ min: 1, max: 6000 }), async (changes, n) => {
        const { features, frames, silent } = await logMel(noise(n), changes);
        expect(features.length).toBe(frames * changes.n_mels);
        expect(silent).toBe(false);
        expect(Math.max(...features)).toBeCloseTo(0, 9);
        expect(Math.min(...features)).toBeGreaterThanOrEqual(-80);
      }),
      { numRuns: 60 },
    );
  });

  it("does not depend on the level", async () => {
    const samples = noise(30_000);
    const quiet = await logMel(samples.map((value) => value / 64));
    expect(quiet.features).toBeAllClose((await logMel(samples)).features, { rtol: 0, atol: 1e-4 });
  });

  it("crops the middle of a longer clip", async () => {
    const samples = noise(40_000);
    const changes = { fixed_duration: 1, top_db: 0 };
    const { features } = await logMel(samples.slice(12_000, 28_000), changes);
    expect((await logMel(samples, changes)).features).toEqual(features);
  });

  it("pads a shorter clip equally on both sides, the odd sample at the end", async () => {
    const samples = noise(5001);
    const padded = new Float32Array(16_000);
    padded.set(samples, 5499);
    const changes = { fixed_duration: 1, top_db: 0 };
    const { features } = await logMel(padded, changes);
    expect((await logMel(samples, changes)).features).toEqual(features);
  });

  it("leaves the sound it was given as it was", async () => {
    const samples = noise(20_000);
    const before = samples.slice();
    await logMel(samples, { fixed_duration: 0, top_db: 0 });
    expect(samples).toEqual(before);
  });
});

describe("a silent clip", () => {
  it.each([0, 3])(
    "is 0 dB everywhere, and said to be silent (fixed_duration %i)",
    async (seconds) => {
      const { features, silent } = await logMel(new Float32Array(20_000), {
        fixed_duration: seconds,
      });
      expect(silent).toBe(true);
      expect(new Set(features)).toEqual(new Set([0]));
    },
  );
});

describe("a sound that is too long to be kept", () => {
  /** Ten minutes of 16 kHz, made anew at each read: more than stays in memory, its middle too. */
  const seconds = 600;
  /** Silence, then saws of changing pitch. */
  const sampleAt = (i: number): number =>
    i < 40_000 ? 0 : ((i * (3 + ((i >> 12) % 5))) % 200) / 200 - 0.5;
  let reads = 0;
  const long: Sound = {
    name: "long.wav",
    sampleRateHz: 16_000,
    channels: 1,
    read: async (onBlock) => {
      reads += 1;
      for (let at = 0; at < seconds * 16_000; at += 10_007) {
        const length = Math.min(10_007, seconds * 16_000 - at);
        if (!onBlock(Float32Array.from({ length }, (_, i) => sampleAt(at + i)))) return;
      }
    },
  };
  const part = (from: number, to: number): Float32Array =>
    Float32Array.from({ length: to - from }, (_, i) => sampleAt(from + i));

  it("is read again, and gives its middle as a short one does", async () => {
    const extract = createLogMelExtractor({ ...DEFAULT_LOG_MEL, top_db: 0 });
    reads = 0;
    const { features, durationSeconds } = await extract(long);
    expect(durationSeconds).toBe(seconds);
    expect(reads).toBeGreaterThan(1);
    const middle = (seconds * 16_000 - 48_000) / 2;
    const expected = await extract(soundOf(part(middle, middle + 48_000), 16_000));
    expect(features).toEqual(expected.features);
  });

  it.each(["constant", "reflect", "wrap"] as const)(
    "gives all of it, frame for frame (%s)",
    async (pad_mode) => {
      const config = { ...DEFAULT_LOG_MEL, n_mels: 20, fixed_duration: 0, pad_mode };
      const { features, frames } = await createLogMelExtractor(config)(long);
      expect(frames).toBeGreaterThan(18_600);
      // Frames far from the ends are those of a piece of the sound, but for the level of the loudest cell.
      const from = 2048 * 2000;
      const piece = await createLogMelExtractor({ ...config, top_db: 0 })(
        soundOf(part(from, from + 20_000), 16_000),
      );
      const column = (all: Float32Array, count: number, t: number): number[] =>
        Array.from({ length: 20 }, (_, band) => all[band * count + t]!);
      const trimmed = 18_750 + 1 - frames; // hops that were cut as silence, all at the start
      const inWhole = column(features, frames, from / 512 + 10 - trimmed);
      const inPiece = column(piece.features, piece.frames, 10);
      const shift = Math.max(...inPiece) - Math.max(...inWhole);
      const floor = shift - 60;
      expect(inWhole.map((value) => Math.max(floor, value + shift))).toBeAllClose(
        inPiece.map((value) => Math.max(floor, value)),
        { rtol: 0, atol: 0.005 },
      );
    },
  );
});

it.each([NaN, Infinity, -Infinity])("a sound that holds %s is refused", async (value) => {
  await expect(logMel(Float32Array.of(0.5, value))).rejects.toMatchObject({
    code: "E_INPUT_BROKEN",
    message: "sound: holds samples that are not finite numbers",
  });
});

it("features that would take more than a gibibyte are refused", async () => {
  const changes = { hop_length: 1, n_mels: 512, fixed_duration: 60 };
  await expect(logMel(noise(100), changes)).rejects.toMatchObject({
    message: "sound: its features must take at most 1 GiB, would take 1.8",
  });
});
