import { make } from "./dom.ts";
import { type Palette, onPaletteChange, readPalette } from "./palette.ts";
import type { Playhead } from "./playhead.ts";
import { type YLabel, timeTicks } from "./ticks.ts";
import { clock } from "./words.ts";

/** A size in CSS pixels. */
export interface Size {
  readonly width: number;
  readonly height: number;
}

interface TimePlotOptions {
  readonly title: string;
  /** What the vertical axis is, with its unit. */
  readonly yTitle: string;
  readonly yLabels: readonly YLabel[];
  /** Of the horizontal axis. */
  readonly seconds: number;
  /** CSS pixels */
  readonly height: number;
  /** What a person sees in it, for one who does not. */
  readonly description: string;
  readonly playhead: Playhead | undefined;
  readonly draw: (context: CanvasRenderingContext2D, size: Size, palette: Palette) => void;
}

/** Pixels that a label of the horizontal axis wants. */
const TICK_ROOM = 48;

/**
 * A drawing over time with its axes, which can be clicked to go there, under the line of the playhead.
 * @param signal ends its listeners, with the result that it belongs to
 */
export function makeTimePlot(options: TimePlotOptions, signal: AbortSignal): HTMLElement {
  const { title, yTitle, yLabels, seconds, height, description, playhead } = options;
  const canvas = make("canvas", { role: "img", "aria-label": description });
  const cursor = make("span", { class: "plot-cursor", "aria-hidden": true });
  const area = make("div", { class: "plot-area" }, canvas, cursor);
  area.style.height = `${height}px`;
  const labels = make("div", { class: "plot-y", "aria-hidden": true });
  for (const { text, at } of yLabels) labels.append(placed(text, "top", at));
  const times = make("div", { class: "plot-x", "aria-hidden": true });
  const redraw = (): void => {
    paint(canvas, area, options);
    const most = Math.max(2, Math.floor(area.clientWidth / TICK_ROOM));
    const ticks = timeTicks(seconds, most);
    times.replaceChildren(
      ...ticks.map((tick) => placed(clock(tick, seconds), "left", tick / seconds)),
    );
  };
  redrawWhenChanged(area, redraw, signal);
  if (playhead !== undefined) connect(area, cursor, playhead, seconds);
  else cursor.hidden = true;
  const unit = seconds < 120 ? "seconds" : "minutes";
  return make(
    "figure",
    { class: "plot" },
    make(
      "figcaption",
      {},
      make("span", { class: "plot-title" }, title),
      make("span", { class: "plot-unit" }, yTitle),
    ),
    make("div", { class: "plot-grid" }, labels, area, times),
    make("p", { class: "plot-unit plot-time-unit", "aria-hidden": true }, unit),
  );
}

/** A label at a part of its axis. */
function placed(text: string, side: "top" | "left", at: number): HTMLElement {
  const label = make("span", {}, text);
  label.style[side] = `${100 * at}%`;
  return label;
}

function paint(canvas: HTMLCanvasElement, area: HTMLElement, { draw }: TimePlotOptions): void {
  const size = { width: area.clientWidth, height: area.clientHeight };
  const scale = devicePixelRatio;
  canvas.width = Math.round(size.width * scale);
  canvas.height = Math.round(size.height * scale);
  const context = canvas.getContext("2d");
  if (context === null) return;
  context.scale(scale, scale);
  draw(context, size, readPalette());
}

function redrawWhenChanged(area: HTMLElement, redraw: () => void, signal: AbortSignal): void {
  const observer = new ResizeObserver(redraw);
  observer.observe(area);
  signal.addEventListener("abort", () => observer.disconnect());
  onPaletteChange(redraw, signal);
}

/** The line follows the playhead; a press or a drag moves it. */
function connect(
  area: HTMLElement,
  cursor: HTMLElement,
  playhead: Playhead,
  seconds: number,
): void {
  area.classList.add("plot-seekable");
  const seekTo = (event: PointerEvent): void => {
    const { left, width } = area.getBoundingClientRect();
    playhead.seek(((event.clientX - left) / width) * seconds);
  };
  area.addEventListener("pointerdown", (event) => {
    area.setPointerCapture(event.pointerId);
    seekTo(event);
  });
  area.addEventListener("pointermove", (event) => {
    if (area.hasPointerCapture(event.pointerId)) seekTo(event);
  });
  playhead.follow((now) => (cursor.style.left = `${(100 * now) / seconds}%`));
}
