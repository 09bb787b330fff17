import type { Config } from "vega-lite";

export const FONT = "DejaVu Sans";

/** Okabe and Ito's colours, told apart by colour-blind readers too: series in this order. */
export const SERIES_COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9"];
export const NORMAL_COLOUR = "#0072b2";
export const ANOMALY_COLOUR = "#d55e00";
export const INK = "#222222";

/** A chart's size in units (a PNG has two pixels to one). */
export const WIDTH = 460;
export const HEIGHT = 300;

/** What every chart shares: one typeface, dark text, light grid, no frame. */
export const THEME: Config = {
  font: FONT,
  padding: 12,
  view: { stroke: null },
  range: { category: SERIES_COLOURS },
  title: {
    fontSize: 14,
    fontWeight: "bold",
    color: INK,
    subtitleFontSize: 11,
    subtitleColor: "#555555",
    subtitlePadding: 5,
    anchor: "start",
    offset: 12,
  },
  axis: {
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: "normal",
    titlePadding: 8,
    labelFlush: false,
    labelColor: INK,
    titleColor: INK,
    gridColor: "#e6e6e6",
    domainColor: "#888888",
    tickColor: "#888888",
  },
  legend: {
    labelFontSize: 11,
    titleFontSize: 12,
    titleFontWeight: "normal",
    labelColor: INK,
    titleColor: INK,
    symbolOpacity: 1,
  },
};
