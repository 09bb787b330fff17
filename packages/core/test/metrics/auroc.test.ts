import { auroc } from "@emotion-service/core/metrics/auroc";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

describe("auroc", () => {
  it.each([
    ["apart", [0.1, 0.2, 0.8, 0.9], [0, 0, 1, 1], 1],
    ["the wrong way round", [0.9, 0.8, 0.2, 0.1], [0, 0, 1, 1], 0],
    ["scikit-learn's example", [0.1, 0.4, 0.35, 0.8], [0, 0, 1, 1], 0.75],
    ["all tied", [1, 1, 1], [0, 1, 0], 0.5],
  ])("%s", (_, scores, positive, expected) => {
    expect(auroc(scores, positive)).toBe(expected);
  });

  it("is the share of pairs in the right order, ties half", () => {
    const random = createRandom(2);
    const scores = Array.from({ length: 60 }, () => Math.floor(random() * 12));
    const positive = scores.map((score) => random() < score / 12);
    let won = 0;
    let pairs = 0;
    for (const [i, a] of scores.entries())
      for (const [j, b] of scores.entries())
        if (positive[i] === true && positive[j] === false) {
          pairs += 1;
          won += a > b ? 1 : a === b ? 0.5 : 0;
        }
    expect(auroc(scores, positive)).toBeCloseTo(won / pairs, 12);
  });

  it("is not a number without both classes", () => {
    expect(auroc([1, 2], [1, 1])).toBeNaN();
  });
});
