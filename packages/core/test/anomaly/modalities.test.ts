import { joinModalities, trainingMeans } from "@emotion-service/core/anomaly/modalities";
import { expect, it } from "vitest";
import { matrixOf } from "./reference.ts";

const rows = {
  image: matrixOf([
    [1, 10],
    [0, 0],
    [3, 30],
  ]),
  audio: matrixOf([[5], [6], [0]]),
  imagePresent: Uint8Array.of(1, 0, 1),
  audioPresent: Uint8Array.of(1, 1, 0),
};

it("takes means over the rows where a modality is present", () => {
  expect(Array.from(trainingMeans(rows))).toEqual([2, 20, 5.5]);
});

it("takes 0 for a modality that is never there", () => {
  const means = trainingMeans({ ...rows, audioPresent: new Uint8Array(3) });
  expect(Array.from(means)).toEqual([2, 20, 0]);
});

it("joins image and audio, and fills what is missing", () => {
  const joined = joinModalities(rows, Float32Array.of(2, 20, 5.5));
  expect(joined).toEqual(
    matrixOf([
      [1, 10, 5],
      [2, 20, 6],
      [3, 30, 5.5],
    ]),
  );
});
