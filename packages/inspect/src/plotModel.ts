import { writeFileSync } from "node:fs";
import { basename, resolve } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { refuseReplacing, withOutputs } from "@emotion-service/core/files/outputs";
import { pngOfSvg } from "@emotion-service/core/plot/render";
import { grouped } from "./boxText.ts";
import { type Picture, drawGraph } from "./drawGraph.ts";
import { graphBoxes } from "./graphBoxes.ts";
import type { ModelReport } from "./modelReport.ts";

/** Pixels of a PNG to a unit, and of its longer side at most: what readers of pictures take. */
const PIXELS_PER_UNIT = 2;
const MOST_PIXELS = 16_000;

/**
 * Reads a model and draws its graph at `target`, an .svg or .png file.
 * @throws UserError E_LAYOUT when the model has no graph
 */
export async function plotModel(
  path: string,
  target: string,
  read: () => Promise<ModelReport>,
): Promise<ModelReport> {
  refuseReplacing([target], [path]);
  return await withOutputs(async (outputs) => {
    const staged = outputs.stage(target);
    const report = await read();
    const picture = draw(report);
    writeFileSync(staged, target.toLowerCase().endsWith(".svg") ? picture.svg : await png(picture));
    return { ...report, plot: target };
  });
}

function draw({ path, kind, layers = [], parameters = 0 }: ModelReport): Picture {
  if (layers.length === 0)
    throw new UserError("E_LAYOUT", `<path> ${path}: must hold a graph for --plot, is ${kind}`, {
      hint: "leave out --plot",
    });
  const graph = graphBoxes(layers);
  const reading = graph.isSummary
    ? "a box: kinds of its layers, first … last name, output shape, parameters"
    : "a row: a layer's kind, name, output shape, parameters";
  return drawGraph(
    graph,
    `${basename(resolve(path))}: ${kind}`,
    `${grouped(layers.length)} layers, ${grouped(parameters)} parameters; ${reading}`,
  );
}

async function png({ svg, width, height }: Picture): Promise<Uint8Array> {
  return await pngOfSvg(svg, Math.min(PIXELS_PER_UNIT, MOST_PIXELS / Math.max(width, height)));
}
