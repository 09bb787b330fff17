import { DEFAULT_LOG_MEL, type LogMelConfig } from "@emotion-service/core/audio/logMelConfig";
import type { FeatureRow } from "@emotion-service/core/hdf5/preprocessedAudio";
import { renderPng } from "@emotion-service/core/plot/render";
import {
  type Raster,
  colourTable,
  spectrogramRaster,
} from "@emotion-service/core/plot/spectrogramRaster";
import { melTicks, spectrograms, timeExtent } from "@emotion-service/core/plot/spectrograms";
import sharp from "sharp";
import { describe, expect, it } from "vitest";

/** 0.1 s a frame, so that places in time are easily reckoned. */
const CONFIG: LogMelConfig = {
  ...DEFAULT_LOG_MEL,
  sr: 16_000,
  hop_length: 1600,
  n_mels: 29,
  fixed_duration: 0,
};
const MEL_TOP = 15 + (27 * Math.log(8)) / Math.log(6.4); // of 8 kHz, Slaney's formula
const colours = await colourTable();
const LOUD = [...colours.subarray(-3)];
const QUIET = [...colours.subarray(0, 3)];

/** A clip of -80 dB but for the cells at `loud`, which are 0 dB. */
function clipWith(frames: number, loud: (band: number, frame: number) => boolean): FeatureRow {
  const features = Float32Array.from({ length: CONFIG.n_mels * frames }, (_, i) =>
    loud(Math.floor(i / frames), i % frames) ? 0 : -80,
  );
  return { features, frames, label: "happy", path: "folder/a.wav" };
}

/** Pixels of a panel of the picture. */
const PANEL = { width: 620, height: 300 };

const rasterOf = (clip: FeatureRow, seconds: number, config = CONFIG): Raster =>
  spectrogramRaster(clip, config, seconds, colours, PANEL);

const pixel = ({ rgb, width }: Raster, x: number, y: number): number[] => [
  ...rgb.subarray((y * width + x) * 3, (y * width + x) * 3 + 3),
];

/** The box of pixels of a colour, its ends exclusive, and how many they are. */
function boxOf(raster: Raster, colour: readonly number[], right = raster.width) {
  const box = { left: Infinity, right: 0, top: Infinity, bottom: 0, count: 0 };
  for (let y = 0; y < raster.height; y += 1)
    for (let x = 0; x < right; x += 1) {
      if (pixel(raster, x, y).some((value, i) => value !== colour[i])) continue;
      box.left = Math.min(box.left, x);
      box.right = Math.max(box.right, x + 1);
      box.top = Math.min(box.top, y);
      box.bottom = Math.max(box.bottom, y + 1);
      box.count += 1;
    }
  return box;
}

describe("a panel's raster", () => {
  it.each([
    [9, 3],
    [20, 7],
  ])("shows band %i of frame %i at its frequency and time, with sharp edges", (band, frame) => {
    const seconds = 1.05; // 11 frames, the last one centred at 1 s
    const raster = rasterOf(
      clipWith(11, (i, t) => i === band && t === frame),
      seconds,
    );
    const box = boxOf(raster, LOUD);
    const time = (x: number): number => (x / raster.width) * seconds;
    const mel = (y: number): number => (1 - y / raster.height) * MEL_TOP;
    const step = MEL_TOP / 30;
    expect([time(box.left), time(box.right)]).toBeAllClose(
      [frame * 0.1 - 0.05, frame * 0.1 + 0.05],
      { atol: seconds / raster.width },
    );
    expect([mel(box.bottom), mel(box.top)]).toBeAllClose(
      [(band + 0.5) * step, (band + 1.5) * step],
      {
        atol: MEL_TOP / raster.height,
      },
    );
    expect(box.count).toBe((box.right - box.left) * (box.bottom - box.top));
    expect(boxOf(raster, QUIET).count).toBe(raster.width * raster.height - box.count);
  });

  it("draws the first frame from 0 s, the outermost bands to both ends of the axis", () => {
    const raster = rasterOf(
      clipWith(11, (i, t) => t === 0 && (i === 0 || i === 28)),
      1.05,
    );
    expect(pixel(raster, 0, 0)).toEqual(LOUD);
    expect(pixel(raster, 0, raster.height - 1)).toEqual(LOUD);
    expect(boxOf(raster, LOUD).right).toBeCloseTo((0.05 / 1.05) * raster.width, -0.5);
  });

  it("is blank from where a clip ends to where the longest does", () => {
    const raster = rasterOf(
      clipWith(4, () => true),
      1.05,
    );
    expect(boxOf(raster, LOUD).right).toBe(Math.round((0.35 / 1.05) * raster.width));
    expect(new Set(pixel(raster, raster.width - 1, 0)).size).toBe(1); // grey
  });

  it("of a fixed duration is filled to its end, though the last frame is centred before", () => {
    const config = { ...CONFIG, fixed_duration: 1 };
    const clip = clipWith(10, () => true); // 10 · 1600 samples are 1 s; the last frame is centred at 0.9 s
    const seconds = timeExtent([clip], config);
    expect(seconds).toBe(1);
    const raster = rasterOf(clip, seconds, config);
    expect(boxOf(raster, LOUD).count).toBe(raster.width * raster.height);
  });

  it("averages the frames that fall into one pixel, so that a long clip hides nothing", () => {
    const frames = 6200;
    const { rgb } = rasterOf(
      clipWith(frames, (_, t) => t % 2 === 0),
      frames / 10,
    );
    const [first] = [...rgb.subarray(3 * 100)];
    const halfway = [...colours.subarray(3 * 128, 3 * 129)];
    expect(first).toBeCloseTo(halfway[0] ?? NaN, -1);
    expect(boxOf({ rgb, ...PANEL }, LOUD).count).toBe(0);
  });

  it("holds values beyond -80 to 0 dB, and what is no number, at the ends of the scale", () => {
    const clip = clipWith(3, () => false);
    clip.features.fill(7, 0, 3).fill(-300, 3, 6).fill(NaN, 6, 9);
    const raster = rasterOf(clip, 0.25);
    const found = [LOUD, QUIET].map((colour) => boxOf(raster, colour).count);
    expect(found[0]).toBeGreaterThan(0);
    expect((found[0] ?? 0) + (found[1] ?? 0)).toBe(raster.width * raster.height);
  });
});

it("louder is brighter, all along the colours", () => {
  const luminance = Array.from({ length: 18 }, (_, step) => {
    const [r = 0, g = 0, b = 0] = colours.subarray(3 * 15 * step);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  });
  expect(luminance[0]).toBeLessThan(5);
  expect(luminance[17]).toBeGreaterThan(240);
  for (let i = 1; i < 18; i += 1) expect(luminance[i]).toBeGreaterThan(luminance[i - 1] ?? NaN);
});

describe("melTicks", () => {
  it("are octaves at librosa.hz_to_mel's places, up to half the sample rate", () => {
    const ticks = melTicks(16_000);
    expect(ticks.map(({ label }) => label)).toEqual(["8k", "4k", "2k", "1k", "500", "250", "125"]);
    expect(ticks.map(({ mel }) => mel)).toBeAllClose(
      [45.24564047, 35.16376031, 25.08188016, 15, 7.5, 3.75, 1.875],
      { rtol: 1e-9 },
    );
  });

  it.each([
    [8000, "4k"],
    [22_050, "8k"],
    [44_100, "16k"],
  ])("at %i Hz the highest is %s", (sampleRateHz, label) => {
    expect(melTicks(sampleRateHz)[0]?.label).toBe(label);
  });
});

async function drawn(clips: readonly FeatureRow[]): Promise<Raster> {
  const image = sharp(await renderPng(await spectrograms(clips, CONFIG))).removeAlpha();
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { rgb: data, width: info.width, height: info.height };
}

describe("spectrograms", () => {
  const ONE_KHZ_BAND = 9; // (9 + 1) / 30 of the mel scale: 1005 Hz
  const tone = clipWith(11, (band) => band === ONE_KHZ_BAND);

  it("gives the same bytes each time", async () => {
    const [first, second] = [await drawn([tone, tone]), await drawn([tone, tone])];
    expect(Buffer.compare(first.rgb, second.rgb)).toBe(0);
  });

  it("draws a 1 kHz tone at the axis' mark of 1 kHz, in the colours as they are", async () => {
    const picture = await drawn([tone]);
    const expected = boxOf(rasterOf(tone, 1.05), LOUD);
    const box = boxOf(picture, LOUD, 790); // the colour bar stands to the right of it
    expect([box.right - box.left, box.bottom - box.top, box.count]).toEqual([
      expected.right,
      expected.bottom - expected.top,
      expected.count,
    ]);
    const top = box.top - expected.top; // of the panel
    const marks = Array.from({ length: 305 }, (_, i) => top - 2 + i).filter((y) =>
      pixel(picture, box.left - 6, y).every((value) => Math.abs(value - 0x88) < 40),
    );
    const ticks = marks.filter((y, i) => y !== (marks[i - 1] ?? NaN) + 1); // 8k, 4k, 2k, 1k, …
    expect(ticks).toHaveLength(7);
    expect(Math.abs((ticks[3] ?? NaN) - (box.top + box.bottom) / 2)).toBeLessThan(2.5);
  });

  it("puts panels in two columns, on shared axes that are named at the edges", async () => {
    const tones = Array.from({ length: 6 }, () => tone);
    const [four, six] = [await drawn(tones.slice(2)), await drawn(tones)];
    expect(six.width).toBe(four.width);
    expect(six.height - four.height).toBe(300 + 80); // a panel and a gap
    const spec = JSON.stringify(await spectrograms(tones.slice(1), CONFIG));
    expect(spec.match(/"time \(s\)"/g)).toHaveLength(2);
    expect(spec.match(/"frequency \(Hz\)"/g)).toHaveLength(3);
    expect(spec).toContain("sr 16000 Hz, n_fft 1024, hop_length 1600, n_mels 29");
  });

  it("titles a panel with the emotion and the file, leaving out the middle of a long name", async () => {
    const long = { ...tone, path: `a/${"x".repeat(60)}_the_end.wav` };
    const spec = JSON.stringify(await spectrograms([tone, long], CONFIG));
    expect(spec).toContain('"happy · a.wav"');
    expect(spec).toMatch(/"happy · x+….*_the_end\.wav"/);
    expect(spec.match(/"happy · x[^"]*"/)?.[0].length).toBeLessThanOrEqual(40);
  });
});
