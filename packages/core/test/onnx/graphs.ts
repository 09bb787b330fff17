import {
  type Graph,
  type Window,
  createGraphBuilder,
  padAll,
  padSame,
} from "../../src/model/graph.ts";

const window = (size: number, stride: number, padding = padAll(0)): Window => ({
  size: [size, size],
  strides: [stride, stride],
  padding,
});

/** Bytes of a picture of odd sizes → classes: a stem, a residual block whose shortcut has a kernel, a separable one. */
export function pictureGraph(): Graph {
  const net = createGraphBuilder();
  const norm = (name: string, x: string): string => net.batchNorm(`${name}.norm`, x);
  let x = net.standardise("pixels", net.input("image", [null, 31, 27, 3], "uint8"));
  x = net.relu("stem.relu", norm("stem", net.conv2d("stem", x, 8, window(7, 2, padAll(3))))); // [B, 16, 14, 8]
  x = net.maxPool2d("stem.pool", x, window(3, 2, padAll(1))); // [B, 8, 7, 8]
  let y = norm("block.1", net.conv2d("block.1", x, 12, window(3, 2, padAll(1))));
  y = norm(
    "block.2",
    net.conv2d("block.2", net.relu("block.relu", y), 12, window(3, 1, padAll(1))),
  );
  const shortcut = norm("block.short", net.conv2d("block.short", x, 12, window(1, 2)));
  x = net.relu("block.out", net.add("block.add", [y, shortcut])); // [B, 4, 4, 12]
  x = net.depthwiseConv2d("separable.depth", x, window(3, 1, padSame([4, 4], [3, 3], [1, 1])));
  x = net.leakyRelu(
    "separable.relu",
    net.conv2d("separable.point", x, 16, window(1, 1), true),
    0.1,
  );
  return net.build(net.dense("classes", net.globalAveragePool2d("pool", x), 5));
}

/** Spectrograms of any length and their masks → an embedding: convolutions, masked time, its mean. */
export function soundGraph(): Graph {
  const net = createGraphBuilder();
  const mask = net.input("mask", [null, null]);
  let x = net.standardise("bands", net.input("features", [null, null, 8])); // [B, T, 8]
  x = net.maskTime("inside", x, mask, 1);
  x = net.reshape("picture", x, [null, null, 8, 1]);
  x = net.relu(
    "conv1.relu",
    net.batchNorm("conv1.norm", net.conv2d("conv1", x, 6, window(3, 1, padAll(1)))),
  );
  x = net.maskTime("conv1.mask", net.maxPool2d("conv1.pool", x, window(2, 2)), mask, 2); // [B, T / 2, 4, 6]
  x = net.conv2d("conv2", x, 10, window(3, 1, padAll(1)), true);
  x = net.reshape("frames", net.maxPool2d("conv2.pool", x, window(2, 2)), [null, null, 20]); // [B, T / 4, 2 · 10]
  x = net.dropout(
    "dropout",
    net.layerNorm("norm", net.relu("relu", net.dense("dense", x, 12))),
    0.3,
  );
  return net.build(net.meanTime("embedding", x, mask, 4));
}
