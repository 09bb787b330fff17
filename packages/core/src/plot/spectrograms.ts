import type { LogMelConfig } from "../audio/logMelConfig.ts";
import { hzToMel } from "../audio/mel.ts";
import type { FeatureRow } from "../hdf5/preprocessedAudio.ts";
import type { ChartSpec } from "./render.ts";
import {
  DB_RANGE,
  type Raster,
  barRaster,
  colourTable,
  spectrogramRaster,
} from "./spectrogramRaster.ts";

/** A panel's size in units. */
const PANEL_WIDTH = 310;
const PANEL_HEIGHT = 150;
const COLUMNS = 2;
const ROW_GAP = 40;
const COLUMN_GAP = 36;
const BAR_GAP = 28;
const BAR_WIDTH = 14;
/** Pixels of a panel's raster to a unit: the PNG's own, so that a raster is drawn as it is and nothing smooths it. */
const PIXELS_PER_UNIT = 2;
/** Longest title of a panel that fits above it, in characters. */
const TITLE_LENGTH = 38;
/** Frequencies of the axis: octaves of this, up to sr / 2. */
const LOWEST_TICK_HZ = 125;

/**
 * Log-mel spectrograms of a few clips, a panel each, all on one scale of time, frequency and colour.
 * @param clips features in dB, [n_mels, frames] each
 * @param config what the features were made with
 */
export async function spectrograms(
  clips: readonly FeatureRow[],
  config: LogMelConfig,
): Promise<ChartSpec> {
  const colours = await colourTable();
  const seconds = timeExtent(clips, config);
  const panelSize = pixels(PANEL_WIDTH, PANEL_HEIGHT);
  const columns = Math.min(COLUMNS, clips.length);
  const barHeight = span(Math.ceil(clips.length / COLUMNS), PANEL_HEIGHT, ROW_GAP);
  const urls = await Promise.all(
    clips.map((clip) => dataUri(spectrogramRaster(clip, config, seconds, colours, panelSize))),
  );
  const barUrl = await dataUri(barRaster(colours, pixels(BAR_WIDTH, barHeight)));
  return {
    title: titleOf(config),
    bounds: "flush",
    spacing: span(columns, PANEL_WIDTH, COLUMN_GAP) + BAR_GAP, // Vega counts a flush grid as 0 wide
    hconcat: [
      {
        columns: COLUMNS,
        bounds: "flush",
        spacing: { row: ROW_GAP, column: COLUMN_GAP },
        concat: clips.map((clip, index) => ({
          ...panel(clip, urls[index] ?? ""),
          encoding: {
            url: { field: "url" },
            x: { datum: 0, ...timeAxis(seconds, index + COLUMNS >= clips.length) },
            x2: { datum: seconds },
            y: { datum: 0, ...frequencyAxis(config.sr, index % COLUMNS === 0) },
            y2: { datum: hzToMel(config.sr / 2) },
          },
        })),
      },
      colourBar(barUrl, barHeight),
    ],
  };
}

function titleOf({ sr, n_fft, hop_length, n_mels }: LogMelConfig) {
  return {
    text: "Log-mel spectrograms",
    subtitle: `sr ${sr} Hz, n_fft ${n_fft}, hop_length ${hop_length}, n_mels ${n_mels}`,
    fontSize: 17,
    subtitleFontSize: 13,
    offset: 18,
  };
}

const IMAGE = { type: "image" as const, aspect: false };

function panel(clip: FeatureRow, url: string) {
  return {
    title: {
      text: panelTitle(clip),
      frame: "group" as const,
      fontSize: 12,
      fontWeight: "normal" as const,
      offset: 6,
    },
    width: PANEL_WIDTH,
    height: PANEL_HEIGHT,
    view: { stroke: "#888888" },
    data: { values: [{ url }] },
    mark: IMAGE,
  };
}

function pixels(width: number, height: number) {
  return { width: width * PIXELS_PER_UNIT, height: height * PIXELS_PER_UNIT };
}

/** How long so many panels in a line are, with the gaps between them. */
function span(count: number, side: number, gap: number): number {
  return count * (side + gap) - gap;
}

/** Seconds that every panel's axis spans: to the end of the longest clip's last frame, or the fixed duration near it. */
export function timeExtent(
  clips: readonly { readonly frames: number }[],
  { sr, hop_length, fixed_duration }: LogMelConfig,
): number {
  const frames = Math.max(...clips.map((clip) => clip.frames));
  const end = ((frames - 0.5) * hop_length) / sr;
  return Math.abs(fixed_duration - end) < hop_length / sr ? fixed_duration : end;
}

/** "happy · 1001_DFA_HAP_XX.wav", with the middle of a long name left out. */
function panelTitle({ label, path }: FeatureRow): string {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const room = TITLE_LENGTH - label.length - 3;
  if (name.length <= room) return `${label} · ${name}`;
  const kept = (room - 1) / 2;
  return `${label} · ${name.slice(0, Math.ceil(kept))}…${name.slice(-Math.floor(kept))}`;
}

/** The colours and their dB: an image has no legend, so this is an image with an axis. */
function colourBar(url: string, height: number) {
  const [low, high] = DB_RANGE;
  return {
    width: BAR_WIDTH,
    height,
    data: { values: [{ url }] },
    mark: IMAGE,
    encoding: {
      url: { field: "url" },
      x: { value: 0 },
      x2: { value: BAR_WIDTH },
      y: {
        datum: low,
        type: "quantitative" as const,
        scale: { domain: [low, high], nice: false, zero: false },
        axis: {
          ...BARE_AXIS,
          orient: "right" as const,
          title: "dB below the loudest cell",
          tickCount: 5,
        },
      },
      y2: { datum: high },
    },
  };
}

function timeAxis(seconds: number, labelled: boolean) {
  return {
    type: "quantitative" as const,
    scale: { domain: [0, seconds], nice: false },
    axis: {
      ...BARE_AXIS,
      title: labelled ? "time (s)" : null,
      tickCount: 6,
      labels: labelled,
    },
  };
}

function frequencyAxis(sampleRateHz: number, labelled: boolean) {
  const ticks = melTicks(sampleRateHz);
  const labels = Object.fromEntries(ticks.map(({ mel, label }) => [mel, label]));
  return {
    type: "quantitative" as const,
    scale: { domain: [0, hzToMel(sampleRateHz / 2)], nice: false, zero: false },
    axis: {
      ...BARE_AXIS,
      title: labelled ? "frequency (Hz)" : null,
      values: ticks.map(({ mel }) => mel),
      labelExpr: `${JSON.stringify(labels)}[datum.value]`,
      labelOverlap: "greedy" as const,
      // Not seen but there: panels that are equally large have their titles on one line.
      labelOpacity: labelled ? 1 : 0,
    },
  };
}

/** The panel's frame stands for the axis line. */
const BARE_AXIS = { grid: false, domain: false, labelFontSize: 12, titleFontSize: 13 };

/**
 * Octaves of 125 Hz up to sr / 2, the highest first: where labels meet, it is the lower one that gives way.
 * @returns the place of each on Slaney's mel scale, in [0, mel(sr / 2)], and its label: "500", "1k"
 */
export function melTicks(sampleRateHz: number): { mel: number; label: string }[] {
  const ticks: { mel: number; label: string }[] = [];
  for (let hz = LOWEST_TICK_HZ; hz <= sampleRateHz / 2; hz *= 2)
    ticks.unshift({ mel: hzToMel(hz), label: hz < 1000 ? String(hz) : `${hz / 1000}k` });
  return ticks;
}

/** A raster as a PNG in a data URI. */
async function dataUri({ rgb, width, height }: Raster): Promise<string> {
  const { default: sharp } = await import("sharp");
  const png = await sharp(rgb, { raw: { width, height, channels: 3 } })
    .png()
    .toBuffer();
  return `data:image/png;base64,${png.toString("base64")}`;
}
