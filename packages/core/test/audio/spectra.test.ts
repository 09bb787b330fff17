import { floatsAt, store } from "@emotion-service/core/audio/kernel";
import { LANES, createSpectra } from "@emotion-service/core/audio/spectra";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

/** |X[k]|² of a Hann-windowed frame by the definition of the DFT. */
function naivePower(frame: ArrayLike<number>): Float64Array {
  const n = frame.length;
  return Float64Array.from({ length: 1 + Math.floor(n / 2) }, (_, k) => {
    let [re, im] = [0, 0];
    for (let i = 0; i < n; i += 1) {
      const windowed = (frame[i] ?? 0) * (0.5 - 0.5 * Math.cos((2 * Math.PI * i) / n));
      const angle = (-2 * Math.PI * ((i * k) % n)) / n;
      re += windowed * Math.cos(angle);
      im += windowed * Math.sin(angle);
    }
    return re * re + im * im;
  });
}

const random = createRandom(3);
const noise = (n: number): Float32Array => Float32Array.from({ length: n }, () => normal(random));

/** The power of four frames, each `hop` after the other, as four arrays. */
function measure(samples: Float32Array, n: number, hop: number): Float32Array[] {
  const spectra = createSpectra(n);
  spectra.measure(store(samples), hop);
  const power = floatsAt(spectra.power, spectra.bins * LANES);
  return Array.from({ length: LANES }, (_, lane) => power.filter((__, i) => i % LANES === lane));
}

const LENGTHS = [
  16, 17, 18, 20, 30, 31, 36, 64, 97, 98, 100, 255, 256, 400, 401, 500, 512, 1000, 1024, 2048, 2205,
];

describe("is the DFT's power of windowed frames", () => {
  it.each(LENGTHS)("of %i samples, four at once", (n) => {
    const hop = 7;
    const samples = noise(n + 3 * hop);
    for (const [lane, power] of measure(samples, n, hop).entries()) {
      const expected = naivePower(samples.subarray(lane * hop, lane * hop + n));
      // Single precision: some 1e-7 of the spectrum's root mean square an amplitude.
      expect(power).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-5 * n });
    }
  });

  it.each(LENGTHS)("of %i samples where most bins are empty", (n) => {
    const frame = Float32Array.from({ length: n }, (_, i) => Math.cos((2 * Math.PI * 5 * i) / n));
    const samples = new Float32Array(4 * n);
    for (let lane = 0; lane < 4; lane += 1) samples.set(frame, lane * n);
    const loudest = (n / 4) ** 2;
    for (const power of measure(samples, n, n)) {
      expect(power[5]! / loudest).toBeCloseTo(1, 5);
      // A Hann window spreads a tone over three bins. What is left elsewhere lies 110 dB below and more.
      const rest = power.filter((_, k) => Math.abs(k - 5) > 1 && Math.abs(n - k - 5) > 1);
      expect(Math.max(0, ...rest)).toBeLessThan(1e-11 * loudest);
    }
  });
});
