import { shardAttributes, shardPlaceFrom } from "@emotion-service/core/hdf5/shardAttributes";
import { expect, it } from "vitest";

const SHARD = { index: 2, count: 8, source: "--shard" };
const INPUTS = ["a.wav", "b.wav"];

it("a shard's place comes back from the attributes of its file", () => {
  const attributes = shardAttributes(SHARD, INPUTS);
  expect(attributes).toMatchObject({ shard: "2/8", inputs: 2 });
  expect(shardPlaceFrom(attributes)).toEqual({
    index: 2,
    count: 8,
    inputs: 2,
    inputsSha256: attributes["inputs_sha256"],
  });
});

it("the whole has none", () => {
  expect(shardAttributes(undefined, INPUTS)).toEqual({});
  expect(shardPlaceFrom({ sr: 16_000 })).toBeUndefined();
});

it.each([
  ["a shard that does not say of what", { shard: "2/8" }],
  ["no fraction", { ...shardAttributes(SHARD, INPUTS), shard: "2" }],
  ["a number", { ...shardAttributes(SHARD, INPUTS), shard: 2 }],
  ["index 0", { ...shardAttributes(SHARD, INPUTS), shard: "0/8" }],
  ["an index beyond n", { ...shardAttributes(SHARD, INPUTS), shard: "9/8" }],
  ["no number of inputs", { ...shardAttributes(SHARD, INPUTS), inputs: "two" }],
  ["no fingerprint", { ...shardAttributes(SHARD, INPUTS), inputs_sha256: 1 }],
])("%s is no shard's", (_, attributes) => {
  expect(shardPlaceFrom(attributes)).toBeUndefined();
});
