import {
  type ClipBatch,
  bandStatistics,
  clipsInMemory,
  withoutPadding,
} from "@emotion-service/core/model/clips";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

/** [mels, frames] of a clip whose frame t holds t at each band, -80 dB where `sounds` is 0. */
function features(sounds: readonly number[], mels = 2): Float32Array {
  const frame = sounds.map((there, t) => (there === 1 ? -t : -80));
  return Float32Array.from(Array.from({ length: mels }, () => frame).flat());
}

describe("a clip of a fixed duration", () => {
  it.each([
    ["padded at both ends", [0, 0, 1, 1, 0], [2, 3]],
    ["silent in the middle", [1, 0, 1, 0], [0, 80, 2]],
    ["not padded", [1, 1], [0, 1]],
    ["silent throughout", [0, 0, 0], [80]],
  ])("%s is given as it was", (_, sounds, expected) => {
    const clip = withoutPadding(features(sounds), sounds.length, 2);
    expect([...clip]).toEqual(expected.flatMap((value) => [-value, -value]));
  });
});

const CLIPS = {
  mels: 2,
  frames: [Float32Array.of(1, 2), Float32Array.of(3, 6, 5, 10), Float32Array.of(100, 100)],
};

it("bands have the mean and the deviation of the frames of the clips named", () => {
  const { mean, deviation } = bandStatistics(CLIPS, [0, 1]);
  expect([...mean]).toEqual([3, 6]);
  expect(deviation).toBeAllClose([Math.sqrt(8 / 3), Math.sqrt(32 / 3)], { rtol: 1e-6, atol: 0 });
  expect([...bandStatistics(CLIPS, [2]).deviation]).toEqual([1, 1]);
});

describe("clips in memory", () => {
  const source = clipsInMemory(CLIPS, Int32Array.of(1, 0, -1), 2);
  const taken = async (batches: AsyncIterable<ClipBatch>): Promise<ClipBatch[]> => {
    const all: ClipBatch[] = [];
    for await (const batch of batches) all.push(batch);
    return all;
  };

  it("come with zeros and a mask behind their ends, without those that have no class", async () => {
    const batches = await taken(source.inOrder(2));
    expect(batches).toEqual([
      {
        rows: 2,
        classIds: Int32Array.of(1, 0),
        frames: 2,
        mels: 2,
        values: Float32Array.of(1, 2, 0, 0, 3, 6, 5, 10),
        mask: Float32Array.of(1, 0, 1, 1),
      },
    ]);
    expect([...source.classCounts]).toEqual([1, 1]);
  });

  it("come once each, by the seed", async () => {
    const ids = async (seed: number): Promise<number[]> =>
      (await taken(source.shuffled(1, createRandom(seed)))).flatMap((batch) => [...batch.classIds]);
    expect(new Set(await ids(1))).toEqual(new Set([0, 1]));
    expect(await ids(1)).toHaveLength(2);
    expect(await ids(2)).toEqual(await ids(2));
  });
});
