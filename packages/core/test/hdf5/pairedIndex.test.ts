import { join } from "node:path";
import { createH5, writeArray, writeStrings } from "@emotion-service/core/hdf5/file";
import { readPaired } from "@emotion-service/core/hdf5/paired";
import {
  eachText,
  indexModalities,
  indexPaired,
  pathOfRow,
} from "@emotion-service/core/hdf5/pairedIndex";
import { EMOTIONS, UNKNOWN_LABEL } from "@emotion-service/core/labels";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { writeSomePairs } from "../model/pairs.ts";

type Labels = (file: Parameters<typeof writeStrings>[0], labels: readonly string[]) => void;

/** A file of `rows` rows as Python writes it: embeddings, labels in one of its ways, paths. */
async function writePython(labels: readonly string[], write: Labels): Promise<string> {
  const path = join(temporaryFolder(), "pairs.h5");
  const writer = await createH5(path);
  writer.edit((file) => {
    writeArray(
      file,
      "image_embeddings",
      new Float32Array(2 * labels.length),
      [labels.length, 2],
      "<f",
    );
    writeArray(file, "audio_embeddings", new Float32Array(labels.length), [labels.length, 1], "<f");
    write(file, labels);
    writeStrings(
      file,
      "paths",
      labels.map((_, row) => `who${row % 3}_${row}.wav`),
    );
  });
  writer.close();
  return path;
}

const speakerOf = (path: string): string | undefined => /^who[01]/.exec(path)?.[0];

describe("the index of a paired file", () => {
  it.each<[string, readonly string[], Labels]>([
    [
      "strings",
      ["HAP", "sad", "boredom", "angry"],
      (file, labels) => writeStrings(file, "labels", labels),
    ],
    [
      "strings of a fixed length",
      ["happy", "sad", "noise", "fear"],
      (file, labels) =>
        file.create_dataset({
          name: "labels",
          data: [...labels],
          shape: [labels.length],
          dtype: "S5",
        }),
    ],
    [
      "class ids",
      ["0", "7", "12", "3"],
      (file, labels) =>
        writeArray(file, "labels", Int32Array.from(labels, Number), [labels.length], "<i"),
    ],
  ])("says what the whole file says: labels as %s", async (_name, labels, write) => {
    const path = await writePython(labels, write);
    const { rows } = await readPaired(path, "--train_h5", speakerOf);
    const index = await indexPaired(path, "--train_h5", speakerOf);
    expect(index.rows).toBe(4);
    expect(Array.from(index.emotions, (id) => EMOTIONS[id] ?? UNKNOWN_LABEL)).toEqual(rows.labels);
    expect(Array.from(index.groups, (id) => index.groupNames[id])).toEqual(rows.groups);
    expect(index.groupNames).toEqual(["who0", "who1", "who2_2.wav"]);
    expect(index.matchBy).toBe("unknown");
    expect(await pathOfRow(index, 2)).toBe("who2_2.wav");
  });

  it("knows the presence and the layout of each modality", async () => {
    const pairs = await writeSomePairs({ rows: 40, missingImages: true, chunks: [16, 8] });
    const { image, audio } = await indexPaired(pairs.path, "--train_h5", () => undefined);
    expect(image).toMatchObject({ columns: 6, rowsTogether: 16, dataset: "image_embeddings" });
    expect([...image.present]).toEqual([...pairs.imagePresent]);
    expect([...audio.present]).toEqual(Array.from({ length: 40 }, () => 1));
  });

  it.each([
    ["contiguous rows stand by themselves", {}, 1],
    ["a chunk that fits in HDF5's cache is read whole", { chunks: [500, 6] as const }, 500],
    ["one of some columns too", { chunks: [50, 2] as const }, 50],
    ["a compressed one too", { chunks: [50, 6] as const, gzip: true }, 50],
  ])("%s", async (_name, layout, rowsTogether) => {
    const { path } = await writeSomePairs(layout);
    expect((await indexPaired(path, "", () => undefined)).image.rowsTogether).toBe(rowsTogether);
  });

  it("leaves the texts to who wants them, in the order of the rows", async () => {
    const labels = ["0", "1", "1", "0"];
    const path = await writePython(labels, (file) => writeStrings(file, "labels", labels));
    const index = await indexModalities(path, "--train_h5");
    expect(index).toMatchObject({ rows: 4, image: { columns: 2 }, audio: { columns: 1 } });
    const found: [number, string][] = [];
    await eachText(index, "labels", (text, row) => found.push([row, text]), undefined);
    expect(found).toEqual([...labels.entries()]);
  });

  it("stops when it is told to", async () => {
    const { path } = await writeSomePairs();
    const signal = AbortSignal.abort();
    await expect(indexPaired(path, "", () => undefined, signal)).rejects.toMatchObject({
      code: "E_ABORTED",
    });
  });
});
