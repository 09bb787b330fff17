import { TRIM_HOP, trimBounds } from "@emotion-service/core/audio/trim";
import { createRandom, normal } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

/** librosa.effects.trim by its words: frames of 2048 every 512 samples, centred in zeros, against the loudest one. */
function trimBruteForce(samples: Float32Array, topDb: number): Float32Array {
  const rms = Array.from({ length: 1 + Math.floor(samples.length / 512) }, (_, frame) => {
    let sum = 0;
    for (let i = frame * 512 - 1024; i < frame * 512 + 1024; i += 1) sum += (samples[i] ?? 0) ** 2;
    return Math.sqrt(sum / 2048);
  });
  const level = (value: number): number => 20 * Math.log10(Math.max(1e-5, value));
  const loud = rms.map((value) => level(value) - level(Math.max(...rms)) > -topDb);
  const end = (loud.lastIndexOf(true) + 1) * 512;
  return samples.slice(loud.indexOf(true) * 512, Math.min(samples.length, end));
}

function trimSilence(samples: Float32Array, topDb: number): Float32Array {
  const energies = Array.from({ length: Math.ceil(samples.length / TRIM_HOP) }, (_, hop) =>
    samples
      .subarray(hop * TRIM_HOP, (hop + 1) * TRIM_HOP)
      .reduce((sum, value) => sum + value ** 2, 0),
  );
  const { start, end } = trimBounds(energies, samples.length, topDb);
  return samples.subarray(start, end);
}

/** Noise whose loudness changes every `step` samples by the given amplitudes. */
function noise(amplitudes: readonly number[], step: number, seed: number): Float32Array {
  const random = createRandom(seed);
  return Float32Array.from(
    { length: amplitudes.length * step },
    (_, i) => (amplitudes[Math.floor(i / step)] ?? 0) * normal(random),
  );
}

it("is librosa's trim, any loudness, length and threshold", () => {
  const amplitudes = fc.array(fc.constantFrom(0, 1e-6, 1e-4, 0.003, 0.02, 0.1, 0.5), {
    minLength: 1,
    maxLength: 12,
  });
  const step = fc.integer({ min: 1, max: 2000 });
  fc.assert(
    fc.property(amplitudes, step, fc.constantFrom(10, 20, 35.5, 60), (loudness, length, topDb) => {
      const samples = noise(loudness, length, 5);
      expect(trimSilence(samples, topDb)).toEqual(trimBruteForce(samples, topDb));
    }),
    { numRuns: 200 },
  );
});

describe("edges", () => {
  it("cuts silence at both ends to within a frame", () => {
    const samples = new Float32Array(20_000);
    samples.set(noise([0.5], 5000, 1), 8000);
    const trimmed = trimSilence(samples, 20);
    expect(trimmed.byteOffset / 4).toBeGreaterThan(8000 - 2048);
    expect(trimmed.byteOffset / 4).toBeLessThanOrEqual(8000);
    expect(trimmed.length).toBeGreaterThanOrEqual(5000);
    expect(trimmed.length).toBeLessThan(5000 + 4096);
  });

  it("keeps a clip of zeros whole: no frame is quieter than the loudest", () => {
    expect(trimSilence(new Float32Array(3000), 20)).toEqual(new Float32Array(3000));
  });

  it.each([0, 1, 511, 512, 513])("keeps %i loud samples", (n) => {
    const samples = new Float32Array(n).fill(0.5);
    expect(trimSilence(samples, 20)).toEqual(samples);
  });
});
