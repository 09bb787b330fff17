import { existsSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join, resolve } from "node:path";
import { fusionGraph } from "@emotion-service/core/model/fusion";
import { createRandom } from "@emotion-service/core/random";
import { initialWeights } from "@emotion-service/core/model/graph";
import { checkpointShape, writeCheckpoint } from "@emotion-service/core/model/checkpoint";
import { pngOfSvg } from "@emotion-service/core/plot/render";
import sharp from "sharp";
import { describe, expect, test } from "vitest";
import { namesIn, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/modelCli.ts";
import { textWidth } from "../src/textWidth.ts";

const FIXTURES = resolve(import.meta.dirname, "fixtures");

function inspect(cwd: string, ...argv: string[]) {
  return runInProcess(createProgram, argv, { cwd });
}

const encoder = (dim: number) => ({
  model: "face",
  weightsSha256: "none",
  featureConfig: "{}",
  dim,
});

/** A folder with a fusion model of both modalities. */
function fusionFolder(): string {
  const folder = temporaryFolder();
  const facts = {
    classes: ["angry", "sad"],
    encoders: { image: encoder(3), audio: encoder(5) },
  };
  writeCheckpoint(join(folder, "model"), {
    ...facts,
    weights: initialWeights(fusionGraph(checkpointShape(facts)), createRandom(1)),
    matchBy: "label",
    epoch: 1,
    settings: {},
    metrics: {},
  });
  return folder;
}

interface Rectangle {
  readonly x: number;
  readonly y: number;
  readonly width: number;
  readonly height: number;
}

/** Boxes of a picture by the names of their layers. */
function boxesOf(svg: string): Map<string, Rectangle> {
  const pattern =
    /<g transform="translate\(([-\d.]+) ([-\d.]+)\)">\n<title>([^<]*)<\/title>[^]*?<rect width="([\d.]+)" height="([\d.]+)" rx/g;
  return new Map(
    [...svg.matchAll(pattern)].map(([, x, y, name = "", width, height]) => [
      name,
      { x: Number(x), y: Number(y), width: Number(width), height: Number(height) },
    ]),
  );
}

describe("the picture of a fusion model", () => {
  test("has two encoders beside each other, the image's left, joined below", async () => {
    const folder = fusionFolder();
    const { exitCode, stdout } = await inspect(folder, "model", "--plot", "graph.svg");
    expect(exitCode).toBe(0);
    expect(stdout.endsWith("\ngraph drawn: graph.svg\n")).toBe(true);
    const boxes = boxesOf(readFileSync(join(folder, "graph.svg"), "utf8"));
    const find = (start: string): Rectangle => {
      const found = [...boxes].find(([name]) => name.split("\n").includes(start))?.[1];
      if (found === undefined) throw new Error(`no box ${start} in ${[...boxes.keys()].join()}`);
      return found;
    };
    const [image, audio, joined] = [
      find("image_encoder"),
      find("audio_encoder"),
      find("fusion_input"),
    ];
    expect(image.x + image.width).toBeLessThan(audio.x);
    expect(image.y).toBe(audio.y);
    expect(joined.y).toBeGreaterThan(image.y + image.height);
    expect(boxes.size).toBe(4 + 3);
  });

  test("no two boxes lie on each other, and each lies in the picture", async () => {
    const folder = fusionFolder();
    await inspect(folder, "model/model.onnx", "--plot", "graph.svg");
    const svg = readFileSync(join(folder, "graph.svg"), "utf8");
    const boxes = [...boxesOf(svg).values()];
    expect(boxes.length).toBeGreaterThan(10);
    const [, width, height] = /width="(\d+)" height="(\d+)"/.exec(svg) ?? [];
    for (const [index, a] of boxes.entries()) {
      expect(a.x).toBeGreaterThanOrEqual(0);
      expect(a.x + a.width).toBeLessThan(Number(width));
      expect(a.y + a.height).toBeLessThan(Number(height));
      for (const b of boxes.slice(index + 1)) {
        const isApart =
          a.x + a.width < b.x ||
          b.x + b.width < a.x ||
          a.y + a.height < b.y ||
          b.y + b.height < a.y;
        expect(isApart).toBe(true);
      }
    }
  });

  test("says of each layer its kind, name, shape and parameters, and where a second input goes", async () => {
    const folder = fusionFolder();
    await inspect(folder, "model", "--plot", "graph.svg");
    const svg = readFileSync(join(folder, "graph.svg"), "utf8");
    const texts = [...svg.matchAll(/<text [^>]*>([^<]*)</g)].map(([, text]) => text);
    for (const text of [
      "batchNorm",
      "image_encoder.norm ← image_present",
      "[batch, 512]",
      "131,328",
    ])
      expect(texts).toContain(text);
  });

  test("is the same in every run, and a .png has two pixels a unit", async () => {
    const folder = fusionFolder();
    for (const name of ["a.svg", "b.svg", "a.png", "b.PNG"])
      expect((await inspect(folder, "model", "--plot", name)).exitCode).toBe(0);
    const bytes = (name: string): Buffer => readFileSync(join(folder, name));
    expect(bytes("a.svg").equals(bytes("b.svg"))).toBe(true);
    expect(bytes("a.png").equals(bytes("b.PNG"))).toBe(true);
    const { width } = await sharp(bytes("a.png")).metadata();
    expect(width).toBe(2 * Number(/width="(\d+)"/.exec(bytes("a.svg").toString())?.[1]));
  });

  test("--json names it", async () => {
    const folder = fusionFolder();
    const { stdout } = await inspect(folder, "model", "--json", "--plot", "graph.svg");
    expect(JSON.parse(stdout)).toMatchObject({ kind: "fusion", plot: "graph.svg" });
  });
});

test("names that XML could not hold", async () => {
  const folder = temporaryFolder();
  const config = { name: "<a&\u0001\uD800b>", units: 1, batch_input_shape: [null, 1] };
  const layers = [{ class_name: "Dense", config }];
  const modelTopology = { class_name: "Sequential", config: { name: "s", layers } };
  writeFileSync(join(folder, "model.json"), JSON.stringify({ modelTopology }));
  const { exitCode, stdout } = await inspect(folder, ".", "--plot", "g.png");
  expect(exitCode).toBe(0);
  expect(stdout).not.toContain("\u0001");
  await inspect(folder, ".", "--plot", "g.svg");
  expect(readFileSync(join(folder, "g.svg"), "utf8")).toContain(">&lt;a&amp;��b&gt;<");
});

describe("what cannot be drawn", () => {
  test.each([
    [
      "an ending that is no picture's",
      ["x.onnx", "--plot", "g.pdf"],
      2,
      "must be the name of an .svg or .png file, got 'g.pdf'",
    ],
    ["a state dict", ["nowhere.pth", "--plot", "g.png"], 2, "a state dict holds tensors by name"],
    [
      "a forest",
      ["forest.json", "--plot", "g.png"],
      1,
      "must hold a graph for --plot, is isolation forest",
    ],
    ["a missing file", ["x.onnx", "--plot", "g.png"], 1, "<path> x.onnx: no such file"],
    ["its own file", ["forest.svg", "--plot", "forest.svg"], 2, "would replace an input"],
    ["below a file", ["forest.json", "--plot", "forest.json/g.png"], 1, "cannot be written"],
  ])("%s", async (_, argv, status, message) => {
    const folder = temporaryFolder();
    const content = JSON.stringify({ trees: [{ left: [-1], right: [-1] }] });
    for (const name of ["forest.json", "forest.svg"]) writeFileSync(join(folder, name), content);
    const { exitCode, stdout, stderr } = await inspect(folder, ...argv);
    expect({ exitCode, stdout }).toEqual({ exitCode: status, stdout: "" });
    expect(stderr).toContain(message);
    expect(namesIn(folder)).toEqual(["forest.json", "forest.svg"]);
  });

  test("leaves the picture that was there", async () => {
    const folder = temporaryFolder();
    mkdirSync(join(folder, "model"));
    writeFileSync(join(folder, "g.svg"), "before");
    expect((await inspect(folder, "model", "--plot", "g.svg")).exitCode).toBe(1);
    expect(readFileSync(join(folder, "g.svg"), "utf8")).toBe("before");
    const { exitCode } = await inspect(folder, join(FIXTURES, "trees.onnx"), "--plot", "new/g.svg");
    expect({ exitCode, isThere: existsSync(join(folder, "new/g.svg")) }).toEqual({
      exitCode: 0,
      isThere: true,
    });
  });
});

test("text is as wide as it is drawn: the ink of ten letters is that less the space beside one", async () => {
  for (const weight of ["regular", "bold"] as const)
    for (const letter of "HMi0m_/[,:") {
      const text = letter.repeat(10);
      const bold = weight === "bold" ? ' font-weight="bold"' : "";
      const png = await pngOfSvg(
        `<svg xmlns="http://www.w3.org/2000/svg" width="1300" height="200"><text x="50" y="100" font-size="100"${bold} font-family="DejaVu Sans">${text}</text></svg>`,
        1,
      );
      const { info } = await sharp(png).trim().toBuffer({ resolveWithObject: true });
      const space = textWidth(text, 100, weight) - info.width;
      const one = textWidth(letter, 100, weight);
      expect(space).toBeGreaterThan(-0.1 * one); // an underscore reaches beyond its place
      expect(space).toBeLessThan(0.8 * one);
    }
});
