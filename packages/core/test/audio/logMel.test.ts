import { readFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { decodeAudio } from "@emotion-service/core/audio/decode";
import {
  DEFAULT_LOG_MEL,
  type LogMelConfig,
  createLogMelExtractor,
} from "@emotion-service/core/audio/logMel";
import { hzToMel, melToHz } from "@emotion-service/core/audio/mel";
import { createRandom, normal } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

interface Case {
  readonly file: string;
  readonly config: LogMelConfig;
  readonly frames: number;
  /** float32 [n_mels, frames], base64 */
  readonly features: string;
}

/** What scripts/reference/log_mel.py wrote. */
const { cases }: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL("../reference/log_mel.json", import.meta.url), "utf8"),
);

const RATE_OF_FILE = /_(\d+)\.wav$/;
const clip = (name: string): string =>
  fileURLToPath(new URL(`../fixtures/audio/${name}`, import.meta.url));

/** The greatest difference in dB over the bands that `isWanted` picks; what lies below -79 dB counts as -79 dB. */
function worstDifference(
  actual: Float32Array,
  { features, frames }: Case,
  isWanted: (band: number) => boolean,
): number {
  const bytes = new Uint8Array(Buffer.from(features, "base64"));
  const expected = new Float32Array(bytes.buffer);
  expect(actual.length).toBe(expected.length);
  let worst = 0;
  for (const [i, value] of expected.entries())
    if (isWanted(Math.floor(i / frames)))
      worst = Math.max(worst, Math.abs(Math.max(-79, actual[i]!) - Math.max(-79, value)));
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
const isAtEqualRate = ({ file, config }: Case): boolean =>
  Number(RATE_OF_FILE.exec(file)?.[1]) === config.sr;

describe("as librosa", () => {
  it.each(named.filter(isAtEqualRate))("$name", async (reference) => {
    const sound = await decodeAudio(clip(reference.file));
    const { features, frames, silent } = createLogMelExtractor(reference.config)(sound);
    expect({ frames, silent }).toEqual({ frames: reference.frames, silent: false });
    // librosa keeps the spectrum in single precision, 1e-7 of the loudest bin: some 1e-3 of an amplitude 80 dB below it, 0.01 dB.
    expect(worstDifference(features, reference, () => true)).toBeLessThan(0.01);
  });

  it.each(named.filter((each) => !isAtEqualRate(each)))("resampled: $name", async (reference) => {
    const sound = await decodeAudio(clip(reference.file));
    const { features, frames } = createLogMelExtractor(reference.config)(sound);
    expect(frames).toBe(reference.frames);
    // librosa resamples with soxr: both filters are flat to 91 % of the lower Nyquist frequency (7.3 of 8 kHz) and fall
    // to silence at it, each by a slope of its own.
    const edges = upperEdges(reference.config);
    const [low, high] = [(band: number) => edges[band]! <= 7000, () => true];
    expect(worstDifference(features, reference, low)).toBeLessThan(0.1);
    expect(worstDifference(features, reference, high)).toBeLessThan(1);
  });

  it("has cases of both kinds", () => {
    expect(cases.filter(isAtEqualRate).length).toBeGreaterThanOrEqual(7);
    expect(cases.filter((each) => !isAtEqualRate(each)).length).toBeGreaterThanOrEqual(3);
  });
});

const random = createRandom(9);
const noise = (n: number): Float32Array =>
  Float32Array.from({ length: n }, () => 0.1 * normal(random));
const soundOf = (samples: Float32Array, sampleRateHz = 16_000) => ({
  samples,
  sampleRateHz,
  channels: 1,
});
const logMel = (samples: Float32Array, changes: Partial<LogMelConfig> = {}) =>
  createLogMelExtractor({ ...DEFAULT_LOG_MEL, ...changes })(soundOf(samples));

describe("invariants", () => {
  it("is 64 x 94 for three seconds at the defaults, however long the clip is", () => {
    for (const n of [1, 5000, 48_000, 100_000]) {
      const { features, frames } = logMel(noise(n));
      expect({ frames, cells: features.length }).toEqual({ frames: 94, cells: 64 * 94 });
    }
  });

  it("lies in [-80, 0] dB, the loudest cell at 0, whatever the settings", () => {
    const settings = fc.record({
      n_fft: fc.constantFrom(64, 255, 400, 512),
      hop_length: fc.integer({ min: 10, max: 60 }), // below n_fft, so that every sample is in a frame
      n_mels: fc.integer({ min: 1, max: 80 }),
      fixed_duration: fc.constantFrom(0, 0.25),
      top_db: fc.constantFrom(0, 20),
      pad_mode: fc.constantFrom("constant" as const, "reflect" as const, "wrap" as const),
    });
    fc.assert(
      fc.property(settings, fc.integer({ min: 1, max: 6000 }), (changes, n) => {
        const { features, frames, silent } = logMel(noise(n), changes);
        expect(features.length).toBe(frames * changes.n_mels);
        expect(silent).toBe(false);
        expect(Math.max(...features)).toBeCloseTo(0, 9);
        expect(Math.min(...features)).toBeGreaterThanOrEqual(-80);
      }),
      { numRuns: 60 },
    );
  });

  it("does not depend on the level", () => {
    const samples = noise(30_000);
    const quiet = logMel(samples.map((value) => value / 64)).features;
    expect(quiet).toBeAllClose(logMel(samples).features, { rtol: 0, atol: 1e-4 });
  });

  it("crops the middle of a longer clip", () => {
    const samples = noise(40_000);
    const changes = { fixed_duration: 1, top_db: 0 };
    expect(logMel(samples, changes)).toEqual(logMel(samples.slice(12_000, 28_000), changes));
  });

  it("pads a shorter clip equally on both sides, the odd sample at the end", () => {
    const samples = noise(5001);
    const padded = new Float32Array(16_000);
    padded.set(samples, 5499);
    const changes = { fixed_duration: 1, top_db: 0 };
    expect(logMel(samples, changes)).toEqual(logMel(padded, changes));
  });

  it("leaves the sound it was given as it was", () => {
    const samples = noise(20_000);
    const before = samples.slice();
    logMel(samples, { fixed_duration: 0, top_db: 0 });
    expect(samples).toEqual(before);
  });
});

describe("a silent clip", () => {
  it.each([0, 3])("is 0 dB everywhere, and said to be silent (fixed_duration %i)", (seconds) => {
    const { features, silent } = logMel(new Float32Array(20_000), { fixed_duration: seconds });
    expect(silent).toBe(true);
    expect(new Set(features)).toEqual(new Set([0]));
  });
});
