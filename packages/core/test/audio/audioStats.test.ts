import { audioStats, audioStatsEncoder } from "@emotion-service/core/audio/audioStats";
import { createLogMelExtractor } from "@emotion-service/core/audio/logMel";
import { DEFAULT_LOG_MEL } from "@emotion-service/core/audio/logMelConfig";
import { soundOf } from "@emotion-service/core/audio/sound";
import { createRandom } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const N_MELS = 6;
const SECONDS_PER_FRAME = 0.032;
/** Of a band: mean, deviation, 10th, 50th, 90th percentile, mean of |delta|, deviation of delta. */
const PER_BAND = 7;

/** A spectrogram from its frames, each the dB of every band: [n_mels, frames]. */
function spectrogram(frames: readonly (readonly number[])[]): Float32Array {
  return Float32Array.from(
    (frames[0] ?? []).flatMap((_, band) => frames.map((frame) => frame[band] ?? NaN)),
  );
}

const statsOf = (frames: readonly (readonly number[])[]): Float32Array =>
  audioStats(spectrogram(frames), frames[0]!.length, frames.length, SECONDS_PER_FRAME);

const random = createRandom(21);
const randomFrames = (count: number): number[][] =>
  Array.from({ length: count }, () => Array.from({ length: N_MELS }, () => -79 * random()));
const padding = (count: number): number[][] =>
  Array.from({ length: count }, () => Array.from({ length: N_MELS }, () => -80));

describe("the vector", () => {
  it.each([1, 2, 20, 64, 128])("has the encoder's dimension for %i bands", (nMels) => {
    const features = Float32Array.from({ length: nMels * 12 }, () => -60 * random());
    const { dim } = audioStatsEncoder({ ...DEFAULT_LOG_MEL, n_mels: nMels });
    expect(audioStats(features, nMels, 12, SECONDS_PER_FRAME)).toHaveLength(dim);
  });

  it("holds the functionals of each band", () => {
    const frames = Array.from({ length: 11 }, (_, t) => [-t, -20, -10 - 2 * t, -30, -40, -50]);
    const stats = statsOf(frames);
    const band = (b: number): Float32Array => stats.subarray(b * PER_BAND, b * PER_BAND + 5);
    const deviation = Math.sqrt(10); // of 0 … 10
    expect(band(0)).toBeAllClose([-5, deviation, -9, -5, -1]);
    expect(band(1)).toBeAllClose([-20, 0, -20, -20, -20], { atol: 1e-12 });
    expect(band(2)).toBeAllClose([-20, 2 * deviation, -28, -20, -12]);
  });

  it("holds the deltas: the slope by regression over five frames, the ends repeated", () => {
    const frames = Array.from({ length: 100 }, (_, t) =>
      Array.from({ length: N_MELS }, () => -t / 2),
    );
    const [meanMagnitude, deviation] = statsOf(frames).subarray(5, PER_BAND);
    // All 96 inner slopes are 1/2; where the end is repeated they are 0.8 and 0.5 of that.
    expect(meanMagnitude).toBeCloseTo((0.5 * (96 + 2 * (0.8 + 0.5))) / 100, 6);
    expect(deviation).toBeGreaterThan(0);
  });

  it("holds the level, the mean of the bands", () => {
    const stats = statsOf([
      [-10, -20, -30, -40, -50, -60],
      [-20, -20, -20, -20, -20, -20],
    ]);
    const level = stats.subarray(N_MELS * PER_BAND, N_MELS * PER_BAND + 5);
    expect(level).toBeAllClose([-27.5, 7.5, -33.5, -27.5, -21.5]);
  });

  it("holds the spectral centroid, in bands", () => {
    const frame = [-80, -20, -6, 0, -12, -40];
    const stats = statsOf([frame, frame, frame]);
    const amplitudes = frame.map((decibels) => 10 ** (decibels / 20));
    const total = amplitudes.reduce((sum, value) => sum + value, 0);
    const centroid = amplitudes.reduce((sum, value, band) => sum + (band * value) / total, 0);
    expect(stats[(N_MELS + 1) * PER_BAND]).toBeCloseTo(centroid, 5);
    expect(stats[(N_MELS + 1) * PER_BAND + 1]).toBeCloseTo(0, 6); // its deviation over equal frames
  });

  it("ends with the duration", () => {
    expect(statsOf(randomFrames(40)).at(-1)).toBeCloseTo(40 * SECONDS_PER_FRAME, 6);
  });
});

describe("padding", () => {
  it("at the ends changes nothing", () => {
    const count = fc.nat({ max: 20 });
    fc.assert(
      fc.property(count, count, fc.integer({ min: 1, max: 30 }), (before, after, length) => {
        const frames = randomFrames(length);
        const padded = [...padding(before), ...frames, ...padding(after)];
        expect(statsOf(padded)).toEqual(statsOf(frames));
      }),
      { numRuns: 30 },
    );
  });

  it("is not what is silent within the clip", () => {
    const [first, last] = [randomFrames(10), randomFrames(10)];
    const paused = statsOf([...first, ...padding(5), ...last]);
    expect(paused.at(-1)).toBeCloseTo(25 * SECONDS_PER_FRAME, 6);
    expect(paused[0]).toBeLessThan(statsOf([...first, ...last])[0]!);
  });

  it("is not a frame with one band above the floor", () => {
    const faint = [-80, -80, -79.9, -80, -80, -80];
    expect(statsOf([faint, ...randomFrames(3), faint]).at(-1)).toBeCloseTo(
      5 * SECONDS_PER_FRAME,
      6,
    );
  });
});

describe("what says nothing", () => {
  it("is steady: no deviation, no delta", () => {
    const stats = statsOf(Array.from({ length: 9 }, () => [-10, -20, -30, -40, -50, -60]));
    for (let band = 0; band <= N_MELS; band += 1) {
      const [mean, deviation, low, middle, high, magnitude, delta] = stats.subarray(
        band * PER_BAND,
        (band + 1) * PER_BAND,
      );
      const level = band === N_MELS ? -35 : -10 * (band + 1);
      expect([mean, low, middle, high]).toBeAllClose([level, level, level, level]);
      expect([deviation, magnitude, delta]).toBeAllClose([0, 0, 0], { atol: 1e-6 });
    }
  });

  it.each([
    ["all at 0 dB, as a silent clip is", 0],
    ["all at the floor", -80],
  ])("%s: finite", (_, level) => {
    const stats = audioStats(new Float32Array(64 * 94).fill(level), 64, 94, SECONDS_PER_FRAME);
    expect(stats.every(Number.isFinite)).toBe(true);
    expect(stats.at(-1)).toBeCloseTo(94 * SECONDS_PER_FRAME, 5);
  });

  it.each([1, 2, 3])("one frame of %i bands: finite", (nMels) => {
    const stats = audioStats(new Float32Array(nMels), nMels, 1, SECONDS_PER_FRAME);
    expect(stats.every(Number.isFinite)).toBe(true);
  });

  it("a silent clip, by way of its features: finite", async () => {
    const sound = soundOf(new Float32Array(8000), 16_000);
    const { features, frames } = await createLogMelExtractor(DEFAULT_LOG_MEL)(sound);
    expect(audioStats(features, 64, frames, SECONDS_PER_FRAME).every(Number.isFinite)).toBe(true);
  });
});

describe("the encoder", () => {
  it("names its settings, so that embeddings of others are refused", () => {
    const encoder = audioStatsEncoder(DEFAULT_LOG_MEL);
    expect(encoder).toMatchObject({ model: "audio_stats", weightsSha256: "none" });
    expect(JSON.parse(encoder.featureConfig)).toMatchObject({ audio: DEFAULT_LOG_MEL });
    const other = audioStatsEncoder({ ...DEFAULT_LOG_MEL, hop_length: 256 });
    expect(other.featureConfig).not.toBe(encoder.featureConfig);
  });
});
