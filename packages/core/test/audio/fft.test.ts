import { createPowerSpectrum } from "@emotion-service/core/audio/fft";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

/** |X[k]|² by the definition of the DFT. */
function naivePower(frame: Float64Array): Float64Array {
  const n = frame.length;
  return Float64Array.from({ length: 1 + Math.floor(n / 2) }, (_, k) => {
    let [re, im] = [0, 0];
    for (const [i, value] of frame.entries()) {
      const angle = (-2 * Math.PI * ((i * k) % n)) / n;
      re += value * Math.cos(angle);
      im += value * Math.sin(angle);
    }
    return re * re + im * im;
  });
}

const powerOf = (frame: Float64Array): Float64Array => {
  const power = new Float64Array(1 + Math.floor(frame.length / 2));
  createPowerSpectrum(frame.length)(frame, power);
  return power;
};

const random = createRandom(3);
const noise = (n: number): Float64Array => Float64Array.from({ length: n }, () => normal(random));

describe("is the DFT's power", () => {
  it.each([2, 4, 16, 17, 30, 64, 97, 255, 256, 400, 401, 512, 1000, 1024])("of %i samples", (n) => {
    const frame = noise(n);
    expect(powerOf(frame)).toBeAllClose(naivePower(frame), { rtol: 1e-9, atol: 1e-9 });
  });

  it.each([64, 400])("of %i samples where most bins are empty", (n) => {
    const frame = Float64Array.from({ length: n }, (_, i) => Math.cos((2 * Math.PI * 5 * i) / n));
    const power = powerOf(frame);
    expect(power[5]).toBeCloseTo((n / 2) ** 2, 6);
    expect(Math.max(...power.filter((_, k) => k !== 5))).toBeLessThan(1e-20 * n ** 2);
  });
});

it.each([1024, 400])("keeps the energy (Parseval), %i samples", (n) => {
  const frame = noise(n);
  const power = powerOf(frame);
  const both = power.reduce((sum, value, k) => sum + (k === 0 || k === n / 2 ? 1 : 2) * value, 0);
  const energy = frame.reduce((sum, value) => sum + value * value, 0);
  expect(both / n).toBeCloseTo(energy, 6);
});

it.each([1024, 400])("forgets the frame before, %i samples", (n) => {
  const [first, second] = [noise(n), noise(n)];
  const spectrum = createPowerSpectrum(n);
  const power = new Float64Array(1 + n / 2);
  spectrum(first, power);
  spectrum(second, power);
  expect(power).toEqual(powerOf(second));
});
