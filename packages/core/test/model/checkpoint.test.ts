import { readFileSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  type Checkpoint,
  checkpointShape,
  readCheckpoint,
  writeCheckpoint,
} from "@emotion-service/core/model/checkpoint";
import { fusionGraph } from "@emotion-service/core/model/fusion";
import { initialWeights } from "@emotion-service/core/model/graph";
import { createRandom } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { encoderToJson } from "../../src/hdf5/encoder.ts";
import { temporaryFolder } from "../../../../test/command.ts";
import { bytesOf } from "./planted.ts";

const ENCODER = {
  model: "face",
  weightsSha256: "ab",
  featureConfig: '{"face_crop":"auto"}',
  dim: 3,
};

function checkpointOf(modalities: readonly ("image" | "audio")[]): Checkpoint {
  const encoders = Object.fromEntries(modalities.map((name) => [name, ENCODER]));
  const classes = ["angry", "happy"];
  const graph = fusionGraph(checkpointShape({ classes, encoders }));
  const weights = initialWeights(graph, createRandom(2));
  for (const name of modalities) {
    weights.set(`${name}.mean`, { shape: [3], data: Float32Array.of(0.1, -2, 1e-7) });
    weights.set(`${name}.deviation`, { shape: [3], data: Float32Array.of(1, 2, 3e5) });
  }
  return {
    classes,
    encoders,
    weights,
    matchBy: "id",
    temperature: 1.5,
    epoch: 4,
    settings: { lr: 1e-3, modalities },
    metrics: { val_uar: 0.5 },
  };
}

/** Writes a checkpoint of a new folder and returns its path. */
function written(checkpoint = checkpointOf(["image", "audio"])): string {
  const folder = join(temporaryFolder(), "model");
  writeCheckpoint(folder, checkpoint);
  return folder;
}

function changeJson(folder: string, change: (json: Record<string, unknown>) => void): void {
  const path = join(folder, "model.json");
  const json = JSON.parse(readFileSync(path, "utf8")) as Record<string, unknown>;
  change(json);
  writeFileSync(path, JSON.stringify(json));
}

it.each([[["image", "audio"]], [["image"]], [["audio"]]] as const)(
  "what is written is what is read, exactly: %j",
  (modalities) => {
    const { weights, ...facts } = checkpointOf(modalities);
    const read = readCheckpoint(written({ weights, ...facts }), "--multimodal");
    expect({ ...read, weights: undefined }).toEqual({ ...facts, weights: undefined });
    expect(bytesOf(read.weights)).toBe(bytesOf(weights));
  },
);

it("the same checkpoint gives the same bytes", () => {
  const [a, b] = [written(), written()];
  for (const name of ["model.json", "weights.bin", "model.onnx"])
    expect(readFileSync(join(a, name)).equals(readFileSync(join(b, name)))).toBe(true);
});

describe("refuses", () => {
  const read = (folder: string) => () => readCheckpoint(folder, "--multimodal");

  it("a folder that is not there", () => {
    const folder = join(temporaryFolder(), "none");
    expect(read(folder)).toThrow(`--multimodal ${folder}: no such model`);
  });

  it("a file in place of a folder", () => {
    const path = join(temporaryFolder(), "model.pth");
    writeFileSync(path, "PK");
    expect(read(path)).toThrow("must be a model folder, is a file");
  });

  it("an empty folder", () => {
    expect(read(temporaryFolder())).toThrow("is not a whole model (ENOENT");
  });

  it.each(["model.json", "weights.bin"])("a model without its %s", (name) => {
    const folder = written();
    rmSync(join(folder, name));
    expect(read(folder)).toThrow(/is not a whole model \(ENOENT/);
  });

  it.each(["", "{", "null", "[]", "7"])("a model.json that holds '%s'", (text) => {
    const folder = written();
    writeFileSync(join(folder, "model.json"), text);
    expect(read(folder)).toThrow(
      expect.objectContaining({ name: "UserError", code: expect.stringMatching(/^E_/) as unknown }),
    );
  });

  it("weights that were cut short", () => {
    const folder = written();
    truncateSync(join(folder, "weights.bin"), 1000);
    expect(read(folder)).toThrow(/is not a whole model \(weights\.bin ends before the weight/);
  });

  it("weights that are no numbers", () => {
    const folder = written();
    const bytes = readFileSync(join(folder, "weights.bin"));
    bytes.writeFloatLE(NaN, 400);
    writeFileSync(join(folder, "weights.bin"), bytes);
    expect(read(folder)).toThrow("holds NaN or infinity");
  });

  it.each([
    ["another format", "format", "keras", /is 'keras' version 1, kind 'fusion'/],
    ["a newer version", "format_version", 2, /version 1 at most, is '.*' version 2/],
    ["no version", "format_version", undefined, /version NaN/],
    ["another kind", "kind", "audio_cnn", /kind 'audio_cnn'/],
    ["one class", "classes", ["angry"], /classes must be a list of 2 at least/],
    [
      "more classes than weights",
      "classes",
      ["angry", "happy", "sad"],
      /must have shape \[256,3\]/,
    ],
    ["an encoder without dim", "image", { model: "face" }, /image.dim must be a whole number/],
    [
      "an encoder of another dim",
      "image",
      { ...encoderToJson(ENCODER), dim: 4 },
      /must have shape \[4\], has \[3\]/,
    ],
    ["no weights", "weights", undefined, /weights must be a list/],
    ["a weight too few", "weights", [], /lacks the weight 'image.mean'/],
  ])("%s", (_name, key, value, message) => {
    const folder = written();
    changeJson(folder, (json) => {
      json[key] = value;
    });
    expect(read(folder)).toThrow(message);
  });

  it("a model of no modality", () => {
    const folder = written();
    changeJson(folder, (json) => Object.assign(json, { image: null, audio: null }));
    expect(read(folder)).toThrow("must have an image or an audio encoder");
  });
});
