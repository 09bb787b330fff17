import {
  type ModalityRows,
  fitStandardisation,
  selectRows,
  standardise,
} from "@emotion-service/core/model/dataset";
import { describe, expect, it } from "vitest";
import { planted } from "./planted.ts";

function rowsOf(values: readonly (readonly number[])[], present: readonly number[]): ModalityRows {
  const columns = values[0]?.length ?? 0;
  return {
    encoder: { model: "made", weightsSha256: "none", featureConfig: "{}", dim: columns },
    values: { data: Float32Array.from(values.flat()), rows: values.length, columns },
    present: Uint8Array.from(present),
  };
}

describe("standardising", () => {
  it("counts the rows where the modality is there, and no other", () => {
    const rows = rowsOf(
      [
        [1, 10],
        [999, NaN],
        [3, 30],
      ],
      [1, 0, 1],
    );
    const { mean, deviation } = fitStandardisation(rows);
    expect([...mean]).toEqual([2, 20]);
    expect([...deviation]).toEqual([1, 10]); // of the population, as sklearn.preprocessing.StandardScaler
    expect([...standardise(rows, { mean, deviation }).values.data]).toEqual([-1, -1, 0, 0, 1, 1]);
  });

  it("gives a constant column zeros, and the deviation 1", () => {
    const rows = rowsOf([[0.1], [0.1], [0.1]], [1, 1, 1]);
    const fitted = fitStandardisation(rows);
    expect([...fitted.deviation]).toEqual([1]);
    expect(standardise(rows, fitted).values.data).toBeAllClose([0, 0, 0], { atol: 1e-7 });
  });

  it("has mean 0 and deviation 1 afterwards, however large the values", () => {
    const rows = rowsOf([[1e6 + 1], [1e6 + 2], [1e6 + 3], [1e6 + 6]], [1, 1, 1, 1]);
    const { data } = standardise(rows, fitStandardisation(rows)).values;
    const mean = data.reduce((a, b) => a + b, 0) / 4;
    const variance = data.reduce((a, b) => a + (b - mean) ** 2, 0) / 4;
    expect([mean, variance]).toBeAllClose([0, 1], { rtol: 1e-5, atol: 1e-6 });
  });

  it("goes on where no row has the modality", () => {
    const rows = rowsOf([[5, 5]], [0]);
    expect([...standardise(rows, fitStandardisation(rows)).values.data]).toEqual([0, 0]);
  });
});

it("selectRows takes the rows named, in that order, of everything", () => {
  const { dataset } = planted({ rows: 5, withoutImage: (row) => row === 3 });
  const selected = selectRows(dataset, [3, 0]);
  expect(selected).toMatchObject({
    rows: 2,
    labels: [dataset.labels[3], dataset.labels[0]],
    groups: ["row3", "row0"],
    paths: ["row3", "row0"],
  });
  expect([...selected.image!.present]).toEqual([0, 1]);
  expect([...selected.audio!.values.data]).toEqual([
    ...dataset.audio!.values.data.subarray(15, 20),
    ...dataset.audio!.values.data.subarray(0, 5),
  ]);
  const { image: _, ...audioAlone } = dataset;
  expect("image" in selectRows(audioAlone, [1])).toBe(false);
});
