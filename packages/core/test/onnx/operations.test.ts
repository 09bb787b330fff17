import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import {
  type Graph,
  type GraphBuilder,
  type Layer,
  type OperationName,
  VALID,
  type Window,
  createGraphBuilder,
  padAll,
  padSame,
} from "@emotion-service/core/model/graph";
import { exportGraph } from "@emotion-service/core/onnx/exportGraph";
import { WRITE } from "@emotion-service/core/onnx/operations";
import { readOnnxInfo } from "@emotion-service/core/onnx/readInfo";
import fc from "fast-check";
import { beforeAll, describe, expect, it } from "vitest";
import {
  FACTS,
  expectSameOutput,
  randomInputs,
  randomWeights,
  runOnOnnx,
  runtime,
} from "./compare.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

/** A network by the name of its last layer. */
function network(build: (net: GraphBuilder) => string): Graph {
  const net = createGraphBuilder();
  return net.build(build(net));
}

const rows = (net: GraphBuilder, name = "x") => net.input(name, [null, 5]);
const sequence = (net: GraphBuilder) => net.input("x", [null, null, 3]);
const picture = (net: GraphBuilder, height = 7, width = 9) =>
  net.input("x", [null, height, width, 3]);
const present = (net: GraphBuilder) => net.input("present", [null, 1]);
const mask = (net: GraphBuilder) => net.input("mask", [null, null]);
const SMALL: Window = { size: [3, 2], strides: [2, 1], padding: VALID };
const PADDED: Window = {
  size: [3, 3],
  strides: [1, 2],
  padding: { top: 1, bottom: 2, left: 0, right: 1 },
};
const SAME: Window = { size: [3, 3], strides: [2, 2], padding: padSame([7, 9], [3, 3], [2, 2]) };

/** A layer of every operation, in each of the layouts that it may stand in. */
const CASES: Readonly<Record<Exclude<OperationName, "input">, Readonly<Record<string, Graph>>>> = {
  dense: {
    rows: network((net) => net.dense("y", rows(net), 4)),
    "a sequence": network((net) => net.dense("y", sequence(net), 4)),
    "of a picture's convolution": network((net) =>
      net.dense("y", net.conv2d("c", picture(net), 4, SMALL), 2),
    ),
  },
  conv2d: {
    "without padding": network((net) => net.conv2d("y", picture(net), 4, SMALL)),
    "uneven padding, bias": network((net) => net.conv2d("y", picture(net), 4, PADDED, true)),
    "same padding": network((net) => net.conv2d("y", picture(net), 4, SAME)),
    "sizes that nobody knows": network((net) =>
      net.conv2d("y", net.input("x", [null, null, null, 3]), 4, PADDED),
    ),
  },
  depthwiseConv2d: {
    "same padding": network((net) => net.depthwiseConv2d("y", picture(net), SAME)),
    "uneven padding": network((net) => net.depthwiseConv2d("y", picture(net), PADDED)),
  },
  maxPool2d: {
    "without padding": network((net) => net.maxPool2d("y", picture(net), SMALL)),
    "padding, which never wins": network((net) =>
      net.maxPool2d("y", net.relu("r", picture(net)), { ...SMALL, padding: padAll(1) }),
    ),
  },
  globalAveragePool2d: {
    "a picture": network((net) => net.globalAveragePool2d("y", picture(net))),
  },
  batchNorm: {
    alone: network((net) => net.batchNorm("y", rows(net))),
    "on a sequence": network((net) => net.batchNorm("y", sequence(net))),
    "on a pool": network((net) => net.batchNorm("y", net.maxPool2d("p", picture(net), SMALL))),
    "in a dense layer's weights": network((net) =>
      net.batchNorm("y", net.dense("d", rows(net), 4), present(net)),
    ),
    "in a convolution's weights": network((net) =>
      net.batchNorm("y", net.conv2d("c", picture(net), 4, SAME, true)),
    ),
    "in a depthwise convolution's weights": network((net) =>
      net.batchNorm("y", net.depthwiseConv2d("c", picture(net), SAME)),
    ),
    "not in those of a layer that another one takes too": network((net) => {
      const dense = net.dense("d", rows(net), 4);
      return net.add("y", [net.batchNorm("n", dense), dense]);
    }),
  },
  layerNorm: {
    rows: network((net) => net.layerNorm("y", rows(net))),
    "a sequence": network((net) => net.layerNorm("y", sequence(net))),
    "of a picture's convolution": network((net) =>
      net.layerNorm("y", net.conv2d("c", picture(net), 4, SMALL)),
    ),
  },
  relu: { rows: network((net) => net.relu("y", rows(net))) },
  leakyRelu: { rows: network((net) => net.leakyRelu("y", rows(net), 0.2)) },
  softmax: {
    rows: network((net) => net.softmax("y", rows(net))),
    "the channels of a picture": network((net) =>
      net.softmax("y", net.conv2d("c", picture(net), 4, SMALL)),
    ),
  },
  dropout: { rows: network((net) => net.dropout("y", net.relu("r", rows(net)), 0.5)) },
  add: {
    "three rows": network((net) => net.add("y", [rows(net, "a"), rows(net, "b"), rows(net, "c")])),
    "a picture and its convolution": network((net) => {
      const x = picture(net);
      return net.add("y", [x, net.conv2d("c", x, 3, { ...SMALL, size: [1, 1], strides: [1, 1] })]);
    }),
  },
  concat: {
    rows: network((net) => net.concat("y", [rows(net, "a"), rows(net, "b")])),
    "a convolution and its picture": network((net) => {
      const x = picture(net);
      return net.concat("y", [
        net.conv2d("c", x, 2, { ...SMALL, size: [1, 1], strides: [1, 1] }),
        x,
      ]);
    }),
  },
  standardise: {
    rows: network((net) => net.standardise("y", rows(net))),
    "rows that may be missing": network((net) => net.standardise("y", rows(net), present(net))),
    "a picture of bytes": network((net) =>
      net.standardise("y", net.input("x", [null, 4, 5, 3], "uint8")),
    ),
    "in planes": network((net) => net.standardise("y", net.maxPool2d("p", picture(net), SMALL))),
  },
  fillMissing: { rows: network((net) => net.fillMissing("y", rows(net), present(net))) },
  reshape: {
    "a known size": network((net) => net.reshape("y", picture(net), [null, 63, 3])),
    "a picture's convolution, flat": network((net) =>
      net.reshape("y", net.conv2d("c", picture(net), 4, SAME), [null, 80]),
    ),
    "a sequence as a picture": network((net) =>
      net.reshape("y", sequence(net), [null, null, 3, 1]),
    ),
  },
  maskTime: {
    "every frame": network((net) => net.maskTime("y", sequence(net), mask(net), 1)),
    "every other frame of a picture": network((net) => {
      const x = net.reshape("p", sequence(net), [null, null, 3, 1]);
      const halved: Window = { size: [2, 1], strides: [2, 1], padding: VALID };
      return net.maskTime("y", net.maxPool2d("m", x, halved), mask(net), 2);
    }),
    "as many frames as are known": network((net) =>
      net.maskTime("y", net.input("x", [null, 4, 3]), net.input("mask", [null, 8]), 2),
    ),
  },
  meanTime: {
    "every frame": network((net) => net.meanTime("y", sequence(net), mask(net), 1)),
  },
};

const FRAMES = 9; // odd, so that a frame is left over when they are halved
const WIDTH = 6;

describe.skipIf(!runtime.ok)("ONNX Runtime gives what TensorFlow.js gives", () => {
  describe.each(Object.entries(CASES))("%s", (_operation, graphs) => {
    it.each(Object.entries(graphs))("%s", async (_name, graph) => {
      for (const batch of [1, 2, 7]) await expectSameOutput(tf, graph, [batch, FRAMES, WIDTH]);
    });
  });

  it("a mean over no time at all is zero, not NaN", async () => {
    const graph = CASES.meanTime["every frame"]!;
    const inputs = {
      x: { data: new Float32Array(12).fill(3), dims: [2, 2, 3] },
      mask: { data: Float32Array.of(0, 0, 1, 0), dims: [2, 2] },
    };
    const { data } = await runOnOnnx(graph, randomWeights(graph), inputs);
    expect(Array.from(data)).toEqual([0, 0, 0, 3, 3, 3]);
  });

  it("not even NaN in a missing row reaches the output", async () => {
    const graph = network((net) =>
      net.fillMissing("y", net.standardise("s", rows(net), present(net)), "present"),
    );
    const inputs = randomInputs(graph, [3]);
    const weights = randomWeights(graph);
    const { x, present: there } = inputs;
    const data = (x!.data as Float32Array).map((value, i) =>
      there!.data[Math.floor(i / 5)] ? value : NaN,
    );
    const clean = await runOnOnnx(graph, weights, inputs);
    const spoilt = await runOnOnnx(graph, weights, { ...inputs, x: { ...x!, data } });
    expect(data.some(Number.isNaN)).toBe(true);
    expect(spoilt.data).toEqual(clean.data);
  });

  const side = (most: number) => fc.integer({ min: 0, max: most });
  const window = fc
    .tuple(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 4 }))
    .chain(([height, width]): fc.Arbitrary<Window> =>
      fc.record({
        size: fc.constant([height, width] as const),
        strides: fc.tuple(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 1, max: 3 })),
        padding: fc.record({
          top: side(height - 1),
          bottom: side(height - 1),
          left: side(width - 1),
          right: side(width - 1),
        }),
      }),
    );
  const size = fc.integer({ min: 4, max: 12 });
  it.each([
    ["conv2d", (net: GraphBuilder, x: string, w: Window) => net.conv2d("y", x, 3, w, true)],
    [
      "depthwiseConv2d",
      (net: GraphBuilder, x: string, w: Window) => net.depthwiseConv2d("y", x, w),
    ],
    ["maxPool2d", (net: GraphBuilder, x: string, w: Window) => net.maxPool2d("y", x, w)],
  ] as const)("%s of any size, strides and padding", async (_name, add) => {
    await fc.assert(
      fc.asyncProperty(
        window,
        size,
        size,
        fc.integer({ min: 1, max: 3 }),
        async (w, height, width, channels) => {
          const graph = network((net) =>
            add(net, net.input("x", [null, height, width, channels]), w),
          );
          await expectSameOutput(tf, graph, [2]);
        },
      ),
      { numRuns: 40, seed: 1 },
    );
  });
});

describe("an operation that the exporter does not know", () => {
  const withOperation = (op: string): Graph => {
    const graph = network((net) => net.relu("strange_layer", rows(net)));
    const layers = graph.layers.map((layer) =>
      layer.name === "strange_layer" ? ({ ...layer, op } as unknown as Layer) : layer,
    );
    return { ...graph, layers };
  };

  it.each(["lstm", "toString", "input2d"])("%s is refused by its name and its layer's", (op) => {
    const graph = withOperation(op);
    const options = { ...FACTS, outputs: [{ name: "out", layer: graph.output }] };
    expect(() => exportGraph(graph, new Map(), options)).toThrow(
      expect.objectContaining({
        code: "E_LAYOUT",
        message: `the layer 'strange_layer': the operation '${op}' cannot be written as ONNX`,
      }),
    );
  });

  it("there is none among those that the builder makes", () => {
    expect(Object.keys(CASES).sort()).toEqual(Object.keys(WRITE).sort());
  });
});

it("what no output needs is left out, inputs too", () => {
  const graph = network((net) => {
    const a = net.relu("a_relu", rows(net, "a"));
    return net.concat("y", [a, net.dense("b_dense", rows(net, "b"), 4)]);
  });
  const options = { ...FACTS, outputs: [{ name: "embeddings", layer: "a_relu" }] };
  const info = readOnnxInfo(exportGraph(graph, new Map(), options), "a.onnx");
  expect(info.inputs.map(({ name }) => name)).toEqual(["a"]);
  expect(info.outputs).toEqual([{ name: "embeddings", type: "float32", dims: ["batch", 5] }]);
});
