import type { ChartSpec } from "./render.ts";
import { HEIGHT, INK, SERIES_COLOURS, WIDTH } from "./theme.ts";

const BINS = 60;

/** Scores of one set of rows. */
export interface ScoreSeries {
  /** "train", "test" */
  readonly name: string;
  /** Anomaly scores, [N]; higher is stranger. NaN: a row that was not scored; at least one was. */
  readonly scores: ArrayLike<number>;
}

/** A bin of a histogram: [from, to); `share`: of the series' rows, in [0, 1]. */
export interface Bin {
  readonly series: string;
  readonly from: number;
  readonly to: number;
  readonly share: number;
}

/** Histogram of anomaly scores by series, with the threshold that parts anomalies (right) from other rows. */
export function scoreHistogram(series: readonly ScoreSeries[], threshold: number): ChartSpec {
  return {
    title: {
      text: "Anomaly scores",
      subtitle: "a row to the right of the threshold is an anomaly",
    },
    width: WIDTH,
    height: HEIGHT,
    layer: [bars(series, threshold), ...thresholdLine(threshold)],
  };
}

function bars(series: readonly ScoreSeries[], threshold: number) {
  return {
    data: { values: histogramBins(series, threshold) },
    mark: { type: "rect" as const, opacity: 0.6 },
    encoding: {
      x: {
        field: "from",
        type: "quantitative" as const,
        title: "anomaly score (higher is stranger)",
        scale: { zero: false },
        axis: { grid: false },
      },
      x2: { field: "to" },
      y: {
        field: "share",
        type: "quantitative" as const,
        title: "share of rows",
        axis: { format: "%", tickCount: 6 },
      },
      y2: { datum: 0 },
      color: {
        field: "series",
        type: "nominal" as const,
        title: null,
        scale: { domain: series.map(({ name }) => name), range: SERIES_COLOURS },
      },
    },
  };
}

function thresholdLine(threshold: number) {
  const data = { values: [{ threshold }] };
  const x = { field: "threshold", type: "quantitative" as const };
  return [
    {
      data,
      mark: { type: "rule" as const, color: INK, strokeDash: [5, 4], strokeWidth: 1.5 },
      encoding: { x },
    },
    {
      data,
      mark: {
        type: "text" as const,
        text: "threshold",
        align: "left" as const,
        baseline: "top" as const,
        dx: 5,
        fontSize: 11,
        color: INK,
      },
      encoding: { x, y: { value: 2 } },
    },
  ];
}

/** Bins of equal width over all series, the threshold on an edge of one; empty bins are left out. */
export function histogramBins(series: readonly ScoreSeries[], threshold: number): Bin[] {
  let [low, high] = [threshold, threshold];
  for (const { scores } of series)
    for (let row = 0; row < scores.length; row += 1) {
      const score = scores[row]!;
      if (score < low) low = score;
      if (score > high) high = score;
    }
  const width = (high - low) / BINS || 1;
  const first = threshold - Math.ceil((threshold - low) / width) * width;
  return series.flatMap(({ name, scores }) => {
    const counts = new Int32Array(BINS + 2);
    for (let row = 0; row < scores.length; row += 1) {
      const score = scores[row]!;
      if (!Number.isNaN(score)) counts[Math.max(0, Math.floor((score - first) / width))]! += 1;
    }
    const total = counts.reduce((sum, count) => sum + count, 0);
    return Array.from(counts, (count, bin) => ({
      series: name,
      from: first + bin * width,
      to: first + (bin + 1) * width,
      share: count / total,
    })).filter(({ share }) => share > 0);
  });
}
