import type { ChartSpec } from "./render.ts";
import { ANOMALY_COLOUR, NORMAL_COLOUR } from "./theme.ts";

const SIDE = 380;

/** Points of one set of rows, in the plane of two principal axes. */
export interface PointSeries {
  /** "train", "test" */
  readonly name: string;
  /** [N, 2], row-major. */
  readonly points: Float64Array;
  /** 1 where the row is an anomaly, [N]. */
  readonly anomaly: ArrayLike<number>;
  /** Rows of the set: where they are more than the points, these are a seeded sample and the strangest anomalies. */
  readonly rows: number;
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly series: string;
  readonly kind: "normal" | "anomaly";
  /** 0: normal, 1: anomaly */
  readonly layer: number;
}

/** Scatter of rows on two principal axes, anomalies marked; the axes say what share of the variance they explain. */
export function pcaScatter(
  series: readonly PointSeries[],
  explainedVarianceRatio: readonly [number, number],
): ChartSpec {
  // Anomalies last, so that they are drawn on top.
  const drawn = series.flatMap(pointsOf).toSorted((a, b) => a.layer - b.layer);
  const names = series.map(({ name }) => name);
  return {
    title: {
      text: "Rows on two principal components",
      subtitle: subtitleOf(drawn.length, series),
    },
    width: SIDE,
    height: SIDE,
    data: { values: drawn },
    mark: { type: "point", filled: true },
    encoding: {
      x: { field: "x", ...componentAxis("PC 1", explainedVarianceRatio[0]) },
      y: { field: "y", ...componentAxis("PC 2", explainedVarianceRatio[1]) },
      color: {
        field: "kind",
        type: "nominal",
        title: null,
        scale: { domain: ["normal", "anomaly"], range: [NORMAL_COLOUR, ANOMALY_COLOUR] },
      },
      shape: {
        field: "series",
        type: "nominal",
        title: null,
        scale: { domain: names, range: ["circle", "triangle-up"] },
        ...(names.length > 1 ? {} : { legend: null }),
      },
      size: { condition: { test: "datum.kind === 'anomaly'", value: 55 }, value: 22 },
      opacity: { condition: { test: "datum.kind === 'anomaly'", value: 0.95 }, value: 0.4 },
    },
  };
}

/** In short lines: a long one would make the picture wide. */
function subtitleOf(drawn: number, series: readonly PointSeries[]): string | string[] {
  const rows = series.reduce((sum, set) => sum + set.rows, 0);
  if (drawn === rows) return `${rows} rows, columns standardised`;
  return [
    `${drawn} of ${rows} rows, columns standardised:`,
    "a seeded sample and the strangest anomalies",
  ];
}

function componentAxis(name: string, ratio: number) {
  return {
    type: "quantitative" as const,
    scale: { zero: false, nice: true },
    title: `${name} (${(100 * ratio).toFixed(1)} % of variance)`,
  };
}

function pointsOf({ name, points, anomaly }: PointSeries): Point[] {
  return Array.from({ length: points.length / 2 }, (_, row) => ({
    x: points[row * 2]!,
    y: points[row * 2 + 1]!,
    series: name,
    kind: anomaly[row] === 1 ? "anomaly" : "normal",
    layer: Number(anomaly[row] === 1),
  }));
}
