import { readFileSync } from "node:fs";
import { mfcc } from "@emotion-service/core/audio/mfcc";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

const readReference = (name: string): unknown =>
  JSON.parse(readFileSync(new URL(`../reference/${name}.json`, import.meta.url), "utf8"));

const decodeFloats = (base64: string): Float32Array =>
  new Float32Array(new Uint8Array(Buffer.from(base64, "base64")).buffer);

interface LogMelCase {
  readonly config: { readonly n_mels: number };
  /** Frames that it holds. */
  readonly kept: readonly number[];
  /** float32 [n_mels, kept], base64 */
  readonly features: string;
}

/** What scripts/reference/log_mel.py and scripts/reference/frame_features.py wrote. */
const { cases } = readReference("log_mel") as { readonly cases: readonly LogMelCase[] };
const reference = readReference("frame_features") as {
  readonly mfcc: readonly { readonly log_mel_case: number; readonly mfcc: string }[];
};

it.each(reference.mfcc)("is librosa's, of log-mel $log_mel_case", (expected) => {
  const { config, kept, features } = cases[expected.log_mel_case]!;
  const actual = mfcc(decodeFloats(features), config.n_mels, kept.length);
  // librosa sums in single precision: 6e-8 of the greatest coefficient, some 500 dB. The worst seen: 6e-5.
  expect(actual).toBeAllClose(decodeFloats(expected.mfcc), { rtol: 0, atol: 2e-4 });
});

describe("the transform", () => {
  const random = createRandom(7);
  const [nMels, frames] = [12, 5];
  const logMel = Float32Array.from({ length: nMels * frames }, () => 20 * normal(random) - 40);
  const energy = (values: Float32Array): number =>
    values.reduce((sum, value) => sum + value * value, 0);

  it("is orthonormal: all coefficients together have the energy of the bands", () => {
    expect(energy(mfcc(logMel, nMels, frames)) / energy(logMel)).toBeCloseTo(1, 6);
  });

  it("has at most as many rows as there are bands, and fewer are the first of more", () => {
    expect(mfcc(logMel, nMels, frames)).toHaveLength(nMels * frames);
    const five = mfcc(logMel, nMels, frames, 5);
    expect(five).toEqual(mfcc(logMel, nMels, frames).subarray(0, 5 * frames));
  });

  it("puts a level spectrum into its first coefficient alone", () => {
    const coefficients = mfcc(new Float32Array(64).fill(-10), 64, 1);
    expect(coefficients[0]).toBeCloseTo(-10 * Math.sqrt(64), 4);
    expect(coefficients.subarray(1)).toBeAllClose(new Float32Array(19), { atol: 1e-5 });
  });
});
