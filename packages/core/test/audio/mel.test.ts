import { hzToMel, melFilterBank, melToHz } from "@emotion-service/core/audio/mel";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

describe("Slaney's scale", () => {
  it.each([
    [0, 0],
    [200 / 3, 1],
    [500, 7.5],
    [1000, 15],
    [6400, 42],
  ])("%f Hz is %f mel", (hz, mel) => {
    expect(hzToMel(hz)).toBeCloseTo(mel, 10);
    expect(melToHz(mel)).toBeCloseTo(hz, 8);
  });

  it("goes there and back, and rises", () => {
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1e5, noNaN: true }), (hz) => {
        expect(melToHz(hzToMel(hz))).toBeCloseTo(hz, 6);
        expect(hzToMel(hz + 1)).toBeGreaterThan(hzToMel(hz));
      }),
    );
  });
});

describe("the filter bank", () => {
  it("is triangles that rise from the neighbour before's centre and fall to the next one's", () => {
    const [sr, nFft, nMels] = [16_000, 8192, 20];
    const edges = Array.from({ length: nMels + 2 }, (_, i) =>
      melToHz((hzToMel(sr / 2) * i) / (nMels + 1)),
    );
    for (const [band, { start, weights }] of melFilterBank(sr, nFft, nMels).entries()) {
      const [low, centre, high] = edges.slice(band, band + 3) as [number, number, number];
      const hz = (bin: number): number => ((start + bin) * sr) / nFft;
      expect(hz(0)).toBeGreaterThanOrEqual(low);
      expect(hz(weights.length - 1)).toBeLessThanOrEqual(high);
      expect(Math.abs(hz(weights.indexOf(Math.max(...weights))) - centre)).toBeLessThan(sr / nFft);
      const area = weights.reduce((sum, weight) => sum + weight, 0) * (sr / nFft);
      expect(area).toBeCloseTo(1, 2); // the trapezoid rule over a triangle whose corners lie between bins
    }
  });

  it("passes over no frequency between 0 Hz and half the rate", () => {
    const bands = melFilterBank(16_000, 1024, 64);
    const covered = new Set(
      bands.flatMap(({ start, weights }) => Array.from(weights, (_, i) => start + i)),
    );
    expect(covered).toEqual(new Set(Array.from({ length: 511 }, (_, i) => i + 1)));
  });

  it("has empty bands where they are narrower than a bin", () => {
    const bands = melFilterBank(16_000, 128, 128);
    expect(bands).toHaveLength(128);
    expect(bands.some(({ weights }) => weights.length === 0)).toBe(true);
    expect(bands.at(-1)!.weights.length).toBeGreaterThan(0);
  });
});
