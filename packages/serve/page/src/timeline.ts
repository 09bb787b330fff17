import type { TimelineEntry } from "./answer.ts";
import { make } from "./dom.ts";
import type { Playhead } from "./playhead.ts";
import { makeTable } from "./table.ts";
import {
  type TimelineRows,
  drawTimeline,
  entryAt,
  heightOf,
  labelsOf,
  rowsOf,
} from "./timelinePlot.ts";
import { makeTimePlot } from "./timePlot.ts";
import { clock, duration, percent, signed } from "./words.ts";

/** What is told of each window of time, following the player; its keyboard is a slider's. */
export function makeTimeline(
  timeline: readonly TimelineEntry[],
  emotions: readonly string[],
  playhead: Playhead,
  signal: AbortSignal,
): HTMLElement {
  const rows = rowsOf(timeline, emotions);
  const { found } = rows;
  const seconds = timeline.at(-1)?.end ?? 0;
  const plot = makeTimePlot(
    {
      title: "Timeline",
      yTitle: `probability of each emotion, windows of ${duration((timeline[0]?.end ?? 0) - (timeline[0]?.start ?? 0))}`,
      yLabels: labelsOf(rows),
      seconds,
      height: heightOf(rows),
      description: "Probabilities of each emotion over time. The table below has its numbers.",
      playhead,
      draw: (context, size, palette) => drawTimeline(context, size, palette, timeline, rows),
    },
    signal,
  );
  const words = make("p", { class: "timeline-now", id: "timeline-now" });
  const area = plot.querySelector<HTMLElement>(".plot-area");
  if (area !== null) beSlider(area, timeline, playhead, found);
  playhead.follow((now) => (words.textContent = describe(entryAt(timeline, now), found)));
  plot.append(makeLegend(rows.hasAnomalies), words, makeTimelineTable(timeline, rows));
  plot.classList.add("timeline");
  return plot;
}

function makeLegend(hasAnomalies: boolean): HTMLElement {
  const legend = make(
    "p",
    { class: "legend" },
    "0 %",
    make("span", { class: "legend-scale" }),
    "100 %",
    make("span", { class: "legend-item" }, "● likeliest"),
  );
  if (hasAnomalies)
    legend.append(
      make("span", { class: "legend-item legend-anomaly" }, "▲ unlike the training data"),
    );
  return legend;
}

/** Arrow keys go from window to window, page keys ten, Home and End to the ends; the space bar plays. */
function beSlider(
  area: HTMLElement,
  timeline: readonly TimelineEntry[],
  playhead: Playhead,
  found: TimelineRows["found"],
): void {
  const seconds = timeline.at(-1)?.end ?? 0;
  const attributes = {
    role: "slider",
    tabindex: "0",
    "aria-label": "Time in the timeline",
    "aria-valuemin": "0",
    "aria-valuemax": seconds.toFixed(2),
  };
  for (const [name, value] of Object.entries(attributes)) area.setAttribute(name, value);
  area.addEventListener("keydown", (event) => {
    if (event.altKey || event.ctrlKey || event.metaKey) return;
    if (event.key === " ") playhead.toggle();
    else {
      const to = target(event.key, timeline, playhead.now());
      if (to === undefined) return;
      playhead.seek(to);
    }
    event.preventDefault();
  });
  playhead.follow((now) => {
    area.setAttribute("aria-valuenow", now.toFixed(2));
    area.setAttribute("aria-valuetext", describe(entryAt(timeline, now), found));
  });
}

const MOVES: Readonly<Record<string, number>> = {
  ArrowLeft: -1,
  ArrowDown: -1,
  ArrowRight: 1,
  ArrowUp: 1,
  PageDown: -10,
  PageUp: 10,
  Home: -Infinity,
  End: Infinity,
};

/** Where a key leads from a time: to the start of a window. */
function target(key: string, timeline: readonly TimelineEntry[], now: number): number | undefined {
  const move = MOVES[key];
  if (move === undefined) return undefined;
  const current = entryAt(timeline, now);
  const k = current === undefined ? 0 : timeline.indexOf(current);
  return timeline[Math.min(timeline.length - 1, Math.max(0, k + move))]?.start;
}

/** "2–4 s: happy 81.3 %, face and voice" */
function describe(entry: TimelineEntry | undefined, parts: TimelineRows["found"]): string {
  if (entry === undefined) return "";
  const { start, end, emotion, confidence, anomaly_flag: isAnomaly, anomaly_score: score } = entry;
  const told =
    emotion === null || confidence === null ? "nothing told" : `${emotion} ${percent(confidence)}`;
  const found = parts.map((part) => (entry[part] ? part : `no ${part}`)).join(", ");
  const anomaly =
    isAnomaly === true && score !== null ? `, unlike the training data (${signed(score)})` : "";
  return `${clock(start, end)}–${duration(end)}: ${told}; ${found}${anomaly}`;
}

function makeTimelineTable(
  timeline: readonly TimelineEntry[],
  { emotions, found, hasAnomalies }: TimelineRows,
): HTMLElement {
  const score = hasAnomalies ? ["anomaly score"] : [];
  const header = ["start, s", "end, s", "told", ...emotions, ...found, ...score];
  const rows = timeline.map((entry) => [
    String(entry.start),
    String(entry.end),
    entry.emotion ?? "–",
    ...emotions.map((emotion) => entry.emotion_probs?.[emotion]?.toFixed(3) ?? "–"),
    ...found.map((part) => (entry[part] ? "yes" : "no")),
    ...score.map(() => (entry.anomaly_score === null ? "–" : signed(entry.anomaly_score))),
  ]);
  const table = makeTable("The timeline's numbers", header, rows);
  return make(
    "details",
    { class: "timeline-table" },
    make("summary", {}, "The timeline as a table"),
    table,
  );
}
