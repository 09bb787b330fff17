import { type Pca, projectPca } from "@emotion-service/core/anomaly/pca";
import { type PointSeries, pcaScatter } from "@emotion-service/core/plot/pcaScatter";
import { renderSvgs } from "@emotion-service/core/plot/render";
import { scoreHistogram } from "@emotion-service/core/plot/scoreHistogram";
import { createRandom, drawFrom } from "@emotion-service/core/random";
import type { Scored } from "./detector.ts";
import { type ReadOptions, readSome } from "./readRows.ts";
import type { Source } from "./rows.ts";
import { highestRows } from "./summary.ts";

/** A source and what the detector says of its rows. */
export interface Part extends Scored {
  readonly source: Source;
}

/** Rows of a file that the scatter shows: all, or a seeded sample and the strangest anomalies. */
const SAMPLED_ROWS = 2000;
const STRANGEST_ROWS = 500;

/** The plots as SVG. */
export interface Plots {
  readonly histogram: string;
  readonly scatter: string;
}

/** Draws the scores of every row, and some rows on the two principal axes: those are read again. */
export async function drawPlots(
  parts: readonly Part[],
  pca: Pca,
  means: Float32Array,
  reading: ReadOptions,
): Promise<Plots> {
  const series = parts.map(({ source, scores }) => ({ name: source.split, scores }));
  const points: PointSeries[] = [];
  for (const part of parts) {
    const rows = rowsToShow(part);
    const matrix = await readSome(part.source, rows, means, reading);
    points.push({
      name: part.source.split,
      points: projectPca(pca, matrix),
      anomaly: Uint8Array.from(rows, (row) => part.anomaly[row]!),
      rows: part.source.scorable.length,
    });
  }
  const [histogram = "", scatter = ""] = await renderSvgs([
    scoreHistogram(series, 0), // reported scores have the threshold taken off already
    pcaScatter(points, pca.explainedVarianceRatio),
  ]);
  return { histogram, scatter };
}

/** Rows of the file, ascending. */
function rowsToShow({ source, scores, anomaly }: Part): Int32Array {
  const { scorable } = source;
  if (scorable.length <= SAMPLED_ROWS + STRANGEST_ROWS) return scorable;
  const sampled = drawFrom(scorable.slice(), SAMPLED_ROWS, createRandom(1));
  const anomalies = scorable.filter((row) => anomaly[row] === 1);
  const strangest = highestRows(anomalies, scores, STRANGEST_ROWS);
  return Int32Array.from(new Set([...sampled, ...strangest])).sort();
}
