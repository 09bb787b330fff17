import { existsSync, mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { beforeEach, describe, expect, test } from "vitest";
import { createH5, writeStrings } from "@emotion-service/core/hdf5/file";
import { writeFaceSample } from "../../../scripts/sample/writeSample.ts";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";

let folder: string;
beforeEach(async () => {
  folder = temporaryFolder();
  mkdirSync(join(folder, "empty"));
  mkdirSync(join(folder, "broken"));
  writeFileSync(join(folder, "broken/a.jpg"), "no picture");
  writeFileSync(join(folder, "broken/b.png"), "");
  writeFileSync(join(folder, "text.h5"), "not HDF5");
  writeFileSync(join(folder, "text.ONNX"), "not ONNX");
  const writer = await createH5(join(folder, "other.h5"));
  writer.edit((file) => writeStrings(file, "things", ["a"]));
  writer.close();
});

/** Runs embed in the folder; `before` and after it the same names must be there. */
async function expectRefused(
  args: readonly string[],
  exitCode: number,
  message: RegExp,
): Promise<void> {
  const before = namesIn(folder);
  const result = await runCommand("embed", args, { cwd: folder });
  expect(result.stderr).toMatch(message);
  expect(result).toMatchObject({ exitCode, stdout: "" });
  expect(result.stderr).not.toMatch(/\n\s+at /); // no stack
  expect(namesIn(folder)).toEqual(before);
}

describe("refused, with a cause, and nothing left behind", () => {
  const out = ["--out_h5", "new/e.h5"];

  test.each<[string, string[], number, RegExp]>([
    ["no folder", ["--images_dir", "nowhere", ...out], 1, /--images_dir nowhere: no such folder/],
    ["a file as folder", ["--images_dir", "text.h5", ...out], 1, /must be a folder, is a file/],
    [
      "an empty folder",
      ["--images_dir", "empty", ...out],
      1,
      /--images_dir empty: holds no file that ends in \.jpg/,
    ],
    [
      "broken pictures alone",
      ["--images_dir", "broken", ...out],
      1,
      /none of the 2 inputs gave an embedding[^]*2 × cannot be decoded/,
    ],
    [
      "a missing HDF5",
      ["--audio_h5", "nowhere.h5", ...out],
      1,
      /--audio_h5 nowhere\.h5: no such file/,
    ],
    [
      "an output that is the input",
      ["--audio_h5", "text.h5", "--out_h5", "./text.h5"],
      2,
      /\.\/text\.h5: would replace an input/,
    ],
    ["not HDF5", ["--audio_h5", "text.h5", ...out], 1, /cannot be read as HDF5/],
    [
      "a lacking dataset",
      ["--audio_h5", "other.h5", ...out],
      1,
      /lacks the dataset 'features\/labels' \(it holds: things\)/,
    ],
    [
      "no input",
      out,
      2,
      /exactly one of --images_dir, --audio_h5, --audio_dir and --videos_dir is needed, got 0/,
    ],
    ["two inputs", ["--images_dir", "broken", "--audio_h5", "other.h5", ...out], 2, /got 2/],
    ["no output", ["--images_dir", "broken"], 2, /--out_h5/],
    ["an unknown flag", ["--image_dir", "broken", ...out], 2, /Did you mean --images_dir/],
    [
      "a wrong choice",
      ["--images_dir", "broken", "--face_crop", "maybe", ...out],
      2,
      /Allowed choices are auto, on, off/,
    ],
    [
      "a wrong number",
      ["--images_dir", "broken", "--batch_size", "0", ...out],
      2,
      /must be a whole number of at least 1|from 1/,
    ],
    [
      "a model of the other kind",
      ["--images_dir", "broken", "--model", "audio_stats", ...out],
      2,
      /--model audio_stats: must be face or face_cnn or resnet18 \(or auto\) for pictures/,
    ],
    [
      "weights that are none",
      ["--images_dir", "broken", "--model", "resnet18", "--weights", "text.h5", ...out],
      1,
      /text\.h5: must be a file of torch\.save or safetensors/,
    ],
    [
      "weights that are missing",
      ["--images_dir", "broken", "--model", "resnet18", "--weights", "nowhere.pth", ...out],
      1,
      /--weights nowhere\.pth: no such file/,
    ],
    [
      "weights for another model",
      ["--images_dir", "broken", "--weights", "random", ...out],
      2,
      /--weights: is for --model resnet18, face_cnn or audio_cnn, the model is face/,
    ],
    [
      "a device for another model",
      ["--audio_h5", "other.h5", "--device", "cuda", ...out],
      2,
      /--device cuda: is for --model resnet18 or an .onnx file, the model is audio_stats/,
    ],
    [
      "--mean for a network of ours",
      ["--images_dir", "broken", "--mean", "0,0,0", ...out],
      2,
      /--mean: is for --model FILE\.onnx, the model is face/,
    ],
    [
      "--std of two numbers",
      ["--images_dir", "broken", "--model", "text.ONNX", "--std", "1,1", ...out],
      2,
      /must be one number, or three numbers, r,g,b/,
    ],
    [
      "an .onnx file that is none",
      ["--images_dir", "broken", "--model", "text.ONNX", ...out],
      1,
      /text\.ONNX: is not a whole ONNX model/,
    ],
    [
      "an output below a file",
      ["--images_dir", "broken", "--out_h5", "text.h5/e.h5"],
      1,
      /text\.h5\/e\.h5: cannot be written/,
    ],
  ])("%s", async (_, args, exitCode, message) => {
    await expectRefused(args, exitCode, message);
  });

  test("Ctrl-C in the middle", async () => {
    await writeFaceSample(join(folder, "faces"), { facesPerClass: 20 });
    const before = namesIn(folder);
    const args = ["--images_dir", "faces", ...out, "--workers", "1", "--batch_size", "1"];
    const killWhen = (): boolean => existsSync(join(folder, "new")); // the output is staged: it has begun
    const result = await runCommand("embed", args, { cwd: folder, killWhen });
    expect(result.exitCode).toBe(130);
    expect(namesIn(folder)).toEqual(before);
  });
});
