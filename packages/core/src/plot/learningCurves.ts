import type { ChartSpec } from "./render.ts";
import { HEIGHT, SERIES_COLOURS, WIDTH } from "./theme.ts";

/** A curve over the epochs of a training. */
export interface Curve {
  /** "train", "validation" */
  readonly name: string;
  /** A value an epoch, the first being of epoch 1. */
  readonly values: readonly number[];
}

/** Lines over epochs; `yTitle` names the quantity and its unit or range; `best` (an epoch from 1, and the measure that it is best by) is marked by a line. */
export function learningCurves(
  title: string,
  yTitle: string,
  curves: readonly Curve[],
  best?: { readonly epoch: number; readonly by: string },
): ChartSpec {
  const lines = {
    mark: { type: "line" as const, point: { size: 22, filled: true }, strokeWidth: 2 },
    encoding: {
      x: epochAxis(curves),
      y: {
        field: "value",
        type: "quantitative" as const,
        title: yTitle,
        scale: { zero: false },
      },
      color: {
        field: "series",
        type: "nominal" as const,
        title: null,
        scale: { domain: curves.map(({ name }) => name), range: SERIES_COLOURS },
      },
    },
  };
  const marked = best === undefined ? [] : [bestLine(best.epoch, epochAxis(curves))];
  return {
    title: { text: title, subtitle: best ? `best epoch by ${best.by}: ${best.epoch}` : "" },
    width: WIDTH,
    height: HEIGHT,
    data: { values: curves.flatMap(pointsOf) },
    layer: [lines, ...marked],
  };
}

function pointsOf({ name, values }: Curve) {
  return values.map((value, index) => ({ series: name, epoch: index + 1, value }));
}

function epochAxis(curves: readonly Curve[]) {
  const epochs = Math.max(...curves.map(({ values }) => values.length));
  return {
    field: "epoch",
    type: "quantitative" as const,
    title: "epoch",
    scale: { domain: [1, Math.max(2, epochs)], nice: false },
    axis: { grid: false, tickMinStep: 1, format: "d" },
  };
}

function bestLine(epoch: number, x: ReturnType<typeof epochAxis>) {
  return {
    data: { values: [{ epoch }] },
    mark: { type: "rule" as const, strokeDash: [5, 4], color: "#555555" },
    encoding: { x },
  };
}
