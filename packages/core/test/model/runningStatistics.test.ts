import { fitStandardisation } from "@emotion-service/core/model/dataset";
import { createRunningStatistics } from "@emotion-service/core/model/runningStatistics";
import { createRandom, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";

const ROWS = 1000;
const COLUMNS = 3;

/** Rows whose columns have quite different means and deviations; `counted` of them count. */
function someRows(offset: number): { data: Float32Array; counted: Uint8Array } {
  const random = createRandom(1);
  return {
    data: Float32Array.from(
      { length: ROWS * COLUMNS },
      (_, i) => offset * (i % COLUMNS) + (1 + (i % COLUMNS)) * normal(random) + i / 1000,
    ),
    counted: Uint8Array.from({ length: ROWS }, () => Number(random() < 0.7)),
  };
}

function fitInBlocks(data: Float32Array, counted: Uint8Array, blockRows: number) {
  const statistics = createRunningStatistics(COLUMNS);
  for (let start = 0; start < ROWS; start += blockRows) {
    const block = [...counted.subarray(start, start + blockRows).keys()];
    statistics.add(
      data.subarray(start * COLUMNS, (start + blockRows) * COLUMNS),
      block.filter((row) => counted[start + row] === 1),
    );
  }
  return statistics.finish();
}

describe("statistics of rows that come in blocks", () => {
  it.each([
    [1, 0],
    [7, 0],
    [64, 1e4],
    [999, 1e6],
    [1000, 1e4],
  ])("of %i rows, off zero by %d: as of all at once", (blockRows, offset) => {
    const { data, counted } = someRows(offset);
    const whole = fitStandardisation({
      encoder: { model: "made", weightsSha256: "none", featureConfig: "{}", dim: COLUMNS },
      values: { data, rows: ROWS, columns: COLUMNS },
      present: counted,
    });
    const { mean, deviation } = fitInBlocks(data, counted, blockRows);
    expect(mean).toBeAllClose(whole.mean, { rtol: 1e-6 });
    // `whole` takes distances from a mean rounded to 32 bits: at 2e6, off by up to 0.06, of a deviation of 3.
    expect(deviation).toBeAllClose(whole.deviation, { rtol: offset < 1e6 ? 1e-6 : 1e-3 });
  });

  it("gives a constant the deviation 1, and nothing at all the mean 0", () => {
    const constant = fitInBlocks(
      new Float32Array(ROWS * COLUMNS).fill(0.1),
      new Uint8Array(ROWS).fill(1),
      64,
    );
    expect([...constant.mean]).toEqual([0.1, 0.1, 0.1].map(Math.fround));
    expect([...constant.deviation]).toEqual([1, 1, 1]);
    const nothing = fitInBlocks(new Float32Array(ROWS * COLUMNS), new Uint8Array(ROWS), 64);
    expect([...nothing.mean, ...nothing.deviation]).toEqual([0, 0, 0, 1, 1, 1]);
  });
});
