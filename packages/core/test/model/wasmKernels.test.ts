import type { Tensor } from "@tensorflow/tfjs";
import { type Tf, kernelHost, loadTensorFlow } from "@emotion-service/core/model/backend";
import { registerWasmKernels } from "@emotion-service/core/model/wasmKernels";
import { createRandom, normal } from "@emotion-service/core/random";
import { afterEach, beforeAll, describe, expect, it } from "vitest";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});
afterEach(async () => {
  await tf.setBackend("wasm");
});

const random = createRandom(5);
const numbers = (shape: readonly number[]): Float32Array =>
  Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () => normal(random));

/** Batch axes of a and b, then M × K × N of the product. */
const SHAPES: [a: number[], b: number[], m: number, k: number, n: number][] = [
  [[], [], 1, 1, 1],
  [[], [], 1, 7, 1],
  [[], [], 5, 1, 4],
  [[], [], 3, 4, 5],
  [[], [], 64, 33, 17],
  [[], [], 17, 64, 96],
  [[3], [3], 4, 5, 6],
  [[1], [3], 4, 5, 6],
  [[2, 3], [2, 3], 3, 2, 4],
  [[], [], 6, 1100, 9], // more than is multiplied at a time
];
const TRANSPOSES = [
  [false, false],
  [false, true],
  [true, false],
  [true, true],
] as const;

describe("matMul on wasm is the cpu backend's", () => {
  it.each(
    SHAPES.flatMap((shape) => TRANSPOSES.map((transposed) => [...shape, ...transposed] as const)),
  )("a %j b %j m %i k %i n %i transposed %s %s", async (aBatch, bBatch, m, k, n, ta, tb) => {
    const aShape = [...aBatch, ...(ta ? [k, m] : [m, k])];
    const bShape = [...bBatch, ...(tb ? [n, k] : [k, n])];
    const [a, b] = [numbers(aShape), numbers(bShape)];
    const product = (): { shape: number[]; data: ArrayLike<number> } =>
      tf.tidy(() => {
        const result: Tensor = tf.matMul(tf.tensor(a, aShape), tf.tensor(b, bShape), ta, tb);
        return { shape: result.shape, data: result.dataSync() };
      });
    const wasm = product();
    await tf.setBackend("cpu");
    const cpu = product();
    expect(wasm.shape).toEqual(cpu.shape);
    // sums of up to 1,100 float32 products in another order
    expect(wasm.data).toBeAllClose(cpu.data, { rtol: 1e-5, atol: k > 64 ? 1e-4 : 1e-5 });
  });
});

describe("sum on wasm is the cpu backend's", () => {
  it.each<[shape: number[], axes: number[], keepDims: boolean]>([
    [[5, 3], [0], false],
    [[5, 3], [0], true],
    [[2, 3, 4, 5], [0, 1, 2], false],
    [[2, 3, 4, 5], [2, 0, 1], true],
    [[2, 3, 4, 5], [0], false],
    [[700, 6], [0], false],
    [[5, 3], [1], false], // not of the leading axes: the backend's own
    [[5, 3], [0, 1], false],
    [[4], [0], false],
  ])("%j over %j, keepDims %s", async (shape, axes, keepDims) => {
    const values = numbers(shape);
    const sum = (): { shape: number[]; data: ArrayLike<number> } =>
      tf.tidy(() => {
        const result = tf.sum(tf.tensor(values, shape), axes, keepDims);
        return { shape: result.shape, data: result.dataSync() };
      });
    const wasm = sum();
    await tf.setBackend("cpu");
    const cpu = sum();
    expect(wasm.shape).toEqual(cpu.shape);
    // sums of up to 700 float32 values in another order
    expect(wasm.data).toBeAllClose(cpu.data, { rtol: 1e-5, atol: 1e-5 });
  });
});

it("a product of no columns and no rows is zeros", () => {
  const product = tf.matMul(tf.zeros([2, 0]), tf.zeros([0, 3]));
  expect(product.arraySync()).toEqual([
    [0, 0, 0],
    [0, 0, 0],
  ]);
  product.dispose();
});

it("refuses whole numbers, as the backend's own matMul does", () => {
  const a = tf.tensor2d([1, 2, 3, 4], [2, 2], "int32");
  expect(() => tf.matMul(a, a)).toThrow(/float32/);
  a.dispose();
});

it("leaves nothing in the backend's memory", () => {
  const held = (): number => tf.engine().backend.numDataIds();
  const before = held();
  tf.tidy(() => {
    const a = tf.tensor(numbers([4, 6]), [4, 6]);
    for (const [ta, tb] of TRANSPOSES)
      tf.matMul(a, tf.tensor(numbers(ta ? [4, 4] : [6, 6]), ta ? [4, 4] : [6, 6]), ta, tb);
  });
  expect(held()).toBe(before);
});

it("registers once, however often it is asked to", () => {
  const kernel = tf.getKernel("BatchMatMul", "wasm");
  registerWasmKernels(tf, kernelHost(tf)!);
  expect(tf.getKernel("BatchMatMul", "wasm")).toBe(kernel);
});
