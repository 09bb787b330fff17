import type { Dtype, GuessableDataTypes } from "h5wasm/node";
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { setTimeout as pause } from "node:timers/promises";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { type EncoderInfo, requireSameEncoder, stableJson } from "../../src/hdf5/encoder.ts";
import { type EmbeddingsFile, readEmbeddings, writeEmbeddings } from "../../src/hdf5/embeddings.ts";
import { createH5, writeArray, writeStrings } from "../../src/hdf5/file.ts";
import { type PairedFile, readPaired, writePaired } from "../../src/hdf5/paired.ts";

const encoder: EncoderInfo = {
  model: "face",
  weightsSha256: "ab",
  featureConfig: stableJson({ size: 112, crop: "auto" }),
  dim: 2,
};
const rows = {
  embeddings: { data: Float32Array.of(1, -2, 3.5, 0), rows: 2, columns: 2 },
  labels: ["happy", "unknown"],
  paths: ["happy/ä.jpg", "b.jpg"],
};
const content: EmbeddingsFile = { encoder, splits: new Map([["train", rows]]) };

const paired: PairedFile = {
  rows: {
    image: rows.embeddings,
    audio: { data: Float32Array.of(7, 8), rows: 2, columns: 1 },
    labels: ["happy", "sad"],
    paths: ["a.wav", "b.wav"],
    imagePaths: ["a.jpg", ""],
    audioPaths: ["a.wav", "b.wav"],
    groups: ["cremad:1001", "cremad:1002"],
    imagePresent: Uint8Array.of(1, 0),
    audioPresent: Uint8Array.of(1, 1),
  },
  imageEncoder: encoder,
  audioEncoder: { ...encoder, model: "audio_stats", dim: 1 },
  matchBy: "id",
  matchReason: "ids match",
  seed: 7,
};

test("an embeddings file reads back as it was written", async () => {
  const path = join(temporaryFolder(), "e.h5");
  await writeEmbeddings(path, content);
  expect(await readEmbeddings(path, "--img_h5")).toEqual(content);
});

test("a paired file reads back as it was written", async () => {
  const path = join(temporaryFolder(), "p.h5");
  await writePaired(path, paired);
  expect(await readPaired(path, "--train_h5", () => undefined)).toEqual(paired);
});

test("the same rows give the same bytes, whenever they are written", async () => {
  const folder = temporaryFolder();
  await writePaired(join(folder, "1.h5"), paired);
  await pause(1100); // HDF5 keeps times in whole seconds
  await writePaired(join(folder, "2.h5"), paired);
  expect(readFileSync(join(folder, "2.h5"))).toEqual(readFileSync(join(folder, "1.h5")));
});

test("a file of the Python service: class ids, fixed-length strings, no more than four datasets", async () => {
  const path = join(temporaryFolder(), "python.h5");
  const writer = await createH5(path);
  writer.edit((file) => {
    writeArray(file, "image_embeddings", new Float64Array([1, 2]), [2, 1], "<d");
    writeArray(file, "audio_embeddings", Float32Array.of(3, 4), [2, 1], "<f");
    writeArray(file, "labels", Int32Array.of(4, 6), [2], "<i");
    file.create_dataset({ name: "paths", data: ["1001_x", "y"], shape: [2], dtype: "S8" });
  });
  writer.close();
  const read = await readPaired(path, "--train_h5", (name) =>
    name === "1001_x" ? "s" : undefined,
  );
  expect(read.rows.labels).toEqual(["happy", "sad"]);
  expect(read.rows.paths).toEqual(["1001_x", "y"]);
  expect(read.rows.groups).toEqual(["s", "y"]);
  expect([...read.rows.image.data]).toEqual([1, 2]);
  expect([...read.rows.imagePresent]).toEqual([1, 1]);
  expect(read.imageEncoder.model).toBe("unknown");
});

test.skipIf(!existsSync("/dev/full"))(
  "a full disk is said so, without HDF5's own report",
  async () => {
    const writing = writeEmbeddings("/dev/full", content);
    await expect(writing).rejects.toMatchObject({
      code: "E_OUTPUT",
      message: "/dev/full: cannot be written (No space left on device)",
    });
  },
);

/** A paired file of two rows by another writer, with flags of the audio in a form of its own. */
async function writeFlags(data: GuessableDataTypes, count: number, dtype: Dtype): Promise<string> {
  const path = join(temporaryFolder(), "flags.h5");
  const writer = await createH5(path);
  writer.edit((file) => {
    for (const name of ["image_embeddings", "audio_embeddings"])
      writeArray(file, name, Float32Array.of(1, 2), [2, 1], "<f");
    writeStrings(file, "labels", ["happy", "sad"]);
    writeStrings(file, "paths", ["a", "b"]);
    writeArray(file, "audio_present", data, [count], dtype);
  });
  writer.close();
  return path;
}

test.each([
  ["i1, which is how h5py's bool is read", Int8Array.of(1, 0), "<b"],
  ["i8", BigInt64Array.of(1n, 0n), "<q"],
  ["f4", Float32Array.of(1, 0), "<f"],
  ["u1 that is not 1", Uint8Array.of(255, 0), "<B"],
] as const)("presence flags of %s", async (_, data, dtype) => {
  const path = await writeFlags(data, 2, dtype);
  const { rows: read } = await readPaired(path, "--train_h5", () => undefined);
  expect(read.audioPresent).toEqual(Uint8Array.of(1, 0));
});

describe("what cannot be used is refused", () => {
  test("a missing file", async () => {
    await expect(readEmbeddings("nowhere.h5", "--img_h5")).rejects.toThrow(
      "--img_h5 nowhere.h5: no such file",
    );
  });

  test("a file that is not HDF5", async () => {
    const path = join(temporaryFolder(), "text.h5");
    writeFileSync(path, "not HDF5");
    await expect(readEmbeddings(path, "--img_h5")).rejects.toThrow(/cannot be read as HDF5/);
  });

  test("a file without embeddings names what it holds", async () => {
    const path = join(temporaryFolder(), "other.h5");
    const writer = await createH5(path);
    writer.edit((file) => writeStrings(file, "things", ["a"]));
    writer.close();
    await expect(readEmbeddings(path, "--img_h5")).rejects.toThrow(
      /is not an embeddings file.*things/,
    );
    await expect(readPaired(path, "--train_h5", () => undefined)).rejects.toThrow(
      /lacks the dataset 'image_embeddings' \(it holds: things\)/,
    );
  });

  test("presence flags of fewer rows", async () => {
    const path = await writeFlags(Uint8Array.of(1), 1, "<B");
    await expect(readPaired(path, "--train_h5", () => undefined)).rejects.toThrow(
      /'audio_present, paths' must have equally many rows, have 1, 2/,
    );
  });

  test("datasets of unequal length", async () => {
    const path = join(temporaryFolder(), "uneven.h5");
    await writeEmbeddings(path, {
      encoder,
      splits: new Map([["all", { ...rows, labels: ["happy"] }]]),
    });
    await expect(readEmbeddings(path, "--img_h5")).rejects.toThrow(
      /equally many rows, have 2, 1, 2/,
    );
  });
});

describe("requireSameEncoder", () => {
  const what = { expected: "the model", actual: "the file" };

  test("says which settings differ, and both values", () => {
    const other = { ...encoder, featureConfig: stableJson({ size: 96, crop: "auto" }) };
    expect(() => requireSameEncoder(encoder, other, what)).toThrow(
      "the file: made with other settings than the model: size is 96, must be 112",
    );
  });

  test("holds a file of another writer to its dimension alone", () => {
    const foreign = { model: "unknown", weightsSha256: "unknown", featureConfig: "{}", dim: 2 };
    expect(() => requireSameEncoder(encoder, foreign, what)).not.toThrow();
    expect(() => requireSameEncoder(encoder, { ...foreign, dim: 3 }, what)).toThrow("dim is 3");
  });
});
