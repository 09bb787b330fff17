import type { Calibration, ReliabilityBin } from "../metrics/calibration.ts";
import type { ChartSpec } from "./render.ts";
import { INK, SERIES_COLOURS } from "./theme.ts";

const SIDE = 240;
const [ACCURACY_COLOUR = INK, OVER_COLOUR = INK] = SERIES_COLOURS;
const UNDER_COLOUR = "#56b4e9";

/** One panel: a name, such as "before" or "T = 1.8", and what it shows. */
export interface ReliabilityPanel {
  readonly name: string;
  readonly calibration: Calibration;
}

/**
 * Reliability diagrams side by side: a bar a bin, from what the model is confident of to what of it is right; on the diagonal the two
 * are the same. Below, how the rows are spread over the bins.
 */
export function reliabilityDiagram(title: string, panels: readonly ReliabilityPanel[]): ChartSpec {
  return {
    title: {
      text: title,
      subtitle: "orange: surer than right; light blue: less sure",
    },
    hconcat: panels.map(({ name, calibration }) => ({
      vconcat: [accuracyPanel(name, calibration), sharePanel(calibration)],
      spacing: 8,
    })),
    spacing: 24,
  };
}

const unit = { domain: [0, 1], nice: false, zero: true };
const percent = { format: "%", values: [0, 0.2, 0.4, 0.6, 0.8, 1] };
const confidence = (title: string | null) => ({
  field: "from",
  type: "quantitative" as const,
  title,
  scale: unit,
  axis: { ...percent, grid: false, labels: title !== null },
});

function accuracyPanel(name: string, { bins, ece }: Calibration) {
  const y = {
    field: "top",
    type: "quantitative" as const,
    title: "accuracy",
    scale: unit,
    axis: percent,
  };
  return {
    title: { text: `${name}: ECE ${ece.toFixed(3)}`, fontSize: 12, offset: 6 },
    width: SIDE,
    height: SIDE,
    layer: [
      {
        data: { values: bins.flatMap(partsOf) },
        mark: { type: "rect" as const, stroke: "white", strokeWidth: 0.5 },
        encoding: {
          x: confidence(null),
          x2: { field: "to" },
          y,
          y2: { field: "bottom" },
          color: { field: "colour", type: "nominal" as const, scale: null },
        },
      },
      {
        data: { values: [{ from: 0, top: 0, to: 1, bottom: 1 }] },
        mark: { type: "rule" as const, color: INK, strokeDash: [5, 4] },
        encoding: {
          x: confidence(null),
          x2: { field: "to" },
          y,
          y2: { field: "bottom" },
        },
      },
    ],
  };
}

/** Up to the accuracy in blues, of which the light one is above the confidence; from there up to the confidence in orange. */
function partsOf({ from, to, accuracy, confidence: sure }: ReliabilityBin) {
  if (accuracy === null || sure === null) return [];
  const part = (bottom: number, top: number, colour: string) => ({ from, to, bottom, top, colour });
  const both = Math.min(accuracy, sure);
  return [
    part(0, both, ACCURACY_COLOUR),
    accuracy > sure ? part(sure, accuracy, UNDER_COLOUR) : part(accuracy, sure, OVER_COLOUR),
  ];
}

function sharePanel({ bins }: Calibration) {
  const total = bins.reduce((sum, { rows }) => sum + rows, 0);
  return {
    width: SIDE,
    height: 50,
    data: { values: bins.map((bin) => ({ ...bin, share: bin.rows / Math.max(1, total) })) },
    mark: { type: "rect" as const, color: "#888888", stroke: "white" },
    encoding: {
      x: confidence("confidence"),
      x2: { field: "to" },
      y: {
        field: "share",
        type: "quantitative" as const,
        title: "rows",
        axis: { format: "%", tickCount: 2 },
      },
      y2: { datum: 0 },
    },
  };
}
