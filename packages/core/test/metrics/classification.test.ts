import { classificationMetrics } from "@emotion-service/core/metrics/classification";
import { describe, expect, it } from "vitest";
import { reference } from "../model/reference.ts";

const CLASSES = ["angry", "happy", "neutral", "sad"];

describe("as scikit-learn", () => {
  it.each(reference.metrics)("$name", (expected) => {
    const { truth, predicted } = expected;
    const metrics = classificationMetrics(truth, predicted, CLASSES);
    expect(metrics.confusion).toEqual(expected.confusion);
    expect(metrics.rows).toBe(truth.length);
    expect(metrics.accuracy).toBeCloseTo(expected.accuracy, 12);
    expect(metrics.uar).toBeCloseTo(expected.recall_macro, 12);
    expect(metrics.uar).toBeCloseTo(expected.balanced_accuracy, 12);
    expect(metrics.macro_f1).toBeCloseTo(expected.f1_macro, 12);
  });
});

it("a class that does not occur has no recall", () => {
  const { recall, uar } = classificationMetrics([0, 0, 1], [0, 3, 1], CLASSES);
  expect(recall).toEqual({ angry: 0.5, happy: 1, neutral: null, sad: null });
  expect(uar).toBe(0.75);
});

it("tells precision and F1 of each class; null of a class that nobody is predicted as", () => {
  const { precision, f1 } = classificationMetrics([0, 0, 1, 2], [0, 3, 0, 2], CLASSES);
  expect(precision).toEqual({ angry: 0.5, happy: null, neutral: 1, sad: 0 });
  expect(f1).toEqual({ angry: 0.5, happy: 0, neutral: 1, sad: 0 });
});

it("no rows at all: zeros, not NaN", () => {
  const { accuracy, uar, macro_f1 } = classificationMetrics([], [], CLASSES);
  expect([accuracy, uar, macro_f1]).toEqual([0, 0, 0]);
});

it.each([
  [[4], [0]],
  [[0], [-1]],
])("refuses a class id that is none: %j, %j", (truth, predicted) => {
  expect(() => classificationMetrics(truth, predicted, CLASSES)).toThrow(RangeError);
});
