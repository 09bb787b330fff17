import type { Tensor, Tensor4D } from "@tensorflow/tfjs";
import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import { createRandom, normal } from "@emotion-service/core/random";
import { afterEach, beforeAll, describe, expect, it } from "vitest";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});
afterEach(async () => {
  await tf.setBackend("wasm");
});

type Pad = "same" | "valid" | number | [[0, 0], [number, number], [number, number], [0, 0]];
type Size = number | [number, number];
type Run = (make: (shape: number[], seed: number) => Tensor4D) => Tensor[];

/** What a run gives on wasm and on the cpu backend, of the same numbers. */
async function onBoth(run: Run): Promise<{ wasm: Float32Array[]; cpu: Float32Array[] }> {
  const make = (shape: number[], seed: number): Tensor4D => {
    const random = createRandom(seed);
    return tf.tensor4d(
      Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random)),
      shape as [number, number, number, number],
    );
  };
  const on = async (backend: string): Promise<Float32Array[]> => {
    await tf.setBackend(backend);
    const results = tf.tidy(() => run(make));
    const values = results.map((tensor) => Float32Array.from(tensor.dataSync()));
    tf.dispose(results);
    return values;
  };
  return { wasm: await on("wasm"), cpu: await on("cpu") };
}

/** Picture [height, width, channels], filters, kernel, strides, padding. */
const CONVOLUTIONS: [number[], number, Size, Size, Pad][] = [
  [[7, 9, 3], 5, 3, 1, "same"],
  [[7, 9, 3], 5, 3, 1, "valid"],
  [[8, 8, 4], 8, 3, 2, "same"],
  [[9, 6, 1], 3, 5, 2, "valid"],
  [[6, 7, 2], 10, 1, 1, "valid"],
  [[6, 6, 2], 3, 1, 2, "same"], // a kernel smaller than its stride: pixels that nothing sees
  [[11, 5, 3], 9, 3, 3, "same"],
  [
    [16, 23, 16],
    17,
    3,
    1,
    [
      [0, 0],
      [2, 1],
      [0, 1],
      [0, 0],
    ],
  ],
  [
    [7, 7, 3],
    4,
    7,
    2,
    [
      [0, 0],
      [3, 3],
      [3, 3],
      [0, 0],
    ],
  ],
  [
    [5, 5, 2],
    3,
    3,
    [1, 2],
    [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ],
  ],
  [[5, 8, 6], 4, [1, 3], [2, 1], "same"],
  [[3, 3, 5], 2, 3, 1, "valid"], // one pixel is left
];

describe("conv2d on wasm is the cpu backend's, forth and back", () => {
  it.each(CONVOLUTIONS)(
    "picture %j, filters %i, kernel %j, strides %j, padding %j",
    async (picture, filters, kernel, strides, pad) => {
      const size = Array.isArray(kernel) ? kernel : [kernel, kernel];
      const convolve = (x: Tensor, w: Tensor): Tensor4D =>
        tf.conv2d(x as Tensor4D, w as Tensor4D, strides, pad, "NHWC", 1);
      const { wasm, cpu } = await onBoth((make) => {
        const x = make([3, ...picture], 1);
        const w = make([...size, picture[2]!, filters], 2);
        const y = convolve(x, w);
        return [y, ...tf.grads(convolve)([x, w], make(y.shape, 3))];
      });
      // Sums of up to 1,104 float32 products in another order: those of the kernel's gradient are over all pixels.
      for (const [i, tolerance] of [1e-5, 1e-5, 1e-4].entries())
        expect(wasm[i]!).toBeAllClose(cpu[i]!, { rtol: 1e-5, atol: tolerance });
    },
  );

  it("keeps no tensor", () => {
    const held = () => [tf.memory().numTensors, tf.engine().backend.numDataIds()];
    const before = held();
    tf.tidy(() => {
      const [x, w] = [tf.ones([2, 6, 6, 3]), tf.ones([3, 3, 3, 4])] as [Tensor4D, Tensor4D];
      const pooled = (a: Tensor, b: Tensor): Tensor4D =>
        tf.maxPool(tf.conv2d(a as Tensor4D, b as Tensor4D, 1, "same"), 2, 2, "valid");
      tf.grads(pooled)([x, w], pooled(x, w));
    });
    expect(held()).toEqual(before);
  });

  it("refuses the gradient of dilated pictures, by the kernel's name", () => {
    const [x, w] = [tf.ones([1, 6, 6, 1]), tf.ones([3, 3, 1, 1])] as [Tensor4D, Tensor4D];
    const attributes = { strides: 1, pad: "same", dilations: 2, filterShape: [3, 3, 1, 1] };
    const run = () => tf.engine().runKernel("Conv2DBackpropFilter", { x, dy: x }, attributes);
    expect(run).toThrow(/Conv2DBackpropFilter/);
    tf.dispose([x, w]);
  });
});

/** Picture, window, strides, padding. */
const POOLS: [number[], Size, Size, Pad][] = [
  [[8, 8, 3], 2, 2, "valid"],
  [[7, 9, 6], 3, 2, "same"],
  [[6, 6, 4], 3, 1, "same"],
  [
    [9, 9, 5],
    3,
    2,
    [
      [0, 0],
      [1, 1],
      [1, 1],
      [0, 0],
    ],
  ],
  [[6, 4, 9], [1, 2], [1, 2], "valid"],
];

describe("maxPool's gradient on wasm is the cpu backend's, also where a window has its largest value twice", () => {
  it.each(POOLS)(
    "picture %j, window %j, strides %j, padding %j",
    async (picture, size, strides, pad) => {
      const pool = (x: Tensor): Tensor4D => tf.maxPool(x as Tensor4D, size, strides, pad);
      const { wasm, cpu } = await onBoth((make) => {
        const x: Tensor4D = tf.round(make([2, ...picture], 1)); // whole numbers: many are equal
        const y = pool(x);
        return [y, tf.grad(pool)(x, make(y.shape, 2))];
      });
      expect(wasm[0]!).toBeAllClose(cpu[0]!, { rtol: 0, atol: 0 }); // 0 and -0 are equal
      expect(wasm[1]!).toBeAllClose(cpu[1]!, { rtol: 1e-6, atol: 1e-6 }); // up to 9 gradients in another order
    },
  );
});
