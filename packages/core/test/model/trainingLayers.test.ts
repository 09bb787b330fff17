import type { Tensor, Variable } from "@tensorflow/tfjs";
import { createAdamW } from "@emotion-service/core/model/adamW";
import { type Tf, kernelHost, loadTensorFlow } from "@emotion-service/core/model/backend";
import { dropoutMask } from "@emotion-service/core/model/dropout";
import {
  FUSED,
  hasFusedKernels,
  registerFusedKernels,
} from "@emotion-service/core/model/fusedKernels";
import { type KernelHost, hostBeside } from "@emotion-service/core/model/kernelHost";
import {
  dense,
  dropout,
  fillMissing,
  layerNorm,
  relu,
  standardise,
  trainBatchNorm,
} from "@emotion-service/core/model/trainingLayers";
import { createRandom, normal } from "@emotion-service/core/random";
import { afterEach, beforeAll, describe, expect, it } from "vitest";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});
afterEach(async () => {
  for (const name of Object.values(FUSED))
    if (tf.getKernel(name, "cpu") !== undefined) tf.unregisterKernel(name, "cpu");
  await tf.setBackend("wasm");
});

/** Where a layer is computed: by the kernel in wasm's memory, by the kernel beside a backend, by composed operations. */
const WAYS = {
  wasm: async (): Promise<KernelHost | undefined> => {
    await tf.setBackend("wasm");
    return kernelHost(tf);
  },
  beside: async (): Promise<KernelHost | undefined> => {
    await tf.setBackend("cpu");
    const host = hostBeside(tf);
    registerFusedKernels(tf, "cpu", host);
    return host;
  },
  composed: async (): Promise<KernelHost | undefined> => {
    await tf.setBackend("cpu");
    return undefined;
  },
} as const;

const made = (shape: readonly number[], seed: number, offset = 0): Tensor => {
  const random = createRandom(seed);
  const size = shape.reduce((a, b) => a * b, 1);
  return tf.tensor(
    Float32Array.from({ length: size }, () => offset + normal(random)),
    [...shape],
  );
};
const variable = (shape: readonly number[], seed: number): Variable =>
  tf.tidy(() => tf.variable(made(shape, seed)));

/** A layer's output and the gradients of what it takes, each way. */
async function eachWay(run: () => Tensor[]): Promise<Record<keyof typeof WAYS, Float32Array[]>> {
  const results: Partial<Record<keyof typeof WAYS, Float32Array[]>> = {};
  for (const way of ["composed", "wasm", "beside"] as const) {
    await WAYS[way]();
    expect(hasFusedKernels(tf)).toBe(way !== "composed");
    const before = tf.memory().numTensors;
    const tensors = tf.tidy(run);
    results[way] = tensors.map((tensor) => Float32Array.from(tensor.dataSync()));
    tf.dispose(tensors);
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
    for (const name of Object.values(FUSED))
      if (tf.getKernel(name, "cpu") !== undefined) tf.unregisterKernel(name, "cpu");
  }
  return results as Record<keyof typeof WAYS, Float32Array[]>;
}

function expectSame(
  { composed, wasm, beside }: Record<keyof typeof WAYS, Float32Array[]>,
  tolerance: { readonly rtol: number; readonly atol: number },
): void {
  for (const [i, expected] of composed.entries()) {
    expect(wasm[i]!).toBeAllClose(expected, tolerance);
    expect(beside[i]!).toEqual(wasm[i]!); // the same kernel
  }
}

const SETTINGS = { epsilon: 1e-5, momentum: 0.1 };

describe("batch norm in training: one kernel and composed operations agree, forth and back", () => {
  it.each<[shape: number[], present: number[] | undefined]>([
    [[6, 5], undefined],
    [
      [6, 5],
      [1, 0, 1, 1, 0, 1],
    ],
    [
      [6, 8],
      [0, 0, 0, 0, 0, 1],
    ],
    [
      [3, 7],
      [0, 0, 0],
    ],
    [[2, 4, 3, 5], undefined],
    [[40, 10, 1, 16], undefined], // more rows than are summed at a time
    [[4, 1], undefined],
  ])("shape %j, present %j", async (shape, there) => {
    const n = shape.at(-1)!;
    const results = await eachWay(() => {
      const [gamma, beta] = [variable([n], 1), variable([n], 2)];
      const [runningMean, runningVariance] = [variable([n], 3), variable([n], 4)];
      const present = there && tf.tensor(there, [there.length, 1]);
      const layer = (x: Tensor, g: Tensor, b: Tensor): Tensor =>
        trainBatchNorm(
          tf,
          x,
          present,
          { gamma: g as Variable, beta: b as Variable, runningMean, runningVariance },
          SETTINGS,
        );
      const x = made(shape, 5, 3);
      const y = layer(x, gamma, beta);
      const statistics = [runningMean.clone(), runningVariance.clone()];
      return [y, ...statistics, ...tf.grads(layer)([x, gamma, beta], made(shape, 6))];
    });
    // One over the deviation of a single row is 316, and so are the roundings of what it multiplies.
    expectSame(results, { rtol: 1e-4, atol: there?.filter(Boolean).length === 1 ? 2e-2 : 2e-5 });
  });

  it("moves no running statistic by fewer than 2 rows", async () => {
    const { wasm } = await eachWay(() => {
      const weights = {
        gamma: variable([3], 1),
        beta: variable([3], 2),
        runningMean: variable([3], 3),
        runningVariance: variable([3], 4),
      };
      trainBatchNorm(tf, made([2, 3], 5), tf.tensor([1, 0], [2, 1]), weights, SETTINGS);
      return [
        weights.runningMean.clone(),
        weights.runningVariance.clone(),
        made([3], 3),
        made([3], 4),
      ];
    });
    expect(wasm[0]).toEqual(wasm[2]);
    expect(wasm[1]).toEqual(wasm[3]);
  });
});

it.each([
  [6, 5, 3, true],
  [64, 33, 17, true],
  [3, 8, 4, false],
])(
  "a dense layer of %i rows, %i to %i, a gradient going on: %s, either way",
  async (m, k, n, goesOn) => {
    const results = await eachWay(() => {
      const [kernel, bias] = [variable([k, n], 1), variable([n], 2)];
      const x = made([m, k], 3);
      const dy = made([m, n], 4);
      if (!goesOn) {
        const layer = (w: Tensor, b: Tensor): Tensor =>
          dense(tf, x, w as Variable, b as Variable, false);
        return [layer(kernel, bias), ...tf.grads(layer)([kernel, bias], dy)];
      }
      const layer = (a: Tensor, w: Tensor, b: Tensor): Tensor =>
        dense(tf, a, w as Variable, b as Variable, true);
      return [layer(x, kernel, bias), ...tf.grads(layer)([x, kernel, bias], dy)];
    });
    expectSame(results, { rtol: 1e-5, atol: 1e-5 });
  },
);

it.each([
  [6, 5],
  [3, 8],
  [2, 33],
])("layer norm of %i rows of %i: one kernel and composed operations agree", async (m, n) => {
  const results = await eachWay(() => {
    const [gamma, beta] = [variable([n], 1), variable([n], 2)];
    const layer = (x: Tensor, g: Tensor, b: Tensor): Tensor =>
      layerNorm(tf, x, g as Variable, b as Variable, 1e-5);
    const x = made([m, n], 3, 2);
    return [layer(x, gamma, beta), ...tf.grads(layer)([x, gamma, beta], made([m, n], 4))];
  });
  expectSame(results, { rtol: 1e-4, atol: 1e-5 });
});

it.each([1, 4, 7])("max(x, 0) of %i values and its gradient, either way", async (n) => {
  const results = await eachWay(() => {
    const layer = (x: Tensor): Tensor => relu(tf, x);
    const x = tf.concat([made([1, n], 1), tf.zeros([1, n])]);
    return [layer(x), tf.grad(layer)(x, made([2, n], 2))];
  });
  expectSame(results, { rtol: 0, atol: 0 });
});

it("a missing row gets the learnt vector and gives its gradient to it, either way", async () => {
  const results = await eachWay(() => {
    const [missing, present] = [variable([1, 6], 1), tf.tensor([1, 0, 1, 0], [4, 1])];
    const layer = (x: Tensor, w: Tensor): Tensor => fillMissing(tf, x, present, w as Variable);
    const x = made([4, 6], 2);
    return [layer(x, missing), ...tf.grads(layer)([x, missing], made([4, 6], 3))];
  });
  expectSame(results, { rtol: 1e-6, atol: 1e-7 });
});

it.each([1, 4, 7])(
  "standardises %i columns, with and without missing rows, either way",
  async (n) => {
    const results = await eachWay(() => {
      const [mean, deviation] = [variable([n], 1), variable([n], 2)];
      const x = made([4, n], 3);
      const present = tf.tensor([1, 0, 1, 0], [4, 1]);
      return [
        standardise(tf, x, mean, deviation, undefined),
        standardise(tf, x, mean, deviation, present),
      ];
    });
    expectSame(results, { rtol: 1e-6, atol: 1e-7 });
  },
);

describe("dropout", () => {
  it.each([1, 3, 4, 1001])(
    "drops the same of %i values, either way, also in the gradient",
    async (n) => {
      const seed = 0xfedcba98;
      const results = await eachWay(() => {
        const layer = (x: Tensor): Tensor => dropout(tf, x, 0.3, seed);
        const x = made([1, n], 1);
        return [layer(x), tf.grad(layer)(x, tf.ones([1, n]))];
      });
      expectSame(results, { rtol: 1e-6, atol: 0 });
      expect(results.wasm[1]!).toBeAllClose(dropoutMask(n, 0.3, seed), { rtol: 1e-6, atol: 0 });
    },
  );

  it("keeps the share that it is told, and the mean", () => {
    const mask = dropoutMask(100_000, 0.2, 7);
    const dropped = mask.filter((factor) => factor === 0).length / mask.length;
    expect(Math.abs(dropped - 0.2)).toBeLessThan(0.005); // 4 deviations of a fair draw
    expect(new Set(mask)).toEqual(new Set([0, Math.fround(1.25)]));
  });

  it("draws anew for another seed, and not in step with the last", () => {
    const [a, b] = [dropoutMask(20_000, 0.5, 1), dropoutMask(20_000, 0.5, 2)];
    for (const shift of [0, 1, 2, 5]) {
      let same = 0;
      for (let i = 0; i + shift < a.length; i += 1) same += Number(a[i + shift] === b[i]);
      expect(Math.abs(same / a.length - 0.5)).toBeLessThan(0.015);
    }
  });
});

it("AdamW moves variables the same way by the kernel and by composed operations", async () => {
  const after: Float32Array[][] = [];
  for (const way of ["composed", "wasm", "beside"] as const) {
    const host = await WAYS[way]();
    const before = tf.memory().numTensors;
    const variables = new Map([
      ["a", variable([3, 5], 1)],
      ["b", variable([200], 2)],
    ]);
    const optimiser = createAdamW(tf, variables, { weightDecay: 0.1, gradClip: 2 }, host);
    for (let step = 0; step < 4; step += 1)
      tf.tidy(() =>
        optimiser.step({ a: made([3, 5], 10 + step), b: made([200], 20 + step) }, 0.01),
      );
    after.push([...variables.values()].map((values) => Float32Array.from(values.dataSync())));
    optimiser.dispose();
    tf.disposeVariables();
    expect(tf.memory().numTensors).toBe(before);
  }
  const [composed, wasm, beside] = after;
  for (const [i, expected] of composed!.entries()) {
    expect(wasm![i]!).toBeAllClose(expected, { rtol: 1e-5, atol: 1e-6 });
    expect(beside![i]).toEqual(wasm![i]);
  }
});

it.each(["composed", "wasm", "beside"] as const)(
  "AdamW goes on from what another one kept, %s, as if it were the same",
  async (way) => {
    const host = await WAYS[way]();
    const settings = { weightDecay: 0.1, gradClip: 2 };
    const after = (isStopped: boolean): Float32Array => {
      const values = variable([40], 1);
      const variables = new Map([["a", values]]);
      let optimiser = createAdamW(tf, variables, settings, host);
      for (let step = 0; step < 4; step += 1) {
        if (isStopped && step === 2) {
          const state = optimiser.state();
          optimiser.dispose();
          optimiser = createAdamW(tf, variables, settings, host, state);
        }
        tf.tidy(() => optimiser.step({ a: made([40], 10 + step) }, 0.01));
      }
      optimiser.dispose();
      const result = Float32Array.from(values.dataSync());
      tf.disposeVariables();
      return result;
    };
    expect(after(true)).toEqual(after(false));
  },
);

it.each(["wasm", "beside"] as const)(
  "AdamW refuses a variable that was assigned to between two steps, %s: its old memory is not its own",
  async (way) => {
    const host = await WAYS[way]();
    const moved = variable([8], 1);
    const settings = { weightDecay: 0, gradClip: 0 };
    const optimiser = createAdamW(tf, new Map([["a", moved]]), settings, host);
    const step = (): void => tf.tidy(() => optimiser.step({ a: made([8], 2) }, 0.01));
    step();
    step();
    tf.tidy(() => moved.assign(made([8], 3)));
    expect(step).toThrow("a was assigned to between two steps");
    optimiser.dispose();
    tf.disposeVariables();
  },
);

it("an optimiser gives its memory back also where its variables are gone", async () => {
  const host = (await WAYS.beside())!;
  const held: number[] = [];
  for (let run = 0; run < 3; run += 1) {
    const values = variable([50], 1);
    const optimiser = createAdamW(
      tf,
      new Map([["a", values]]),
      { weightDecay: 0, gradClip: 0 },
      host,
    );
    tf.tidy(() => optimiser.step({ a: made([50], 2) }, 0.01));
    values.dispose();
    optimiser.dispose();
    held.push(tf.tidy(() => host.addressesOf([tf.zeros([1])])[0]!)); // above all that is reserved
  }
  expect(new Set(held).size).toBe(1);
});
