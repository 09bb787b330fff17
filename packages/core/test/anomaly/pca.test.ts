import { drawPcaRows, fitPca, projectPca } from "@emotion-service/core/anomaly/pca";
import { symmetricEigen } from "@emotion-service/core/anomaly/symmetricEigen";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { matrixOf } from "./reference.ts";

/** Rows that vary along two planted directions, with noise; column scales and means differ wildly. */
function makeRows(rows: number, columns: number) {
  const random = createRandom(5);
  return matrixOf(
    Array.from({ length: rows }, () => {
      const [a, b] = [3 * normal(random), 2 * normal(random)];
      return Array.from(
        { length: columns },
        (_, c) => 100 * c + 10 ** (c % 3) * (a * Math.cos(c) + b * Math.sin(c) + normal(random)),
      );
    }),
  );
}

/** The oracle: eigenvectors of the correlation matrix, formed in full. */
function correlation({ data, rows, columns }: ReturnType<typeof makeRows>): Float64Array {
  const column = (c: number): number[] =>
    Array.from({ length: rows }, (_, row) => data[row * columns + c]!);
  const standardised = Array.from({ length: columns }, (_, c) => {
    const values = column(c);
    const mean = values.reduce((sum, value) => sum + value, 0) / rows;
    const deviation = Math.sqrt(values.reduce((sum, value) => sum + (value - mean) ** 2, 0) / rows);
    return values.map((value) => (value - mean) / deviation);
  });
  return Float64Array.from({ length: columns * columns }, (_, i) => {
    const [x, y] = [standardised[Math.floor(i / columns)]!, standardised[i % columns]!];
    return x.reduce((sum, value, row) => sum + value * y[row]!, 0) / rows;
  });
}

describe("fitPca", () => {
  const rows = makeRows(200, 90);
  const pca = fitPca(rows);

  it("finds the leading eigenvectors of the correlation matrix", () => {
    const { values, vectors } = symmetricEigen(correlation(rows), 90);
    expect(pca.explainedVarianceRatio).toBeAllClose([values[0]! / 90, values[1]! / 90], {
      rtol: 1e-5,
    });
    for (const k of [0, 1] as const) {
      const along = pca.components[k].reduce((sum, value, c) => sum + value * vectors[k]![c]!, 0);
      expect(Math.abs(along)).toBeCloseTo(1, 5);
    }
  });

  it("turns each axis so that its greatest entry is positive", () => {
    for (const component of pca.components) {
      const peak = component.reduce(
        (most, value) => (Math.abs(value) > Math.abs(most) ? value : most),
        0,
      );
      expect(peak).toBeGreaterThan(0);
    }
  });

  it("projects to mean 0 and the variance it explains", () => {
    const projected = projectPca(pca, rows);
    for (const k of [0, 1] as const) {
      const along = Array.from({ length: 200 }, (_, row) => projected[row * 2 + k]!);
      const mean = along.reduce((sum, value) => sum + value, 0) / 200;
      const variance = along.reduce((sum, value) => sum + value * value, 0) / 200;
      expect(mean).toBeCloseTo(0, 4);
      expect(variance / 90).toBeCloseTo(pca.explainedVarianceRatio[k], 5);
    }
  });

  it("is the same for the same rows", () => {
    expect(fitPca(rows)).toEqual(pca);
  });

  it("finds two axes where both are equally long", () => {
    const { explainedVarianceRatio } = fitPca(
      matrixOf([
        [1, 0],
        [-1, 0],
        [0, 1],
        [0, -1],
      ]),
    );
    expect(explainedVarianceRatio).toBeAllClose([0.5, 0.5], { rtol: 1e-6 });
  });

  it("explains nothing of rows that are alike, and takes one column", () => {
    expect(
      fitPca(
        matrixOf([
          [1, 2],
          [1, 2],
        ]),
      ).explainedVarianceRatio,
    ).toEqual([0, 0]);
    const single = fitPca(matrixOf([[1], [2], [4]]));
    expect(single.explainedVarianceRatio).toBeAllClose([1, 0], { rtol: 1e-6 });
    expect(Array.from(projectPca(single, matrixOf([[7 / 3]])))).toBeAllClose([0, 0], {
      atol: 1e-6,
    });
  });

  it("draws a sample of many rows, ascending, each once, the same each time", () => {
    const drawn = drawPcaRows(5_000_000);
    expect(drawn).toHaveLength(4096);
    expect(Array.from(new Set(drawn)).toSorted((a, b) => a - b)).toEqual(Array.from(drawn));
    expect(drawPcaRows(5_000_000)).toEqual(drawn);
    // A uniform sample has its mean within 4 deviations of the middle: 5e6 / sqrt(12 · 4096).
    const mean = drawn.reduce((sum, row) => sum + row / 4096, 0);
    expect(Math.abs(mean - 2_500_000)).toBeLessThan(4 * (5e6 / Math.sqrt(12 * 4096)));
    expect(Array.from(drawPcaRows(3))).toEqual([0, 1, 2]);
  });
});

describe("symmetricEigen", () => {
  it("gives A v = λ v, descending", () => {
    const a = Float64Array.of(2, 1, 0, 1, 3, -1, 0, -1, 1);
    const { values, vectors } = symmetricEigen(a, 3);
    expect(values.toSorted((x, y) => y - x)).toEqual(values);
    for (const [k, vector] of vectors.entries()) {
      const product = [0, 1, 2].map((i) =>
        vector.reduce((sum, value, j) => sum + a[i * 3 + j]! * value, 0),
      );
      expect(product).toBeAllClose(
        vector.map((value) => value * values[k]!),
        { atol: 1e-12 },
      );
    }
  });
});
