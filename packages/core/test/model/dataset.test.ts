import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import {
  type ModalityRows,
  type Standardisation,
  fitStandardisation,
} from "@emotion-service/core/model/dataset";
import { createGraphBuilder } from "@emotion-service/core/model/graph";
import { createNetwork } from "@emotion-service/core/model/network";
import { rowsInMemory } from "@emotion-service/core/model/rowSource";
import { toTensors } from "@emotion-service/core/model/fusionLearner";
import { beforeAll, describe, expect, it } from "vitest";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

function rowsOf(values: readonly (readonly number[])[], present: readonly number[]): ModalityRows {
  const columns = values[0]?.length ?? 0;
  return {
    encoder: { model: "made", weightsSha256: "none", featureConfig: "{}", dim: columns },
    values: { data: Float32Array.from(values.flat()), rows: values.length, columns },
    present: Uint8Array.from(present),
  };
}

/** What the rows are behind a `standardise` layer, [N · D]. */
async function standardised(
  image: ModalityRows,
  { mean, deviation }: Standardisation,
): Promise<Float32Array> {
  const { rows, columns } = image.values;
  const net = createGraphBuilder();
  const x = net.input("x", [null, columns]);
  const graph = net.build(net.standardise("image", x, net.input("present", [null, 1])));
  const network = createNetwork(
    tf,
    graph,
    new Map([
      ["image.mean", { shape: [columns], data: mean }],
      ["image.deviation", { shape: [columns], data: deviation }],
    ]),
  );
  const set = { rows, image };
  const output: number[] = [];
  for await (const batch of rowsInMemory(set, new Int32Array(rows), 2).inOrder(rows))
    output.push(
      ...tf.tidy(() => {
        const { values, present } = toTensors(tf, batch).image!;
        return network.forward({ x: values, present }, { training: false }).dataSync();
      }),
    );
  network.dispose();
  return Float32Array.from(output);
}

describe("standardising", () => {
  it("counts the rows where the modality is there, and no other", async () => {
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
    // The absent row, NaN and all, is zeros.
    expect(await standardised(rows, { mean, deviation })).toBeAllClose([-1, -1, 0, 0, 1, 1], {
      rtol: 0,
      atol: 0, // but -0 for 0
    });
  });

  it("gives a constant column zeros, and the deviation 1", async () => {
    const rows = rowsOf([[0.1], [0.1], [0.1]], [1, 1, 1]);
    const fitted = fitStandardisation(rows);
    expect([...fitted.deviation]).toEqual([1]);
    expect(await standardised(rows, fitted)).toBeAllClose([0, 0, 0], { atol: 1e-7 });
  });

  it("has mean 0 and deviation 1 afterwards, however large the values", async () => {
    const rows = rowsOf([[1e6 + 1], [1e6 + 2], [1e6 + 3], [1e6 + 6]], [1, 1, 1, 1]);
    const data = await standardised(rows, fitStandardisation(rows));
    const mean = data.reduce((a, b) => a + b, 0) / 4;
    const variance = data.reduce((a, b) => a + (b - mean) ** 2, 0) / 4;
    expect([mean, variance]).toBeAllClose([0, 1], { rtol: 1e-5, atol: 1e-6 });
  });

  it("goes on where no row has the modality", async () => {
    const rows = rowsOf([[5, 5]], [0]);
    const fitted = fitStandardisation(rows);
    expect([...fitted.deviation]).toEqual([1, 1]);
    expect(await standardised(rows, fitted)).toBeAllClose([0, 0], { rtol: 0, atol: 0 });
  });
});
