import type { Tensor4D } from "@tensorflow/tfjs";
import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import {
  type Padding,
  type Pair,
  VALID,
  createGraphBuilder,
  initialWeights,
  padAll,
  padSame,
  sizeOf,
  weightSlots,
} from "@emotion-service/core/model/graph";
import { createNetwork } from "@emotion-service/core/model/network";
import { createRandom } from "@emotion-service/core/random";
import { beforeAll, describe, expect, it } from "vitest";
import { hashedValues } from "./reference.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

const ASKEW: Padding = { top: 1, bottom: 0, left: 2, right: 1 };

describe("a window", () => {
  /** Picture, window, strides, padding; the last: windows that fit, counted by hand. */
  const cases: [string, Pair, Pair, Pair, Padding, Pair][] = [
    ["no padding: 7 columns hold 5 threes", [5, 7], [3, 3], [1, 1], VALID, [3, 5]],
    ["what is left over at the end is not seen", [6, 8], [2, 3], [2, 2], VALID, [3, 3]],
    ["a pixel around keeps the size of a three", [5, 7], [3, 3], [1, 1], padAll(1), [5, 7]],
    ["half the size, as ResNet's first", [224, 160], [7, 7], [2, 2], padAll(3), [112, 80]],
    ["other padding on each side", [5, 6], [3, 4], [1, 2], ASKEW, [4, 3]],
    ["one window that just fits", [4, 4], [4, 4], [3, 3], VALID, [1, 1]],
  ];

  it.each(cases)("%s", (_name, [height, width], size, strides, padding, [rows, columns]) => {
    const net = createGraphBuilder();
    const window = { size, strides, padding };
    const x = net.input("x", [null, height, width, 2]);
    expect(net.shapeOf(net.conv2d("conv", x, 3, window))).toEqual([null, rows, columns, 3]);
    expect(net.shapeOf(net.depthwiseConv2d("each", x, window))).toEqual([null, rows, columns, 2]);
    expect(net.shapeOf(net.maxPool2d("pool", x, window))).toEqual([null, rows, columns, 2]);
  });

  it.each(cases)("is of that shape when it runs: %s", (_name, picture, size, strides, padding) => {
    for (const kind of ["conv2d", "depthwiseConv2d", "maxPool2d"] as const) {
      const net = createGraphBuilder();
      const window = { size, strides, padding };
      const x = net.input("x", [null, ...picture, 2]);
      const y = kind === "conv2d" ? net.conv2d("y", x, 3, window, true) : net[kind]("y", x, window);
      const graph = net.build(y);
      const network = createNetwork(tf, graph, initialWeights(graph, createRandom(1)));
      const shape = tf.tidy(
        () => network.forward({ x: tf.zeros([2, ...picture, 2]) }, { training: false }).shape,
      );
      network.dispose();
      expect([kind, ...shape]).toEqual([kind, 2, ...net.shapeOf(y).slice(1)]);
    }
  });

  it("over a picture of any height has any number of rows", () => {
    const net = createGraphBuilder();
    const x = net.input("x", [null, null, 9, 1]);
    const y = net.conv2d("y", x, 4, { size: [3, 3], strides: [2, 2], padding: padAll(1) });
    expect(net.shapeOf(y)).toEqual([null, null, 5, 4]);
    expect(net.shapeOf(net.globalAveragePool2d("mean", y))).toEqual([null, 4]);
  });
});

describe("padSame", () => {
  it("puts the odd pixel after the end", () => {
    // The example of TensorFlow's manual: 13 values, a window of 6, steps of 5: one zero before, two after.
    expect(padSame([13, 13], [6, 1], [5, 1])).toEqual({ top: 1, bottom: 2, left: 0, right: 0 });
  });

  it("needs nothing where the windows end with the picture, or leave gaps", () => {
    expect(padSame([8, 9], [2, 1], [2, 3])).toEqual(VALID);
  });

  const cases: [Pair, Pair, Pair][] = [
    [
      [7, 8],
      [3, 3],
      [1, 1],
    ],
    [
      [7, 8],
      [3, 3],
      [2, 2],
    ],
    [
      [8, 7],
      [2, 5],
      [1, 2],
    ],
    [
      [13, 5],
      [6, 4],
      [5, 3],
    ],
    [
      [3, 3],
      [5, 5],
      [2, 1],
    ],
  ];
  it.each(cases)("is TensorFlow's 'same': %j, window %j, strides %j", (picture, size, strides) => {
    const { top, bottom, left, right } = padSame(picture, size, strides);
    const x: Tensor4D = tf.tensor4d(hashedValues(1, sizeOf(picture), -1, 1), [1, ...picture, 1]);
    const kernel: Tensor4D = tf.tensor4d(hashedValues(2, sizeOf(size), -1, 1), [...size, 1, 1]);
    const same = tf.conv2d(x, kernel, [...strides], "same");
    const padded = tf.pad(x, [
      [0, 0],
      [top, bottom],
      [left, right],
      [0, 0],
    ]);
    const ours = tf.conv2d(padded, kernel, [...strides], "valid");
    expect(ours.shape).toEqual(same.shape);
    expect(ours.dataSync()).toBeAllClose(same.dataSync(), { rtol: 1e-5, atol: 1e-6 });
    tf.dispose([x, kernel, same, padded, ours]);
  });
});

describe("the builder refuses", () => {
  const started = () => {
    const net = createGraphBuilder();
    net.input("x", [null, 4]);
    return net;
  };

  it("two layers of one name", () => {
    const net = started();
    net.dense("y", "x", 3);
    expect(() => net.relu("y", "x")).toThrow("two layers are named 'y'");
    expect(() => net.input("x", [null, 4])).toThrow("two layers are named 'x'");
    // The first stays as it was.
    expect(net.shapeOf("y")).toEqual([null, 3]);
  });

  it("an input or an output that does not come before", () => {
    expect(() => started().relu("y", "z")).toThrow("no layer 'z' comes before");
    expect(() => started().build("z")).toThrow("no layer 'z' comes before");
  });

  it("weights for a size that nobody knows", () => {
    const net = started();
    net.input("any", [null, null]);
    expect(() => net.dense("y", "any", 3)).toThrow("'any' has no known last axis");
  });
});

describe("weights", () => {
  const net = createGraphBuilder();
  const window = { size: [3, 2], strides: [1, 1], padding: VALID } as const;
  const x = net.conv2d("conv", net.input("x", [null, 8, 8, 4]), 5, window, true);
  const y = net.batchNorm("norm", net.depthwiseConv2d("each", x, window));
  const graph = net.build(net.dense("dense", net.globalAveragePool2d("mean", y), 7));

  it("are listed in the order of the layers, with their shapes", () => {
    expect(weightSlots(graph).map(({ name, shape }) => [name, ...shape])).toEqual([
      ["conv.kernel", 3, 2, 4, 5],
      ["conv.bias", 5],
      ["each.kernel", 3, 2, 5, 1],
      ["norm.gamma", 5],
      ["norm.beta", 5],
      ["norm.running_mean", 5],
      ["norm.running_variance", 5],
      ["dense.kernel", 5, 7],
      ["dense.bias", 7],
    ]);
    const still = weightSlots(graph).filter(({ trainable }) => !trainable);
    expect(still.map(({ name }) => name)).toEqual(["norm.running_mean", "norm.running_variance"]);
  });

  it.each([
    ["conv.kernel", 3 * 2 * 4],
    ["conv.bias", 3 * 2 * 4],
    ["each.kernel", 3 * 2],
    ["dense.kernel", 5],
  ])("%s starts within ±1/√%i, the values that one output sees", (name, seen) => {
    const slot = weightSlots(graph).find((one) => one.name === name)!;
    expect([slot.low, slot.high]).toEqual([-1 / Math.sqrt(seen), 1 / Math.sqrt(seen)]);
    const { shape, data } = initialWeights(graph, createRandom(1)).get(name)!;
    expect(data).toHaveLength(sizeOf(shape));
    expect(data.every((value) => Math.abs(value) <= slot.high)).toBe(true);
    expect(new Set(data).size).toBe(data.length);
  });

  it("of norms start as the identity", () => {
    const weights = initialWeights(graph, createRandom(1));
    const values = ["gamma", "beta", "running_mean", "running_variance"].map((name) => [
      ...new Set(weights.get(`norm.${name}`)!.data),
    ]);
    expect(values).toEqual([[1], [0], [0], [1]]);
  });
});
