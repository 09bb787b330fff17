import type { TimelineEntry } from "./answer.ts";
import type { Palette } from "./palette.ts";
import type { YLabel } from "./ticks.ts";
import type { Size } from "./timePlot.ts";

/** CSS pixels a row. */
const ROW = 24;

/** Rows of the timeline: an emotion each, then what was found, then the anomalies where a detector is loaded. */
export interface TimelineRows {
  readonly emotions: readonly string[];
  readonly found: readonly ("face" | "voice")[];
  readonly hasAnomalies: boolean;
}

/** The rows that a timeline has, emotions in the order of the whole input's probabilities. */
export function rowsOf(
  timeline: readonly TimelineEntry[],
  emotions: readonly string[],
): TimelineRows {
  const found = (["face", "voice"] as const).filter((part) =>
    timeline.some((entry) => entry[part]),
  );
  return { emotions, found, hasAnomalies: timeline.some((entry) => entry.anomaly_score !== null) };
}

export function labelsOf({ emotions, found, hasAnomalies }: TimelineRows): YLabel[] {
  const names = [...emotions, ...found, ...(hasAnomalies ? ["anomaly"] : [])];
  return names.map((text, row) => ({ text, at: (row + 0.5) / names.length }));
}

export function heightOf(rows: TimelineRows): number {
  return ROW * labelsOf(rows).length;
}

/** Where a window is shown: until the next begins, as windows may overlap. */
function shownUntil(timeline: readonly TimelineEntry[], k: number): number {
  return timeline[k + 1]?.start ?? timeline[k]?.end ?? 0;
}

/** The window that is shown at a time. */
export function entryAt(
  timeline: readonly TimelineEntry[],
  seconds: number,
): TimelineEntry | undefined {
  return timeline.findLast(({ start }) => start <= seconds + 1e-6) ?? timeline[0];
}

/** Shades of the accent for probabilities, a dot on the likeliest emotion, bars for what was found, wedges for anomalies. */
export function drawTimeline(
  context: CanvasRenderingContext2D,
  { width }: Size,
  palette: Palette,
  timeline: readonly TimelineEntry[],
  rows: TimelineRows,
): void {
  const seconds = timeline.at(-1)?.end ?? 1;
  for (const [k, entry] of timeline.entries()) {
    const left = (entry.start / seconds) * width;
    const right = (shownUntil(timeline, k) / seconds) * width;
    drawEmotions(context, [left, right], palette, entry, rows);
    drawFound(context, [left, right], palette, entry, rows);
  }
  context.fillStyle = palette.line;
  const count = labelsOf(rows).length;
  for (let row = 1; row < count; row += 1) context.fillRect(0, row * ROW - 0.5, width, 1);
}

type Span = readonly [left: number, right: number];

function drawEmotions(
  context: CanvasRenderingContext2D,
  [left, right]: Span,
  { accent, surface, text }: Palette,
  { emotion_probs: probabilities }: TimelineEntry,
  { emotions }: TimelineRows,
): void {
  if (probabilities === null) return;
  const most = Math.max(...Object.values(probabilities));
  for (const [row, emotion] of emotions.entries()) {
    const probability = probabilities[emotion] ?? 0;
    context.fillStyle = shade(accent, surface, probability);
    context.fillRect(left, row * ROW, Math.max(1, right - left - 0.5), ROW);
    if (probability < most) continue;
    context.fillStyle = text;
    context.strokeStyle = surface; // a ring, as the shade below may be near the dot's
    context.beginPath();
    context.arc(
      (left + right) / 2,
      (row + 0.5) * ROW,
      Math.min(3.5, (right - left) / 2),
      0,
      2 * Math.PI,
    );
    context.fill();
    context.stroke();
  }
}

/** Mixed in OKLab, so that equal steps of probability look equal. */
function shade(accent: string, surface: string, probability: number): string {
  return `color-mix(in oklab, ${accent} ${Math.round(100 * probability)}%, ${surface})`;
}

function drawFound(
  context: CanvasRenderingContext2D,
  [left, right]: Span,
  { muted, danger }: Palette,
  entry: TimelineEntry,
  { emotions, found }: TimelineRows,
): void {
  context.fillStyle = muted;
  for (const [i, part] of found.entries())
    if (entry[part])
      context.fillRect(left, (emotions.length + i + 0.38) * ROW, right - left + 0.5, 0.24 * ROW);
  if (entry.anomaly_flag !== true) return;
  const top = (emotions.length + found.length) * ROW;
  const middle = (left + right) / 2;
  context.fillStyle = danger;
  context.beginPath();
  context.moveTo(middle, top + 0.2 * ROW);
  context.lineTo(middle + 0.32 * ROW, top + 0.8 * ROW);
  context.lineTo(middle - 0.32 * ROW, top + 0.8 * ROW);
  context.fill();
}
