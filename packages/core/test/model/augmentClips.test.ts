import { type Augmentation, augmentClips } from "@emotion-service/core/model/augmentClips";
import type { ClipBatch } from "@emotion-service/core/model/clips";
import { softTargets } from "@emotion-service/core/model/loss";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

const NONE: Augmentation = {
  timeMasks: 0,
  timeMaskFrames: 0,
  frequencyMasks: 0,
  frequencyMaskMels: 0,
  gain: 0,
  noise: 0,
  shift: 0,
  mixup: 0,
};
const [FRAMES, MELS] = [40, 8];
const MEAN = Float32Array.from({ length: MELS }, (_, m) => -1000 - m);

/** Clips of 40 and 24 frames whose cell (t, m) of row r holds 100 r + t + m / 10. */
function batchOf(): ClipBatch {
  const lengths = [FRAMES, 24];
  const values = lengths.flatMap((length, row) =>
    Array.from({ length: FRAMES * MELS }, (_, at) => {
      const [t, m] = [Math.floor(at / MELS), at % MELS];
      return t < length ? 100 * row + t + m / 10 : 0;
    }),
  );
  return {
    rows: 2,
    classIds: Int32Array.of(0, 1),
    frames: FRAMES,
    mels: MELS,
    values: Float32Array.from(values),
    mask: Float32Array.from(
      lengths.flatMap((length) => Array.from({ length: FRAMES }, (_, t) => Number(t < length))),
    ),
  };
}

function augmented(settings: Partial<Augmentation>, seed = 1) {
  const batch = batchOf();
  const targets = softTargets(batch.classIds, Float32Array.of(1, 1), 0);
  augmentClips(batch, targets, MEAN, { ...NONE, ...settings }, createRandom(seed));
  return { batch, targets: [...targets.targets] };
}

/** The cells of a row that differ from the original, as "t m". */
function changed({ values }: ClipBatch, row: number): { t: number; m: number; value: number }[] {
  const before = batchOf().values;
  const cells: { t: number; m: number; value: number }[] = [];
  for (let at = row * FRAMES * MELS; at < (row + 1) * FRAMES * MELS; at += 1)
    if (values[at] !== before[at])
      cells.push({
        t: Math.floor(at / MELS) - row * FRAMES,
        m: at % MELS,
        value: values[at] ?? NaN,
      });
  return cells;
}

const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8];

describe("augmented clips", () => {
  it("are as they were where nothing is asked for", () => {
    expect(augmented({}).batch).toEqual(batchOf());
    expect(augmented({}).targets).toEqual([1, 0, 0, 1]);
  });

  it("have whole frames at the mean, within the clip, no more than told", () => {
    const widths = SEEDS.map((seed) => {
      const { batch } = augmented({ timeMasks: 1, timeMaskFrames: 5 }, seed);
      const cells = changed(batch, 1);
      const frames = [...new Set(cells.map(({ t }) => t))];
      expect(cells).toHaveLength(frames.length * MELS);
      for (const { t, m, value } of cells) {
        expect(value).toBe(MEAN[m]);
        expect(t).toBeLessThan(24);
      }
      expect(frames).toEqual(frames.map((_, i) => (frames[0] ?? 0) + i));
      return frames.length;
    });
    expect(Math.max(...widths)).toBeLessThanOrEqual(5);
    expect(Math.max(...widths)).toBeGreaterThan(0);
  });

  it("have whole bands at the mean, all the clip long and not behind its end", () => {
    const widths = SEEDS.map((seed) => {
      const cells = changed(augmented({ frequencyMasks: 1, frequencyMaskMels: 3 }, seed).batch, 1);
      const bands = new Set(cells.map(({ m }) => m));
      expect(cells).toHaveLength(bands.size * 24);
      for (const { m, value } of cells) expect(value).toBe(MEAN[m]);
      return bands.size;
    });
    expect(Math.max(...widths)).toBeLessThanOrEqual(3);
    expect(Math.max(...widths)).toBeGreaterThan(0);
  });

  it("are louder or softer by one value a clip", () => {
    const { batch } = augmented({ gain: 3 });
    const before = batchOf();
    const added = [...changed(batch, 1)].map(
      ({ t, m, value }) => value - (before.values[(FRAMES + t) * MELS + m] ?? 0),
    );
    expect(added).toHaveLength(24 * MELS);
    expect(added).toBeAllClose(Array<number>(added.length).fill(added[0]!), {
      rtol: 0,
      atol: 1e-4,
    });
  });

  it("begin later, and are shorter by as much", () => {
    const cuts = SEEDS.map((seed) => {
      const { values, mask } = augmented({ shift: 4 }, seed).batch;
      const first = values[FRAMES * MELS]! - 100;
      const length = mask.subarray(FRAMES).reduce((a, b) => a + b, 0);
      expect(length).toBe(24 - first);
      expect(values.subarray((FRAMES + length) * MELS).every((value) => value === 0)).toBe(true);
      return first;
    });
    expect(new Set(cuts).size).toBeGreaterThan(1);
    expect(Math.max(...cuts)).toBeLessThanOrEqual(4);
  });

  it("are mixed with another, and their targets by the same share", () => {
    const { batch, targets } = augmented({ mixup: 1 }, 3);
    const share = targets[0]!;
    expect(share).toBeGreaterThanOrEqual(0.5);
    expect(share).toBeLessThan(1);
    expect(targets).toBeAllClose([share, 1 - share, 1 - share, share], { rtol: 1e-6, atol: 0 });
    expect(batch.mask.every((inside) => inside === 1)).toBe(true);
    expect(batch.values[0]!).toBeCloseTo(share * 0 + (1 - share) * 100, 3);
    const late = 30 * MELS; // behind the end of the second clip
    expect(batch.values[late]!).toBeCloseTo(share * 30 + (1 - share) * MEAN[0]!, 3);
    expect(batch.values[FRAMES * MELS + late]!).toBeCloseTo(share * MEAN[0]! + (1 - share) * 30, 3);
  });

  it("are the same for the same seed, and stay in their order of rows", () => {
    const all = {
      ...NONE,
      timeMasks: 2,
      timeMaskFrames: 4,
      gain: 1,
      noise: 1,
      shift: 3,
      mixup: 0.3,
    };
    expect(augmented(all, 5)).toEqual(augmented(all, 5));
    expect(augmented(all, 5)).not.toEqual(augmented(all, 6));
    expect(augmented(all, 5).batch.classIds).toEqual(Int32Array.of(0, 1));
  });
});
