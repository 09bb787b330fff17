import type { ChartSpec } from "./render.ts";
import { INK } from "./theme.ts";

const CELL = 52;
/** Of a share of 0, a half and 1. */
const SHARE_COLOURS = ["#f7fbff", "#6baed6", "#08519c"];

/**
 * Heat map of a confusion matrix: colour is the share of the true class (a row sums to 1), text the count and the share.
 * `counts[i][j]`: rows of true class i that were predicted as class j; [C, C], whole numbers >= 0.
 */
export function confusionMatrix(
  title: string,
  classes: readonly string[],
  counts: readonly (readonly number[])[],
): ChartSpec {
  const side = CELL * classes.length;
  const axis = { domain: false, ticks: false };
  const position = { type: "nominal" as const, sort: [...classes] };
  return {
    title: { text: title, subtitle: "count, and share of the true class" },
    width: side,
    height: side,
    data: { values: cellsOf(classes, counts) },
    encoding: {
      x: {
        field: "predicted",
        ...position,
        title: "predicted class",
        axis: { ...axis, labelAngle: -40, titlePadding: 0 },
      },
      y: { field: "actual", ...position, title: "true class", axis },
    },
    layer: [tiles(side), cellText("count", -7, 13, "d"), cellText("share", 9, 9.5, ".0%")],
  };
}

function cellsOf(classes: readonly string[], counts: readonly (readonly number[])[]) {
  return counts.flatMap((row, i) => {
    const total = row.reduce((sum, count) => sum + count, 0);
    return row.map((count, j) => {
      const share = total === 0 ? 0 : count / total;
      return { actual: classes[i], predicted: classes[j], count, share };
    });
  });
}

function tiles(side: number) {
  return {
    mark: { type: "rect" as const, stroke: "white", strokeWidth: 1 },
    encoding: {
      color: {
        field: "share",
        type: "quantitative" as const,
        title: "share",
        scale: { domain: [0, 0.5, 1], range: SHARE_COLOURS },
        legend: { format: "%", gradientLength: Math.min(side, 180) },
      },
    },
  };
}

/** Text of a cell, white where the cell is dark. */
function cellText(field: "count" | "share", dy: number, fontSize: number, format: string) {
  return {
    mark: { type: "text" as const, dy, fontSize },
    encoding: {
      text: { field, type: "quantitative" as const, format },
      color: { condition: { test: "datum.share > 0.5", value: "white" }, value: INK },
    },
  };
}
