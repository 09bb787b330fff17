import { createRequire } from "node:module";
import type { TopLevelSpec } from "vega-lite";
import { FONT, THEME } from "./theme.ts";

/** A chart as vega-lite's JSON grammar has it. */
export type ChartSpec = TopLevelSpec;

/** Pixels of a PNG to a unit of the chart: 2 is sharp in print at a column's width. */
const PIXELS_PER_UNIT = 2;
const require = createRequire(import.meta.url);

/**
 * Draws a vega-lite chart as a PNG, on white. The fonts come from a package and system fonts are never looked at: same
 * chart, same bytes, also on a machine without fonts.
 */
export async function renderPng(spec: ChartSpec): Promise<Uint8Array> {
  return await pngOfSvg(await renderSvg(spec));
}

/** An SVG as a PNG, on white, so many pixels to a unit; text is set in {@link FONT}. */
export async function pngOfSvg(svg: string, pixels = PIXELS_PER_UNIT): Promise<Uint8Array> {
  const { Resvg } = await import("@resvg/resvg-js");
  const image = new Resvg(svg, {
    background: "white",
    fitTo: { mode: "zoom", value: pixels },
    font: {
      loadSystemFonts: false,
      fontFiles: [
        require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans.ttf"),
        require.resolve("dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf"),
      ],
      defaultFontFamily: FONT,
      sansSerifFamily: FONT,
    },
  });
  return image.render().asPng();
}

/** Draws a vega-lite chart as an SVG; text is set in {@link FONT}, or what the viewer has in its place. */
export async function renderSvg(spec: ChartSpec): Promise<string> {
  const [svg = ""] = await renderSvgs([spec]);
  return svg;
}

/** As {@link renderSvg}, for charts that a page will hold: no id is in two of them. Same charts, same bytes. */
export async function renderSvgs(specs: readonly ChartSpec[]): Promise<string[]> {
  const [vega, vegaLite] = await Promise.all([import("vega"), import("vega-lite")]);
  vega.resetSVGDefIds(); // or they would count on from what this process drew before
  const svgs: string[] = [];
  for (const spec of specs) {
    const compiled = vegaLite.compile(spec, { config: THEME });
    const view = new vega.View(vega.parse(compiled.spec), {
      renderer: "none",
      logLevel: vega.Error,
    });
    try {
      const svg = await view.toSVG();
      svgs.push(
        svg.replaceAll(`font-family="${FONT}"`, `font-family="${FONT}, Verdana, sans-serif"`),
      );
    } finally {
      view.finalize();
    }
  }
  return svgs;
}
