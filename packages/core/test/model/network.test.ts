import { type Tf, loadTensorFlow } from "@emotion-service/core/model/backend";
import { createGraphBuilder, initialWeights } from "@emotion-service/core/model/graph";
import { createNetwork } from "@emotion-service/core/model/network";
import { createRandom } from "@emotion-service/core/random";
import { beforeAll, expect, it } from "vitest";
import { bytesOf } from "./planted.ts";

let tf: Tf;
beforeAll(async () => {
  ({ tf } = await loadTensorFlow("wasm"));
});

const net = createGraphBuilder();
const graph = net.build(
  net.batchNorm(
    "norm",
    net.dense("dense", net.input("x", [null, 2]), 3),
    net.input("there", [null, 1]),
  ),
);
const weights = () => initialWeights(graph, createRandom(1));

it.each(["dense.bias", "norm.running_variance"])(
  "names the weight that is not there: %s",
  (name) => {
    const all = weights();
    all.delete(name);
    expect(() => createNetwork(tf, graph, all)).toThrow(`the network lacks the weight ${name}`);
  },
);

it("names the input that is not there", () => {
  const network = createNetwork(tf, graph, weights());
  const forward = () =>
    tf.tidy(() => network.forward({ x: tf.zeros([1, 2]) }, { training: false }).dataSync());
  expect(forward).toThrow("the network lacks 'there'");
  network.dispose();
});

it("gives its weights back as they were put in, as copies", () => {
  const network = createNetwork(tf, graph, weights());
  const copy = network.weights();
  expect(bytesOf(copy)).toBe(bytesOf(weights()));
  copy.get("dense.bias")!.data.fill(9);
  expect(bytesOf(network.weights())).toBe(bytesOf(weights()));
  network.dispose();
});

it("lets a gradient move no statistic", () => {
  const network = createNetwork(tf, graph, weights());
  expect([...network.trainable.keys()]).toEqual([
    "dense.kernel",
    "dense.bias",
    "norm.gamma",
    "norm.beta",
  ]);
  for (const [name, { trainable }] of network.variables)
    expect([name, trainable]).toEqual([name, network.trainable.has(name)]);
  network.dispose();
});

it("keeps no tensor beyond its variables, and none once it is disposed of", () => {
  const before = tf.memory().numTensors;
  const network = createNetwork(tf, graph, weights());
  expect(tf.memory().numTensors).toBe(before + 6);
  network.dispose();
  expect(tf.memory().numTensors).toBe(before);
});
