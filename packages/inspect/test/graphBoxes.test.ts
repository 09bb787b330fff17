import fc from "fast-check";
import { describe, expect, test } from "vitest";
import { linesOfSummary } from "../src/boxText.ts";
import { type BoxGraph, graphBoxes } from "../src/graphBoxes.ts";
import type { LayerFacts } from "../src/modelReport.ts";

function layer(
  name: string,
  inputs: readonly string[] = [],
  kind = "Op",
  parameters = 0,
): LayerFacts {
  return { name, kind, inputs, shape: null, parameters, settings: {} };
}

/** Names of the layers of each box, joined: "a b". */
function names({ boxes }: BoxGraph): string[] {
  return boxes.map(({ layers }) => layers.map(({ name }) => name).join(" "));
}

describe("layers in a row are one box", () => {
  test("beside a shortcut, which stays an edge of its own", () => {
    const graph = graphBoxes([
      layer("x", [], "input"),
      layer("stem", ["x"]),
      layer("a", ["stem"]),
      layer("b", ["a"]),
      layer("add", ["b", "stem"]),
      layer("relu", ["add"]),
    ]);
    expect(names(graph)).toEqual(["x", "stem", "a b", "add relu"]);
    expect(graph.edges).toEqual([
      [0, 1],
      [1, 2],
      [2, 3],
      [1, 3],
    ]);
    expect(graph.isSummary).toBe(false);
  });

  test("though a network's input, such as a mask, comes in beside", () => {
    const graph = graphBoxes([
      layer("mask", [], "input"),
      layer("x", [], "input"),
      layer("a", ["x"]),
      layer("masked", ["a", "mask"]),
      layer("b", ["masked", "mask"]),
    ]);
    expect(names(graph).toSorted()).toEqual(["a masked b", "mask", "x"]);
    expect(graph.edges.map(([from, to]) => [names(graph)[from], names(graph)[to]])).toEqual([
      ["x", "a masked b"],
      ["mask", "a masked b"],
    ]);
  });

  test("but outputs stand alone", () => {
    expect(names(graphBoxes([layer("a"), layer("b", ["a"]), layer("y", ["b"], "output")]))).toEqual(
      ["a b", "y"],
    );
  });
});

/** `count` residual blocks of 3 layers and a shortcut, the parameters of each by its number. */
function residual(count: number, parameters: (block: number) => number): LayerFacts[] {
  const blocks = Array.from({ length: count }, (_, block) => [
    layer(`conv${block}`, [block === 0 ? "x" : `add${block - 1}`], "Conv", parameters(block)),
    layer(`relu${block}`, [`conv${block}`], "Relu"),
    layer(`add${block}`, [`relu${block}`, block === 0 ? "x" : `add${block - 1}`], "Add"),
  ]);
  return [layer("x", [], "Stem"), ...blocks.flat()];
}

describe("a large network", () => {
  test("of 35 residual blocks has a box for each", () => {
    const graph = graphBoxes(residual(35, (block) => block));
    expect(graph.isSummary).toBe(true);
    expect(names(graph).slice(0, 3)).toEqual(["x", "conv0 relu0 add0", "conv1 relu1 add1"]);
    expect(graph.boxes).toHaveLength(36);
    expect(graph.edges).toEqual(Array.from({ length: 35 }, (_, place) => [place, place + 1]));
  });

  test("of more that are alike says how many times", () => {
    const graph = graphBoxes(residual(90, (block) => (block < 50 ? 7 : 8)));
    expect(names(graph)).toEqual(["x", "conv0 relu0 add0", "conv50 relu50 add50"]);
    expect(graph.boxes.map(({ times }) => times)).toEqual([1, 50, 40]);
    expect(graph.boxes.slice(1).map((box) => linesOfSummary(box).map(({ text }) => text))).toEqual([
      ["50 × (Conv → Relu → Add)", "conv0 … add0", "7 parameters each"],
      ["40 × (Conv → Relu → Add)", "conv50 … add50", "8 parameters each"],
    ]);
  });

  test("whose blocks alternate is a pattern, so many times", () => {
    const graph = graphBoxes(residual(100, (block) => block % 2));
    expect(graph.boxes.map(({ layers, times }) => [layers.length, times])).toEqual([
      [1, 1],
      [6, 50],
    ]);
  });

  test("that is small but takes everything everywhere is cut too: its edges could not be told apart", () => {
    const layers = Array.from({ length: 60 }, (_, place) =>
      layer(
        String(place),
        Array.from({ length: place }, (__, before) => String(before)),
        "Op",
        place,
      ),
    );
    const graph = graphBoxes(layers);
    expect(graph.isSummary).toBe(true);
    expect(graph.boxes.length).toBeLessThan(20);
  });

  test("without any such structure is cut into runs", () => {
    const wide = Array.from({ length: 500 }, (_, branch) =>
      layer(`b${branch}`, ["x"], "Op", branch),
    );
    const graph = graphBoxes([layer("x", [], "input"), ...wide]);
    expect(graph.boxes.length).toBeLessThanOrEqual(40);
    expect(graph.boxes.flatMap(({ layers }) => layers)).toHaveLength(501);
  });
});

test("every layer is in one box, and every edge goes on, whatever the graph", () => {
  const network = fc
    .array(fc.array(fc.nat(300), { maxLength: 3 }), { minLength: 1, maxLength: 300 })
    .map((inputs) =>
      inputs.map((from, place) =>
        layer(
          String(place),
          from
            .map((before) => String(before % (place + 1)))
            .filter((name) => name !== String(place)),
          place % 7 === 0 ? "input" : "Op",
          place,
        ),
      ),
    );
  fc.assert(
    fc.property(network, (layers) => {
      const { boxes, edges } = graphBoxes(layers);
      const drawn = boxes.flatMap((box) => box.layers.map(({ name }) => name));
      expect(drawn.toSorted()).toEqual(layers.map(({ name }) => name).toSorted());
      expect(edges.every(([from, to]) => from < to && to < boxes.length)).toBe(true);
      const boxOf = new Map(boxes.flatMap((box, at) => box.layers.map(({ name }) => [name, at])));
      const pairs = new Set(edges.map(([from, to]) => `${from},${to}`));
      for (const { name, inputs } of layers)
        for (const input of inputs) {
          const [from, to] = [boxOf.get(input), boxOf.get(name)];
          expect(from === to || pairs.has(`${from},${to}`)).toBe(true);
        }
    }),
    { numRuns: 100, seed: 3 },
  );
});

test("a circle, which a broken file may have, ends", () => {
  const { boxes } = graphBoxes([layer("a", ["b"]), layer("b", ["a"]), layer("c", ["b"])]);
  expect(boxes.flatMap(({ layers }) => layers)).toHaveLength(3);
});
