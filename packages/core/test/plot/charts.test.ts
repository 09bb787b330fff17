import { confusionMatrix } from "@emotion-service/core/plot/confusionMatrix";
import { learningCurves } from "@emotion-service/core/plot/learningCurves";
import { pcaScatter } from "@emotion-service/core/plot/pcaScatter";
import { reliabilityDiagram } from "@emotion-service/core/plot/reliabilityDiagram";
import {
  type ChartSpec,
  renderPng,
  renderSvg,
  renderSvgs,
} from "@emotion-service/core/plot/render";
import { scoreBars } from "@emotion-service/core/plot/scoreBars";
import { histogramBins, scoreHistogram } from "@emotion-service/core/plot/scoreHistogram";
import sharp from "sharp";
import { describe, expect, it } from "vitest";

const ANOMALY_RGB = [0xd5, 0x5e, 0x00] as const;

interface Pixels {
  readonly data: Uint8Array;
  readonly width: number;
  readonly height: number;
}

async function pixelsOf(spec: ChartSpec): Promise<Pixels> {
  const image = sharp(await renderPng(spec)).removeAlpha();
  const { data, info } = await image.raw().toBuffer({ resolveWithObject: true });
  return { data, width: info.width, height: info.height };
}

function count({ data }: Pixels, isWanted: (r: number, g: number, b: number) => boolean): number {
  let found = 0;
  for (let i = 0; i < data.length; i += 3)
    if (isWanted(data[i]!, data[i + 1]!, data[i + 2]!)) found += 1;
  return found;
}

const isDark = (r: number, g: number, b: number): boolean => Math.max(r, g, b) < 100;
const isAnomaly = (...rgb: number[]): boolean =>
  ANOMALY_RGB.every((want, channel) => Math.abs(want - rgb[channel]!) < 25);

const scores = [
  { name: "train", scores: [-0.2, -0.1, -0.1, 0.05] },
  { name: "test", scores: [-0.1, 0.1] },
];
const points = (anomaly: readonly number[]) => [
  { name: "train", points: Float64Array.of(0, 0, 1, 1, 2, 0, 3, 1), anomaly, rows: 4 },
];

function titleOnly(text: string): ChartSpec {
  return {
    title: { text },
    width: 300,
    height: 50,
    data: { values: [{}] },
    mark: { type: "point", opacity: 0 },
  };
}

describe("renderSvgs", () => {
  it("gives the same bytes whenever it is called, and no id to two charts of a call", async () => {
    const counts = [
      [8, 2],
      [1, 9],
    ];
    const specs = ["One", "Two"].map((title) => confusionMatrix(title, ["happy", "sad"], counts));
    const svgs = await renderSvgs(specs);
    expect(await renderSvgs(specs)).toEqual(svgs);
    const ids = svgs.flatMap((svg) => Array.from(svg.matchAll(/id="([^"]*)"/g), ([, id]) => id));
    expect(ids).toHaveLength(2); // a gradient each, of the legend
    expect(ids[0]).not.toBe(ids[1]);
  });
});

describe("renderPng", () => {
  it("gives the same bytes for the same chart, on white, with text", async () => {
    const spec = scoreHistogram(scores, 0);
    const first = await renderPng(spec);
    expect(Buffer.from(first.subarray(1, 4)).toString()).toBe("PNG");
    expect(Buffer.compare(first, await renderPng(spec))).toBe(0);
    const pixels = await pixelsOf(spec);
    expect(Array.from(pixels.data.subarray(0, 3))).toEqual([255, 255, 255]);
  });

  it("draws text with its own fonts: a title leaves ink where none was", async () => {
    const [none, short, long] = await Promise.all(
      [" ", "abc", "abc abc abc"].map(async (text) =>
        count(await pixelsOf(titleOnly(text)), isDark),
      ),
    );
    expect(none).toBe(0);
    expect(short).toBeGreaterThan(200);
    expect(long! / short!).toBeCloseTo(3, 0);
  });
});

describe("histogramBins", () => {
  it("holds each series' rows once, on bins that no threshold cuts", () => {
    const bins = histogramBins(scores, 0);
    for (const { name } of scores) {
      const own = bins.filter(({ series }) => series === name);
      expect(own.reduce((sum, { share }) => sum + share, 0)).toBeCloseTo(1, 12);
    }
    for (const { from, to } of bins) expect(from < -1e-9 && to > 1e-9).toBe(false);
    expect(bins.filter(({ series, from }) => series === "train" && from >= -1e-9)).toMatchObject([
      { share: 0.25 },
    ]);
  });

  it("takes scores that are all alike", () => {
    expect(histogramBins([{ name: "train", scores: [0, 0] }], 0)).toMatchObject([{ share: 1 }]);
  });
});

describe("scoreHistogram", () => {
  it("draws a threshold through the whole height", async () => {
    const { data, width, height } = await pixelsOf(scoreHistogram(scores, 0));
    const darkIn = (x: number): number => {
      let dark = 0;
      for (let y = 0; y < height; y += 1) {
        const i = (y * width + x) * 3;
        if (isDark(data[i]!, data[i + 1]!, data[i + 2]!)) dark += 1;
      }
      return dark;
    };
    // Dashes of 5 to gaps of 4, over the plot's 600 pixels.
    const most = Math.max(...Array.from({ length: width }, (_, x) => darkIn(x)));
    expect(most).toBeGreaterThan(280);
    expect(most).toBeLessThan(420);
  });
});

describe("pcaScatter", () => {
  it("marks anomalies in their colour", async () => {
    const with2 = count(await pixelsOf(pcaScatter(points([0, 1, 0, 1]), [0.5, 0.2])), isAnomaly);
    const without = count(await pixelsOf(pcaScatter(points([0, 0, 0, 0]), [0.5, 0.2])), isAnomaly);
    expect(without).toBeGreaterThan(0); // the legend
    expect(with2 / without).toBeGreaterThan(2);
  });

  it("says on the axes what each explains, and how many rows it shows", () => {
    const spec = JSON.stringify(pcaScatter(points([0, 1, 0, 0]), [0.3849, 0.1462]));
    expect(spec).toContain("PC 1 (38.5 % of variance)");
    expect(spec).toContain("PC 2 (14.6 % of variance)");
    expect(spec).toContain('"4 rows, columns standardised"');
  });

  it("says that it shows a sample", () => {
    const [set] = points([0, 1, 0, 0]);
    const text = JSON.stringify(pcaScatter([{ ...set!, rows: 5_000_000 }], [0.5, 0.2]));
    expect(text).toContain("4 of 5000000 rows, columns standardised:");
    expect(text).toContain("a seeded sample and the strangest anomalies");
  });
});

describe("learningCurves", () => {
  it("starts at epoch 1 and draws each series", async () => {
    const spec = learningCurves(
      "Loss",
      "loss",
      [
        { name: "train", values: [3, 2, 1] },
        { name: "validation", values: [3, 2.5, 2.6] },
      ],
      { epoch: 2, by: "validation loss" },
    );
    expect(JSON.stringify(spec)).toContain("best epoch by validation loss: 2");
    expect(JSON.stringify(spec)).toContain('{"series":"validation","epoch":3,"value":2.6}');
    const drawn = await pixelsOf(spec);
    expect(count(drawn, isAnomaly)).toBeGreaterThan(1000);
  });

  it("takes one epoch", async () => {
    const drawn = await pixelsOf(learningCurves("Loss", "loss", [{ name: "train", values: [3] }]));
    expect(drawn.width).toBeGreaterThan(900);
  });
});

describe("reliabilityDiagram", () => {
  it("draws orange where the model is surer than right, and says both errors", async () => {
    const bin = { from: 0.8, to: 1, rows: 10, confidence: 0.9 };
    const panels = [0.2, 0.9].map((accuracy) => ({
      name: "before",
      calibration: { ece: Math.abs(0.9 - accuracy), nll: 1, bins: [{ ...bin, accuracy }] },
    }));
    const drawn = await Promise.all(
      panels.map(async (panel) =>
        count(await pixelsOf(reliabilityDiagram("R", [panel])), isAnomaly),
      ),
    );
    expect(drawn[0]).toBeGreaterThan(10_000);
    expect(drawn[1]).toBe(0);
    expect(JSON.stringify(reliabilityDiagram("R", panels))).toContain("before: ECE 0.700");
  });
});

describe("scoreBars", () => {
  it("writes each value with its deviation, where there is one", async () => {
    const spec = scoreBars(
      "Conditions",
      "",
      "macro recall",
      [
        { name: "both", value: 0.8, deviation: 0.02 },
        { name: "noise", value: 0.5, deviation: undefined },
      ],
      0.25,
    );
    const svg = await renderSvg(spec);
    for (const text of ["both", "0.800 ± 0.020", "0.500", "dashed: chance, 0.250"])
      expect(svg).toContain(`>${text}</text>`);
    expect(svg).toContain("Verdana"); // a viewer that lacks our font has another
  });
});

describe("confusionMatrix", () => {
  it("colours by the share of the true class, and writes counts", async () => {
    const spec = confusionMatrix(
      "Confusion",
      ["happy", "sad"],
      [
        [8, 2],
        [0, 0],
      ],
    );
    const text = JSON.stringify(spec);
    expect(text).toContain('{"actual":"happy","predicted":"sad","count":2,"share":0.2}');
    expect(text).toContain('{"actual":"sad","predicted":"sad","count":0,"share":0}');
    const drawn = await pixelsOf(spec);
    // The cell of share 0.8 is a dark blue, 104 × 104 pixels.
    const blue = count(drawn, (r, g, b) => r < 90 && g > 80 && g < 150 && b > 150);
    expect(blue).toBeGreaterThan(8000);
    expect(blue).toBeLessThan(13_000);
  });
});
