import type { ChartSpec } from "./render.ts";
import { INK, SERIES_COLOURS, WIDTH } from "./theme.ts";

const BAR = 34;
const [COLOUR = INK] = SERIES_COLOURS;

/** A bar: a share in [0, 1], with its deviation over repeats where there are any. */
export interface ScoreBar {
  readonly name: string;
  readonly value: number;
  readonly deviation: number | undefined;
}

/** Bars of one measure under several conditions; `chance` is marked by a line; `note` says what the values are of. */
export function scoreBars(
  title: string,
  note: string,
  measure: string,
  bars: readonly ScoreBar[],
  chance: number,
): ChartSpec {
  const values = bars.map((bar) => {
    const { value, deviation = 0 } = bar;
    const spread = bar.deviation === undefined ? "" : ` ± ${deviation.toFixed(3)}`;
    const [low, high] = [Math.max(0, value - deviation), Math.min(1, value + deviation)];
    return { ...bar, low, high, text: `${value.toFixed(3)}${spread}` };
  });
  const y = {
    field: "name",
    type: "nominal" as const,
    sort: bars.map(({ name }) => name),
    title: null,
    axis: { domain: false, ticks: false },
  };
  const x = {
    type: "quantitative" as const,
    title: measure,
    scale: { domain: [0, 1] },
    axis: { format: ".1f", tickCount: 6 },
  };
  return {
    title: { text: title, subtitle: `${note}dashed: chance, ${chance.toFixed(3)}` },
    width: WIDTH,
    height: BAR * bars.length,
    data: { values },
    layer: [
      {
        mark: { type: "bar", color: COLOUR, height: { band: 0.62 } },
        encoding: { y, x: { field: "value", ...x } },
      },
      {
        mark: { type: "rule", color: INK, strokeWidth: 1.5 },
        encoding: { y, x: { field: "low", ...x }, x2: { field: "high" } },
      },
      {
        mark: { type: "text", align: "left", dx: 6, fontSize: 11, color: INK },
        encoding: { y, x: { field: "high", ...x }, text: { field: "text" } },
      },
      {
        data: { values: [{ chance }] },
        mark: { type: "rule", color: INK, strokeDash: [5, 4] },
        encoding: { x: { field: "chance", ...x } },
      },
    ],
  };
}
