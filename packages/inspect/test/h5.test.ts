import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { writeEmbeddings } from "@emotion-service/core/hdf5/embeddings";
import { createH5, writeArray, writeStrings } from "@emotion-service/core/hdf5/file";
import { writePaired } from "@emotion-service/core/hdf5/paired";
import { describe, expect, test } from "vitest";
import { namesIn, runCommand, temporaryFolder } from "../../../test/command.ts";
import { runInProcess } from "../../../test/inProcess.ts";
import { createProgram } from "../src/h5Cli.ts";

type Draw = Parameters<Awaited<ReturnType<typeof createH5>>["edit"]>[0];

/** Runs `inspect-h5` in this process. */
function inspect(...argv: string[]) {
  return runInProcess(createProgram, argv);
}

async function fileWith(draw: Draw): Promise<string> {
  const path = join(temporaryFolder(), "some.h5");
  const writer = await createH5(path);
  writer.edit(draw);
  writer.close();
  return path;
}

async function reportOf(path: string, ...flags: string[]) {
  const { stdout } = await inspect(path, "--json", ...flags);
  return JSON.parse(stdout);
}

const encoder = { model: "face", weightsSha256: "none", featureConfig: "{}", dim: 2 };
const rows = {
  embeddings: { data: Float32Array.of(0, 1, 2, 3, 4, 5), rows: 3, columns: 2 },
  labels: ["sad", "happy", "sad"],
  paths: ["a.jpg", "b.jpg", "c.jpg"],
};

async function embeddings(): Promise<string> {
  const path = join(temporaryFolder(), "embeddings.h5");
  await writeEmbeddings(path, { encoder, splits: new Map([["all", rows]]) });
  return path;
}

describe("the tree", () => {
  test("shows groups, datasets, types, pieces, filters and attributes", async () => {
    const path = await fileWith((file) => {
      file.create_attribute("sr", 16000);
      const group = file.create_group("deep");
      group.create_dataset({
        name: "cells",
        data: new Float32Array(64),
        shape: [8, 8],
        dtype: "<f",
        chunks: [4, 8],
        compression: 4,
      });
      group
        .create_group("er")
        .create_dataset({ name: "ids", data: BigInt64Array.of(1n), shape: [1], dtype: "<q" });
      file.create_dataset({ name: "single", data: 3.5, shape: [], dtype: "<d" });
      file.create_soft_link("/nowhere", "lost");
    });
    const { stdout } = await inspect(path);
    expect(stdout.split("\n").slice(1)).toEqual([
      "not one of the pipeline's layouts",
      "",
      "/",
      "  @sr = 16000",
      "  deep/",
      "    cells  float32 [8, 8]  chunks [4, 8]  gzip",
      "    er/",
      "      ids  int64 [1]",
      "  lost -> /nowhere (not there)",
      "  single  float64 []",
      "",
    ]);
  });

  test.each([
    ["<b", Int8Array.of(1), "int8"],
    ["<H", Uint16Array.of(1), "uint16"],
    ["<f", Float32Array.of(1), "float32"],
    ["<d", Float64Array.of(1), "float64"],
    ["S", ["é"], "str"],
    ["S5", ["é"], "S5"],
  ] as const)("%s is %s: %s", async (dtype, data, name) => {
    const path = await fileWith((file) =>
      file.create_dataset({
        name: "x",
        data: Array.isArray(data) ? [...data] : (data as Int8Array),
        shape: [1],
        dtype,
      }),
    );
    expect((await reportOf(path)).entries[0]).toMatchObject({ path: "x", dtype: name, shape: [1] });
  });

  test("what cannot be read is said where it stands, the rest is shown", async () => {
    const path = await fileWith((file) => {
      file.create_dataset({
        name: "cells",
        data: new Float32Array(4096).fill(1.5),
        shape: [64, 64],
        dtype: "<f",
        chunks: [64, 64],
        compression: 9,
      });
      writeArray(file, "whole", Float32Array.of(1), [1], "<f");
    });
    const bytes = readFileSync(path);
    const deflated = bytes.indexOf(Buffer.from([0x78, 0xda]));
    expect(deflated).toBeGreaterThan(0);
    writeFileSync(path, bytes.fill(0xff, deflated, deflated + 8));
    const { exitCode, stdout } = await inspect(path, "--stats", "--rows", "1");
    expect(exitCode).toBe(0);
    expect(stdout).toMatch(
      /cells {2}float32 \[64, 64\].*\n {4}! cannot be read: filter returned failure during read/,
    );
    expect(stdout).toContain("whole  float32 [1]");
    expect(stdout).toContain("1 of 2 entries cannot be read");
  });
});

describe("the pipeline's layouts", () => {
  test("embeddings", async () => {
    const report = await reportOf(await embeddings());
    expect(report.layout).toBe("embeddings (rows × values): all 3 × 2, of the model face");
    expect(report.labels).toEqual({
      "all/labels": [
        ["sad", 2],
        ["happy", 1],
      ],
    });
  });

  test("pairs by label, of different people", async () => {
    const path = join(temporaryFolder(), "paired.h5");
    const present = Uint8Array.of(1, 1, 1);
    const { embeddings: matrix, labels, paths } = rows;
    await writePaired(path, {
      rows: {
        image: matrix,
        audio: matrix,
        labels,
        paths,
        imagePaths: paths,
        audioPaths: paths,
        groups: paths,
        imagePresent: present,
        audioPresent: present,
      },
      imageEncoder: encoder,
      audioEncoder: encoder,
      matchBy: "label",
      seed: 1,
    });
    expect((await reportOf(path)).layout).toBe(
      "pairs: 3 rows, image 2 values, audio 2 values, matched by label (image and audio of different people)",
    );
  });

  test.each([
    ["features/fixed", [2, 4, 3], "preprocessed audio: 2 clips, each 4 mel bands × 3 frames"],
    [
      "features/vlen_flat",
      [24],
      "preprocessed audio: 24 clips of their own length, as the Python service writes them",
    ],
  ])("%s", async (name, shape, layout) => {
    const path = await fileWith((file) => {
      file.create_group("features");
      writeArray(file, name, new Float32Array(24), shape, "<f");
    });
    expect((await reportOf(path)).layout).toBe(layout);
  });

  test("ragged audio", async () => {
    const path = await fileWith((file) => {
      file.create_group("features");
      writeArray(file, "features/ragged", new Float32Array(12), [3, 4], "<f");
      writeArray(file, "features/frames", Int32Array.of(1, 2), [2], "<i");
    });
    expect((await reportOf(path)).layout).toBe(
      "preprocessed audio: 2 clips of their own length, 3 frames of 4 mel bands together",
    );
  });

  test("class ids of an aligned AffectNet tree are shown with the emotion", async () => {
    const path = await fileWith((file) =>
      writeArray(file, "labels", Int32Array.of(0, 4, 4), [3], "<i"),
    );
    expect((await inspect(path)).stdout).toContain("labels: 4 (happy) 2, 0 (angry) 1");
  });
});

describe("--rows", () => {
  test("puts the datasets of one group side by side", async () => {
    const { stdout } = await inspect(await embeddings(), "--rows", "2");
    expect(stdout).toContain(
      [
        "row  all/embeddings  all/labels  all/paths",
        "0               0 1         sad      a.jpg",
        "1               2 3       happy      b.jpg",
      ].join("\n"),
    );
    expect(stdout).not.toContain("c.jpg");
  });

  test("of many values a row shows the first and how many follow", async () => {
    const path = await fileWith((file) =>
      writeArray(
        file,
        "x",
        Float32Array.from({ length: 60 }, (_, i) => i / 10),
        [2, 5, 6],
        "<f",
      ),
    );
    expect((await reportOf(path, "--rows", "5")).entries[0].rows).toEqual([
      [0, 0.6, 1.2, 1.8, "… 26 more"],
      [3, 3.6, 4.2, 4.8, "… 26 more"],
    ]);
  });
});

describe("--stats", () => {
  test("are over the finite values; NaN and infinities are counted", async () => {
    const path = await fileWith((file) =>
      writeArray(
        file,
        "x",
        Float32Array.of(1, 2, 3, 6, NaN, Infinity, -Infinity, NaN),
        [2, 4],
        "<f",
      ),
    );
    const [{ stats }] = (await reportOf(path, "--stats")).entries;
    expect(stats).toMatchObject({ count: 8, nan: 2, infinite: 2, min: 1, mean: 3, max: 6 });
    expect(stats.std).toBeCloseTo(Math.sqrt((4 + 1 + 0 + 9) / 4), 12);
  });

  test("over several slices equal those over the whole", async () => {
    const [count, columns] = [3000, 1000]; // three slices of 2^20 values
    const data = Float32Array.from(
      { length: count * columns },
      (_, i) => Math.sin(i) * 100 + i / 1e4,
    );
    const path = await fileWith((file) => writeArray(file, "x", data, [count, columns], "<f"));
    const [{ stats }] = (await reportOf(path, "--stats")).entries;
    const mean = data.reduce((sum, value) => sum + value, 0) / data.length;
    const variance = data.reduce((sum, value) => sum + (value - mean) ** 2, 0) / data.length;
    expect(stats.count).toBe(data.length);
    expect([stats.mean, stats.std]).toBeAllClose([mean, Math.sqrt(variance)], { rtol: 1e-10 });
  });

  test("strings have none, an empty dataset has no mean", async () => {
    const path = await fileWith((file) => {
      writeStrings(file, "names", ["a"]);
      writeArray(file, "none", new Float32Array(0), [0, 4], "<f");
    });
    const [names, none] = (await reportOf(path, "--stats")).entries;
    expect(names.stats).toBeUndefined();
    expect(none.stats).toEqual({
      count: 0,
      nan: 0,
      infinite: 0,
      min: null,
      mean: null,
      max: null,
      std: null,
    });
  });
});

describe("inspect-h5 as a command", () => {
  test("answers on stdout and leaves the file as it was", async () => {
    const path = await embeddings();
    const before = readFileSync(path);
    const { exitCode, stdout, stderr } = await runCommand("inspect-h5", [path, "--stats"]);
    expect({ exitCode, stderr }).toEqual({ exitCode: 0, stderr: "" });
    expect(stdout).toContain("embeddings (rows × values): all 3 × 2");
    expect(readFileSync(path).equals(before)).toBe(true);
  });

  test.each([
    ["a missing file", "none.h5", 1, "<file> none.h5: no such file"],
    ["a folder", ".", 1, "<file> .: must be a file, is a folder"],
    [
      "a file that is not HDF5",
      "text.h5",
      1,
      "<file> text.h5: cannot be read as HDF5 (file signature not found)",
    ],
    ["an empty file", "empty.h5", 1, "<file> empty.h5: cannot be read as HDF5"],
    ["no file", undefined, 2, "missing required argument 'file'"],
  ])("%s", async (_, name, status, message) => {
    const folder = temporaryFolder();
    writeFileSync(join(folder, "text.h5"), "hello");
    writeFileSync(join(folder, "empty.h5"), "");
    const { exitCode, stdout, stderr } = await runCommand(
      "inspect-h5",
      name === undefined ? [] : [name],
      { cwd: folder },
    );
    expect({ exitCode, stdout }).toEqual({ exitCode: status, stdout: "" });
    expect(stderr).toContain(message);
    expect(stderr).not.toContain("    at ");
    expect(namesIn(folder)).toEqual(["empty.h5", "text.h5"]);
  });

  test.each([["-1"], ["many"], ["1.5"]])("--rows %s is wrong usage", async (rows_) => {
    const { exitCode, stderr } = await inspect("x.h5", `--rows=${rows_}`);
    expect(exitCode).toBe(2);
    expect(stderr).toContain("must be a whole number from 0 to 1000");
  });
});
