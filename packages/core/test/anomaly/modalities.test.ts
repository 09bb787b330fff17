import { createMeanSums, joinModalities } from "@emotion-service/core/anomaly/modalities";
import { expect, it } from "vitest";
import { matrixOf } from "./reference.ts";

const image = {
  values: matrixOf([
    [1, 10],
    [0, 0],
    [3, 30],
  ]),
  present: Uint8Array.of(1, 0, 1),
};
const audio = { values: matrixOf([[5], [6], [0]]), present: Uint8Array.of(1, 1, 0) };

it("takes means over the rows where a modality is present", () => {
  const sums = createMeanSums([2, 1]);
  sums.add([image, audio]);
  expect(Array.from(sums.means())).toEqual([2, 20, 5.5]);
});

it("takes the same means block by block", () => {
  const sums = createMeanSums([2, 1]);
  for (const row of [0, 1, 2]) {
    const part = ({ values, present }: typeof image) => ({
      values: {
        data: values.data.subarray(row * values.columns, (row + 1) * values.columns),
        rows: 1,
        columns: values.columns,
      },
      present: present.subarray(row, row + 1),
    });
    sums.add([part(image), part(audio)]);
  }
  expect(Array.from(sums.means())).toEqual([2, 20, 5.5]);
});

it("takes 0 for a modality that is never there", () => {
  const sums = createMeanSums([2, 1]);
  sums.add([image, { ...audio, present: new Uint8Array(3) }]);
  expect(Array.from(sums.means())).toEqual([2, 20, 0]);
});

it("joins image and audio, and fills what is missing", () => {
  expect(joinModalities([image, audio], Float32Array.of(2, 20, 5.5))).toEqual(
    matrixOf([
      [1, 10, 5],
      [2, 20, 6],
      [3, 30, 5.5],
    ]),
  );
});

it("takes one modality alone", () => {
  expect(joinModalities([audio], Float32Array.of(7))).toEqual(matrixOf([[5], [6], [7]]));
});
