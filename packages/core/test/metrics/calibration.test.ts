import { calibrationOf, fitTemperature } from "@emotion-service/core/metrics/calibration";
import { softmaxRows } from "@emotion-service/core/model/softmax";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

const CLASSES = 4;

/** Scores whose softmax says truly how likely each class is; `times`: what they are multiplied by afterwards. */
function honest(rows: number, times: number) {
  const random = createRandom(3);
  const logits = Float32Array.from({ length: rows * CLASSES }, () => 1.5 * normal(random));
  const probabilities = softmaxRows(logits, CLASSES);
  const truth = Int32Array.from({ length: rows }, (_, row) => {
    let left = random();
    for (let k = 0; k < CLASSES - 1; k += 1) {
      left -= probabilities[row * CLASSES + k]!;
      if (left < 0) return k;
    }
    return CLASSES - 1;
  });
  return { logits: logits.map((score) => times * score), truth };
}

describe("softmaxRows", () => {
  it("is exp over its sum, of scores over the temperature", () => {
    const [a, b] = [Math.exp(1), Math.exp(2)];
    const expected = [a / (a + b), b / (a + b), 0.5, 0.5];
    expect(softmaxRows([3, 6, -1e4, -1e4], 2, 3)).toBeAllClose(expected, { rtol: 1e-7 });
  });

  it("holds up where scores are far apart", () => {
    expect([...softmaxRows([1000, -1000], 2)]).toEqual([1, 0]);
  });
});

describe("calibrationOf", () => {
  it("two bins by hand: |accuracy - confidence|, weighted by the rows", () => {
    // Confidences 0.9, 0.9, 0.9 (two of them right) and 0.6 (wrong): (3 · |2/3 - 0.9| + 1 · |0 - 0.6|) / 4.
    const sure = Math.log(9);
    const scores = [sure, 0, sure, 0, sure, 0, 0, Math.log(1.5)];
    const { ece, bins, nll } = calibrationOf(
      { logits: Float32Array.from(scores), truth: Int32Array.of(0, 0, 1, 0) },
      2,
    );
    expect(ece).toBeCloseTo((0.7 + 0.6) / 4, 6);
    expect(nll).toBeCloseTo(-(2 * Math.log(0.9) + Math.log(0.1) + Math.log(0.4)) / 4, 6);
    expect(bins).toHaveLength(15);
    expect(bins.filter(({ rows }) => rows > 0)).toMatchObject([
      { from: 8 / 15, to: 9 / 15, rows: 1, accuracy: 0 },
      { from: 13 / 15, to: 14 / 15, rows: 3 },
    ]);
    expect(bins[0]).toMatchObject({ rows: 0, accuracy: null, confidence: null });
  });

  it("is near zero of honest probabilities, and large of overconfident ones", () => {
    expect(calibrationOf(honest(20_000, 1), CLASSES).ece).toBeLessThan(0.015);
    expect(calibrationOf(honest(20_000, 3), CLASSES).ece).toBeGreaterThan(0.15);
    expect(calibrationOf(honest(20_000, 3), CLASSES, 3).ece).toBeLessThan(0.015);
  });
});

describe("fitTemperature", () => {
  it.each([0.5, 1, 3])("finds what honest scores were multiplied by: %d", (times) => {
    // 20,000 rows: the estimate's deviation is about 1 %.
    expect(fitTemperature(honest(20_000, times), CLASSES) / times).toBeCloseTo(1, 1);
  });

  it("is where the likelihood is largest", () => {
    const rows = honest(300, 2);
    const best = fitTemperature(rows, CLASSES);
    const nll = (temperature: number): number => calibrationOf(rows, CLASSES, temperature).nll;
    for (const factor of [0.9, 0.99, 1.01, 1.1])
      expect(nll(best * factor)).toBeGreaterThan(nll(best));
  });

  it("stays within its bounds where every row is right, or every row is wrong", () => {
    const logits = Float32Array.of(1, 0, 0, 1);
    expect(fitTemperature({ logits, truth: Int32Array.of(0, 1) }, 2)).toBeCloseTo(0.05, 8);
    expect(fitTemperature({ logits, truth: Int32Array.of(1, 0) }, 2)).toBeCloseTo(20, 4);
    expect(fitTemperature({ logits: new Float32Array(), truth: new Int32Array() }, 2)).toBe(1);
  });
});
