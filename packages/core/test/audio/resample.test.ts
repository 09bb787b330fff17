import { createResampler } from "@emotion-service/core/audio/resample";
import { concatenate } from "@emotion-service/core/audio/sound";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

/** Resamples in blocks of the given size. */
function resample(samples: Float32Array, fromHz: number, toHz: number, size = 3000): Float32Array {
  const blocks: Float32Array[] = [];
  const resampler = createResampler(fromHz, toHz, (block) => blocks.push(block.slice()));
  for (let at = 0; at < samples.length; at += size) resampler.push(samples.subarray(at, at + size));
  resampler.finish();
  resampler.close();
  return concatenate(blocks);
}

const sine = (hz: number, sampleRateHz: number, seconds: number): Float32Array =>
  Float32Array.from({ length: Math.round(sampleRateHz * seconds) }, (_, i) =>
    Math.sin((2 * Math.PI * hz * i) / sampleRateHz),
  );

/** The middle half, where no end is near. */
const middle = (samples: Float32Array): Float32Array =>
  samples.subarray(Math.floor(samples.length / 4), Math.floor((3 * samples.length) / 4));

const peakOf = (samples: Float32Array): number =>
  samples.reduce((peak, value) => Math.max(peak, Math.abs(value)), 0);

const decibels = (amplitude: number): number => 20 * Math.log10(amplitude);

describe.each([
  [48_000, 16_000],
  [44_100, 16_000],
  [22_050, 16_000],
  [8000, 16_000],
  [16_000, 44_100],
])("%i Hz to %i Hz", (fromHz, toHz) => {
  const nyquist = Math.min(fromHz, toHz) / 2;

  it.each([0.01, 0.3, 0.9])("keeps a sine at %f of the lower half rate, its phase too", (part) => {
    const hz = part * nyquist;
    const output = resample(sine(hz, fromHz, 0.5), fromHz, toHz);
    const expected = sine(hz, toHz, 0.5);
    expect(middle(output)).toBeAllClose(middle(expected), { rtol: 0, atol: 1e-5 }); // -100 dB
  });

  it("keeps a constant", () => {
    const output = resample(new Float32Array(fromHz / 2).fill(0.5), fromHz, toHz);
    expect(middle(output)).toBeAllClose(
      middle(output).map(() => 0.5),
      { rtol: 0, atol: 1e-6 },
    );
  });
});

describe("what the lower rate cannot carry", () => {
  it.each([8200, 9000, 12_000, 15_900, 20_000, 23_900])("%i Hz is gone at 16 kHz", (hz) => {
    const output = middle(resample(sine(hz, 48_000, 0.5), 48_000, 16_000));
    expect(decibels(peakOf(output))).toBeLessThan(-100);
  });

  it("leaves no image above the old half rate when the rate rises", () => {
    const output = middle(resample(sine(3000, 8000, 0.5), 8000, 48_000));
    const expected = middle(sine(3000, 48_000, 0.5));
    expect(decibels(peakOf(output.map((value, i) => value - expected[i]!)))).toBeLessThan(-100);
  });
});

it("has ceil(n · to / from) samples", () => {
  const rate = fc.constantFrom(8000, 11_025, 16_000, 22_050, 44_100, 48_000);
  fc.assert(
    fc.property(fc.nat({ max: 3000 }), rate, rate, (n, fromHz, toHz) => {
      expect(resample(new Float32Array(n), fromHz, toHz).length).toBe(
        Math.ceil((n * toHz) / fromHz),
      );
    }),
    { numRuns: 60 },
  );
});

it("is linear and does not depend on the clip before", () => {
  const [a, b] = [sine(440, 44_100, 0.1), sine(997, 44_100, 0.1)];
  const mix = a.map((value, i) => 0.5 * value - 0.25 * b[i]!);
  const [outA, outB] = [resample(a, 44_100, 16_000), resample(b, 44_100, 16_000)];
  expect(resample(mix, 44_100, 16_000)).toBeAllClose(
    outA.map((value, i) => 0.5 * value - 0.25 * outB[i]!),
    { rtol: 0, atol: 1e-6 },
  );
});

it("hands back the same samples at an equal rate", () => {
  const samples = Float32Array.of(0.1, -0.2, 0.3);
  expect(resample(samples, 16_000, 16_000)).toEqual(samples);
});

it.each([1, 100, 16_384, 100_000])("does not depend on the blocks (%i)", (size) => {
  const samples = sine(440, 44_100, 1);
  expect(resample(samples, 44_100, 16_000, size)).toEqual(resample(samples, 44_100, 16_000));
});

it("is as good between rates without a small ratio", () => {
  const output = middle(resample(sine(3000, 47_999, 0.5), 47_999, 16_000));
  const expected = middle(sine(3000, 16_000, 0.5));
  expect(output).toBeAllClose(expected.subarray(0, output.length), { rtol: 0, atol: 1e-5 });
});

it.each([
  [3001, 1001, true], // 1000.33 samples: librosa rounds, then appends a zero
  [3002, 1001, false],
  [3000, 1000, false],
])("%i samples at a third of the rate are %i, the last a zero: %s", (n, length, isZero) => {
  const output = resample(new Float32Array(n).fill(0.5), 48_000, 16_000);
  expect(output).toHaveLength(length);
  expect(output.at(-1) === 0).toBe(isZero);
});
