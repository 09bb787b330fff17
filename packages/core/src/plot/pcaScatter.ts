import { createRandom, shuffle } from "../random.ts";
import type { ChartSpec } from "./render.ts";
import { ANOMALY_COLOUR, NORMAL_COLOUR } from "./theme.ts";

/** The most points that are drawn; more are sampled down to it, seeded, the anomalies kept first. */
const MAX_POINTS = 5000;
const SIDE = 380;

/** Points of one set of rows, in the plane of two principal axes. */
export interface PointSeries {
  /** "train", "test" */
  readonly name: string;
  /** [N, 2], row-major. */
  readonly points: Float64Array;
  /** 1 where the row is an anomaly, [N]. */
  readonly anomaly: ArrayLike<number>;
}

interface Point {
  readonly x: number;
  readonly y: number;
  readonly series: string;
  readonly kind: "normal" | "anomaly";
}

/** Scatter of rows on two principal axes, anomalies marked; the axes say what share of the variance they explain. */
export function pcaScatter(
  series: readonly PointSeries[],
  explainedVarianceRatio: readonly [number, number],
): ChartSpec {
  const all = series.flatMap(pointsOf);
  const drawn = sampled(all);
  const shown = drawn.length === all.length ? all.length : `${drawn.length} of ${all.length}`;
  const names = series.map(({ name }) => name);
  return {
    title: {
      text: "Rows on two principal components",
      subtitle: `${shown} rows, columns standardised`,
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
  }));
}

/** At most {@link MAX_POINTS} points, anomalies last, so that they are drawn on top. */
function sampled(points: readonly Point[]): Point[] {
  const anomalies = points.filter(({ kind }) => kind === "anomaly");
  const normal = points.filter(({ kind }) => kind === "normal");
  const random = createRandom(1);
  const few = (items: Point[], most: number): Point[] =>
    items.length <= most ? items : shuffle(items, random).slice(0, Math.max(0, most));
  const kept = few(anomalies, MAX_POINTS);
  return [...few(normal, MAX_POINTS - kept.length), ...kept];
}
