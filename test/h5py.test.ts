import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { writeEmbeddings } from "../packages/core/src/hdf5/embeddings.ts";
import type { EncoderInfo } from "../packages/core/src/hdf5/encoder.ts";
import { writePaired } from "../packages/core/src/hdf5/paired.ts";
import {
  type FeatureRow,
  readPreprocessedAudio,
} from "../packages/core/src/hdf5/preprocessedAudio.ts";
import { temporaryFolder } from "./command.ts";
import { h5pyPython, runPython } from "./python.ts";

const python = h5pyPython();
if (python === undefined)
  console.warn(
    "SKIPPED: reading our HDF5 files with h5py (no Python with h5py; `npm run verify` makes one)",
  );

/** Prints every dataset (shape, type, values) and the root's attributes of an HDF5 file. */
const DUMP = `
import json, sys, h5py
def plain(value):
    return value.decode() if isinstance(value, bytes) else value.item() if hasattr(value, "item") else value
def describe(dataset):
    text = h5py.check_string_dtype(dataset.dtype)
    values = dataset.asstr()[()] if text else dataset[()]
    kind = "str/" + text.encoding + ("/vlen" if text.length is None else "") if text else str(dataset.dtype)
    return {"shape": list(dataset.shape), "dtype": kind, "values": values.tolist()}
with h5py.File(sys.argv[1], "r") as file:
    datasets = {}
    file.visititems(lambda name, item: datasets.update({name: describe(item)}) if isinstance(item, h5py.Dataset) else None)
    print(json.dumps({"datasets": datasets, "attributes": {name: plain(value) for name, value in file.attrs.items()}}))
`;

const face: EncoderInfo = {
  model: "face",
  weightsSha256: "ab12",
  featureConfig: '{"size":112}',
  dim: 2,
};
const stats: EncoderInfo = {
  model: "audio_stats",
  weightsSha256: "none",
  featureConfig: '{"sr":16000}',
  dim: 3,
};
const strings = (values: readonly string[]) => ({
  shape: [values.length],
  dtype: "str/utf-8/vlen",
  values,
});
const floats = (values: readonly number[][]) => ({
  shape: [values.length, values[0]?.length],
  dtype: "float32",
  values,
});
const flags = (values: readonly number[]) => ({ shape: [values.length], dtype: "uint8", values });
/** Not every float survives float32; these do. */
const IMAGE_ROWS = [
  [0.5, -1.25],
  [2, 3],
  [0, 0],
];
const AUDIO_ROWS = [
  [1, 2, 3],
  [-4.5, 5, 6],
  [7, 8, 0.125],
];
const matrix = (rows: readonly number[][]) => ({
  data: Float32Array.from(rows.flat()),
  rows: rows.length,
  columns: rows[0]?.length ?? 0,
});

const dump = (path: string): unknown => runPython(python ?? "", DUMP, [path]);

describe.skipIf(python === undefined)("h5py reads", () => {
  it("an embeddings file: float32 rows, labels and paths as str, who made it", async () => {
    const path = join(temporaryFolder(), "embeddings.h5");
    const labels = ["angry", "sad", "unknown"];
    const paths = ["a/eins.jpg", "b/zwölf.jpg", "c/三.jpg"];
    await writeEmbeddings(path, {
      encoder: face,
      splits: new Map([["all", { embeddings: matrix(IMAGE_ROWS), labels, paths }]]),
    });
    expect(dump(path)).toEqual({
      datasets: {
        "all/embeddings": floats(IMAGE_ROWS),
        "all/labels": strings(labels),
        "all/paths": strings(paths),
      },
      attributes: expect.objectContaining({
        format: "emotion-service embeddings",
        format_version: 1,
        model: "face",
        weights_sha256: "ab12",
        feature_config: '{"size":112}',
        dim: 2,
      }),
    });
  });

  it("a paired file: both modalities, which are present, groups, both encoders", async () => {
    const path = join(temporaryFolder(), "paired.h5");
    const labels = ["happy", "neutral", "fear"];
    const paths = ["1001_a.wav", "1002_b.wav", "1003_c.wav"];
    const imagePaths = ["x.jpg", "y.jpg", ""];
    const groups = ["cremad:1001", "cremad:1002", "cremad:1003"];
    await writePaired(path, {
      rows: {
        image: matrix(IMAGE_ROWS),
        audio: matrix(AUDIO_ROWS),
        labels,
        paths,
        imagePaths,
        audioPaths: paths,
        groups,
        imagePresent: Uint8Array.of(1, 1, 0),
        audioPresent: Uint8Array.of(1, 1, 1),
      },
      imageEncoder: face,
      audioEncoder: stats,
      matchBy: "label",
      seed: 1234,
    });
    expect(dump(path)).toEqual({
      datasets: {
        image_embeddings: floats(IMAGE_ROWS),
        audio_embeddings: floats(AUDIO_ROWS),
        labels: strings(labels),
        paths: strings(paths),
        image_paths: strings(imagePaths),
        audio_paths: strings(paths),
        groups: strings(groups),
        image_present: flags([1, 1, 0]),
        audio_present: flags([1, 1, 1]),
      },
      attributes: expect.objectContaining({
        match_by: "label",
        seed: 1234,
        image_model: "face",
        image_dim: 2,
        audio_model: "audio_stats",
        audio_dim: 3,
        audio_feature_config: '{"sr":16000}',
      }),
    });
  });
});

/** The Python service's own ragged form: a flat list of n_mels · frames values a row. */
const WRITE_VLEN = `
import sys, h5py, numpy as np
with h5py.File(sys.argv[1], "w") as file:
    group = file.create_group("features")
    flat = group.create_dataset("vlen_flat", (2,), dtype=h5py.vlen_dtype("f4"))
    flat[0] = np.array([[-1, -2, -3], [-4, -5, -6]], "f4").ravel()
    flat[1] = np.arange(int(sys.argv[2]), dtype="f4")
    for name, values in (("labels", ["ANG", "sad"]), ("paths", ["a.wav", "b.wav"])):
        group.create_dataset(name, data=values, dtype=h5py.string_dtype())
    file.attrs.update(sr=16000, n_fft=1024, hop_length=512, n_mels=2, fixed_duration=0.0)
print("null")
`;

describe.skipIf(python === undefined)("h5py writes", () => {
  const read = async (values: number): Promise<FeatureRow[]> => {
    const path = join(temporaryFolder(), "vlen.h5");
    runPython(python ?? "", WRITE_VLEN, [path, String(values)]);
    return readPreprocessedAudio(path, "--audio_h5", (_, rows) => [...rows]);
  };

  it("audio features as the Python service's lists", async () => {
    expect(await read(4)).toEqual([
      {
        features: Float32Array.of(-1, -2, -3, -4, -5, -6),
        frames: 3,
        label: "angry",
        path: "a.wav",
      },
      { features: Float32Array.of(0, 1, 2, 3), frames: 2, label: "sad", path: "b.wav" },
    ]);
  });

  it.each([0, 3])(
    "a list of %i values, which are no frames of 2 bands, is refused",
    async (values) => {
      await expect(read(values)).rejects.toMatchObject({
        code: "E_LAYOUT",
        message: expect.stringContaining(
          `must have a multiple of 2 values (n_mels), has ${values}`,
        ),
      });
    },
  );
});
