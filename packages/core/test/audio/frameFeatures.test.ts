import { readFileSync } from "node:fs";
import {
  FRAME_FEATURES,
  type MeasuredFeature,
  createFrameMeter,
  rowsOf,
} from "@emotion-service/core/audio/frameFeatures";
import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import { createRandom, normal } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const MEASURED = FRAME_FEATURES.filter((name) => name !== "mfcc");

type Measured = ReadonlyMap<MeasuredFeature, Float32Array>;

/** Every feature of peak-normalised samples, cut into frames as numpy.pad and librosa.util.frame do it. */
function measure(samples: Float32Array, changes: Partial<LogMelConfig> = {}): Measured {
  const config = { ...DEFAULT_LOG_MEL, ...changes };
  const { n_fft: nFft, hop_length: hop } = config;
  const pad = Math.floor(nFft / 2);
  const padded = padBoth(samples, pad, config.pad_mode);
  const frames = 1 + Math.floor((padded.length - nFft) / hop);
  const meter = createFrameMeter(FRAME_FEATURES, config)(frames);
  const powerSpectrum = naivePowerSpectrum(nFft);
  for (let t = 0; t < frames; t += 1) {
    const frame = padded.subarray(t * hop, t * hop + nFft);
    const power = powerSpectrum(frame);
    meter.measure(t, { samples: frame, start: t * hop - pad, clipLength: samples.length, power });
  }
  return meter.finish();
}

/** |X[k]|² of a frame under a periodic Hann window, by the definition of the DFT, in double precision as librosa has it. */
function naivePowerSpectrum(n: number): (frame: Float32Array) => Float64Array {
  const cos = Float64Array.from({ length: n }, (_, i) => Math.cos((2 * Math.PI * i) / n));
  const sin = Float64Array.from({ length: n }, (_, i) => Math.sin((2 * Math.PI * i) / n));
  return (frame) => {
    const windowed = Float64Array.from(frame, (value, i) => value * (0.5 - 0.5 * cos[i]!));
    return Float64Array.from({ length: 1 + Math.floor(n / 2) }, (_, k) => {
      let [re, im, turn] = [0, 0, 0];
      for (let i = 0; i < n; i += 1) {
        re += windowed[i]! * cos[turn]!;
        im += windowed[i]! * sin[turn]!;
        turn += k; // i · k modulo n
        if (turn >= n) turn -= n;
      }
      return re * re + im * im;
    });
  };
}

function padBoth(samples: Float32Array, pad: number, mode: LogMelConfig["pad_mode"]): Float32Array {
  const zeros = new Float32Array(pad);
  const [before, after] = {
    constant: [zeros, zeros],
    reflect: [
      samples.slice(1, pad + 1).toReversed(),
      samples.slice(-pad - 1, samples.length - 1).toReversed(),
    ],
    wrap: [samples.slice(samples.length - pad), samples.slice(0, pad)],
  }[mode] as [Float32Array, Float32Array];
  return Float32Array.from([...before, ...samples, ...after]);
}

const of = (measured: Measured, name: MeasuredFeature): Float32Array => measured.get(name)!;

interface Case {
  readonly file: string;
  readonly config: LogMelConfig;
  /** First sample and the one after the last. */
  readonly trimmed: readonly [number, number];
  readonly frames: number;
  /** float32 [rows, frames], base64 */
  readonly features: Readonly<Record<MeasuredFeature, string>>;
}

/** What scripts/reference/frame_features.py wrote. */
const { cases }: { readonly cases: readonly Case[] } = JSON.parse(
  readFileSync(new URL("../reference/frame_features.json", import.meta.url), "utf8"),
);

/** The case's clip as the script prepares it. */
function samplesOf({ file, config, trimmed: [start, end] }: Case): Float32Array {
  const spare = Math.max(0, Math.round(config.fixed_duration * config.sr) - (end - start));
  const fitted = new Float32Array(end - start + spare);
  fitted.set(readWav(file).subarray(start, end), Math.floor(spare / 2));
  const peak = fitted.reduce((most, value) => Math.max(most, Math.abs(value)), 0);
  return fitted.map((value) => value / peak);
}

/** The mean of the channels of a plain 16-bit WAV file. */
function readWav(file: string): Float32Array {
  const bytes = new Uint8Array(readFileSync(new URL(`../fixtures/audio/${file}`, import.meta.url)));
  const channels = bytes[22]!;
  const steps = new Int16Array(bytes.buffer, 44);
  return Float32Array.from({ length: steps.length / channels }, (_, i) => {
    const frame = steps.subarray(i * channels, (i + 1) * channels);
    return frame.reduce((sum, step) => sum + step, 0) / channels / 32_768;
  });
}

const decodeFloats = (base64: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);

/**
 * librosa transforms in double precision and keeps the spectrum and its sums in single, 6e-8 of a value, as both keep the
 * result: a few such roundings. The worst seen: rms, centroid and bandwidth 1e-7 of the value, flatness 1e-6, chroma
 * 7e-7 of the strongest class, contrast 4e-6 dB (the rounding of a stored 50 dB); zcr and rolloff none.
 */
const TOLERANCE: Readonly<Record<MeasuredFeature, { rtol: number; atol: number }>> = {
  chroma: { rtol: 0, atol: 2e-6 },
  rms: { rtol: 1e-6, atol: 0 },
  zcr: { rtol: 1e-7, atol: 0 },
  spectralCentroid: { rtol: 1e-6, atol: 0 },
  spectralBandwidth: { rtol: 1e-6, atol: 0 },
  spectralRolloff: { rtol: 1e-7, atol: 0 }, // the same bin
  spectralFlatness: { rtol: 5e-6, atol: 0 },
  spectralContrast: { rtol: 0, atol: 2e-5 },
};

const named = cases.map((each) => ({
  ...each,
  name: `${each.file} ${Object.entries(each.config).flat().join(" ")}`,
}));

describe.each(named)("as librosa: $name", (reference) => {
  const measured = measure(samplesOf(reference), reference.config);
  it.each(MEASURED)("%s", (name) => {
    const actual = of(measured, name);
    expect(actual).toHaveLength(rowsOf(name, DEFAULT_LOG_MEL) * reference.frames);
    expect(actual).toBeAllClose(decodeFloats(reference.features[name]), TOLERANCE[name]);
  });
});

const SR = DEFAULT_LOG_MEL.sr;
const N_FFT = DEFAULT_LOG_MEL.n_fft;
const BIN_HZ = SR / N_FFT;
const BINS = 1 + N_FFT / 2;
/** A frame that lies wholly in a clip of a second. */
const MIDDLE = 15;
const FRAMES = 1 + Math.floor(SR / DEFAULT_LOG_MEL.hop_length);

const tone = (hz: number, n = SR): Float32Array =>
  Float32Array.from({ length: n }, (_, i) => Math.sin((2 * Math.PI * hz * i) / SR));

const random = createRandom(5);
const noise = (n: number, level = 0.2): Float32Array =>
  Float32Array.from({ length: n }, () => level * normal(random));

/** The value of a one-row feature in the middle of a clip of a second. */
const inMiddle = (samples: Float32Array, name: MeasuredFeature): number =>
  of(measure(samples), name)[MIDDLE]!;

describe("a tone", () => {
  const ofBin64 = tone(64 * BIN_HZ); // 1000 Hz

  it("has its centroid at its frequency", () => {
    expect(inMiddle(ofBin64, "spectralCentroid")).toBeCloseTo(1000, 3);
  });

  it("is as wide as the Hann window makes it: weights ¼, ½, ¼ on three bins", () => {
    // The other bins hold 1e-8 of the tone, the rounding of its samples, but lie hundreds of bins away.
    expect(inMiddle(ofBin64, "spectralBandwidth")).toBeCloseTo(BIN_HZ * Math.SQRT1_2, 1);
    expect(inMiddle(ofBin64, "spectralRolloff")).toBe(65 * BIN_HZ); // ¼ + ½ < 0.85
  });

  it("has the root mean square of a sine", () => {
    expect(inMiddle(ofBin64, "rms")).toBeCloseTo(Math.SQRT1_2, 6);
  });

  it("crosses zero twice a period", () => {
    for (const hz of [100, 440, 1000, 3000]) {
      const rate = inMiddle(tone(hz), "zcr");
      expect(Math.abs(rate - (2 * hz) / SR)).toBeLessThanOrEqual(2 / N_FFT); // whole crossings, less the frame's first
    }
  });

  it("is not flat", () => {
    expect(inMiddle(ofBin64, "spectralFlatness")).toBeLessThan(1e-8);
  });

  it("stands out in the octave it lies in", () => {
    for (const [row, hz] of [100, 300, 600, 1200, 2400, 4800, 7200].entries()) {
      const samples = tone(hz).map((value, i) => value + 0.01 * Math.sin(i * i)); // over a faint sweep
      const contrast = of(measure(samples), "spectralContrast");
      const rows = Array.from({ length: 7 }, (_, band) => contrast[band * FRAMES + MIDDLE]!);
      expect(rows.indexOf(Math.max(...rows))).toBe(row);
    }
  });
});

it("measures a click, whose spectrum is level, as level", () => {
  const samples = new Float32Array(SR);
  samples[MIDDLE * DEFAULT_LOG_MEL.hop_length] = 1; // the middle of the frame, where the window is 1
  const at = (name: MeasuredFeature): number => inMiddle(samples, name);
  expect(at("spectralFlatness")).toBeCloseTo(1, 6);
  expect(at("spectralCentroid")).toBeCloseTo(SR / 4, 3);
  expect(at("spectralBandwidth")).toBeCloseTo(BIN_HZ * Math.sqrt((BINS ** 2 - 1) / 12), 3); // of a uniform distribution
  expect(at("spectralRolloff")).toBe(Math.floor(0.85 * BINS) * BIN_HZ);
  expect(at("rms")).toBeCloseTo(Math.sqrt(1 / N_FFT), 7);
  expect(of(measure(samples), "spectralContrast")).toBeAllClose(new Float32Array(7 * FRAMES), {
    atol: 1e-5,
  });
});

describe("zero crossings", () => {
  it.each(["constant", "reflect", "wrap"] as const)("has none at the ends (%s)", (pad_mode) => {
    const samples = new Float32Array(5000).fill(-0.5);
    samples.fill(0.5, 2500); // one crossing, where wrap would see two
    const counts = of(measure(samples, { pad_mode }), "zcr").map((rate) => rate * N_FFT);
    expect(new Set(counts)).toEqual(new Set([0, 1]));
    expect([counts[0], counts.at(-1)]).toEqual([0, 0]);
  });

  it("takes 0 and what is as good as 0 for positive", () => {
    const rate = (pair: readonly number[]): number =>
      inMiddle(
        Float32Array.from({ length: SR }, (_, i) => pair[i % 2]!),
        "zcr",
      );
    expect(rate([0, 0.5])).toBe(0);
    expect(rate([-1e-11, 0.5])).toBe(0);
    expect(rate([0, -0.5])).toBeCloseTo(1 - 1 / N_FFT, 6);
  });
});

describe("silence", () => {
  it("is 0, but as flat as can be", () => {
    const measured = measure(new Float32Array(SR));
    for (const name of MEASURED) {
      const expected = name === "spectralFlatness" ? 1 : 0;
      expect(of(measured, name).every((value) => Math.abs(value - expected) < 1e-6)).toBe(true);
    }
  });

  it("has the contrast of the clip's loudest levels, as librosa's top_db makes it", () => {
    const samples = noise(2 * SR);
    samples.fill(0, SR);
    const contrast = of(measure(samples), "spectralContrast");
    const frames = contrast.length / 7;
    const silent = Array.from({ length: 7 }, (_, band) => contrast[band * frames + frames - 1]);
    expect(new Set(silent).size).toBe(1);
    expect(silent[0]).toBeGreaterThan(0);
  });
});

it("does not depend on the level, but for rms", () => {
  const samples = noise(SR);
  const [loud, quiet] = [samples, samples.map((value) => value / 64)].map((each) => measure(each));
  for (const name of MEASURED) {
    const factor = name === "rms" ? 64 : 1;
    const scaled = of(quiet!, name).map((value) => factor * value);
    expect(scaled).toBeAllClose(of(loud!, name), { rtol: 1e-5, atol: 1e-5 });
  }
});

it("is finite and in range, whatever the settings", () => {
  const settings = fc.record({
    sr: fc.constantFrom(16_000, 44_100),
    n_fft: fc.constantFrom(221, 256, 400),
    hop_length: fc.integer({ min: 50, max: 500 }),
    pad_mode: fc.constantFrom("constant" as const, "reflect" as const, "wrap" as const),
  });
  const levels = fc.constantFrom(0, 1e-12, 1e-4, 0.3);
  fc.assert(
    fc.property(settings, levels, fc.integer({ min: 300, max: 3000 }), (changes, level, n) => {
      const measured = measure(noise(n, level), changes);
      expect([...measured.keys()]).toEqual(MEASURED);
      const top: Partial<Record<MeasuredFeature, number>> = {
        chroma: 1,
        zcr: 1,
        spectralFlatness: 1 + 1e-6,
        spectralCentroid: changes.sr / 2,
        spectralRolloff: changes.sr / 2,
      };
      for (const [name, values] of measured)
        for (const value of values) {
          expect(value).toBeGreaterThanOrEqual(0);
          expect(value).toBeLessThanOrEqual(top[name] ?? Number.MAX_VALUE);
        }
    }),
    { numRuns: 30 },
  );
});

describe("the contrast's seven bands", () => {
  const create = (sr: number, nFft: number) => (): unknown =>
    createFrameMeter(["spectralContrast"], { ...DEFAULT_LOG_MEL, sr, n_fft: nFft });

  it("reach up to 12.8 kHz, so that a lower rate is refused", () => {
    expect(create(8000, 1024)).toThrow(/needs --sr above 12800 Hz for its seven bands, is 8000/);
    expect(create(12_800, 1024)).toThrow(/--sr/);
    expect(create(12_802, 1024)).not.toThrow();
  });

  it("start below 200 Hz, so that a frame too short to tell is refused", () => {
    expect(create(44_100, 128)).toThrow(/needs --n_fft of at least 221 at 44100 Hz.* is 128/);
    expect(create(44_100, 220)).toThrow(/--n_fft/);
    expect(create(44_100, 221)).not.toThrow();
  });

  it("bind nothing else", () => {
    const others = FRAME_FEATURES.filter((name) => name !== "spectralContrast");
    expect(() =>
      createFrameMeter(others, { ...DEFAULT_LOG_MEL, sr: 8000, n_fft: 64 }),
    ).not.toThrow();
  });
});

it("gives what was asked for, mfcc left out", () => {
  const measured = createFrameMeter(["rms", "mfcc", "chroma"], DEFAULT_LOG_MEL)(3).finish();
  expect([...measured].map(([name, values]) => [name, values.length])).toEqual([
    ["rms", 3],
    ["chroma", 36],
  ]);
  expect(rowsOf("mfcc", { n_mels: 64 })).toBe(20);
  expect(rowsOf("mfcc", { n_mels: 13 })).toBe(13);
});
