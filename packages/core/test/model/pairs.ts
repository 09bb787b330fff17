import { join } from "node:path";
import { createH5, writeArray, writeStrings } from "@emotion-service/core/hdf5/file";
import { EMOTIONS } from "@emotion-service/core/labels";
import { createRandom, normal } from "@emotion-service/core/random";
import { temporaryFolder } from "../../../../test/command.ts";

/** How the values stand in the file. */
interface Layout {
  /** [rows, values] of a chunk; none: one after another. */
  readonly chunks?: readonly [number, number];
  readonly gzip?: boolean;
}

interface PairsOptions extends Layout {
  readonly rows?: number;
  readonly imageColumns?: number;
  readonly audioColumns?: number;
  /** Rows of one emotion stand together. */
  readonly sorted?: boolean;
  /** The image is absent (and NaN) in every fifth row. */
  readonly missingImages?: boolean;
  readonly seed?: number;
}

export interface Pairs {
  readonly path: string;
  readonly rows: number;
  /** The number of the row is the first value, so that a row can be told. */
  readonly image: Float32Array;
  readonly audio: Float32Array;
  readonly imagePresent: Uint8Array;
  readonly emotions: Int32Array;
}

/** A paired file as Python may write it, with what stands in it. */
export async function writeSomePairs(options: PairsOptions = {}): Promise<Pairs> {
  const { rows = 1000, imageColumns = 6, audioColumns = 4, sorted, missingImages } = options;
  const random = createRandom(options.seed ?? 1);
  const imagePresent = Uint8Array.from({ length: rows }, (_, row) =>
    Number(missingImages !== true || row % 5 !== 2),
  );
  const values = (columns: number): Float32Array =>
    Float32Array.from({ length: rows * columns }, (_, i) =>
      i % columns === 0 ? i / columns : 3 + 2 * normal(random),
    );
  const image = values(imageColumns);
  for (const [row, isThere] of imagePresent.entries())
    if (isThere === 0) image.fill(NaN, row * imageColumns, (row + 1) * imageColumns);
  const audio = values(audioColumns);
  const emotions = Int32Array.from({ length: rows }, (_, row) =>
    Math.floor((sorted === true ? row / rows : random()) * EMOTIONS.length),
  );
  const path = join(temporaryFolder(), "pairs.h5");
  const writer = await createH5(path);
  writer.edit((file) => {
    for (const [name, data] of [
      ["image_embeddings", image],
      ["audio_embeddings", audio],
    ] as const) {
      const columns = data.length / rows;
      const [chunkRows, chunkColumns] = options.chunks ?? [0, 0];
      file.create_dataset({
        name,
        data,
        shape: [rows, columns],
        dtype: "<f",
        ...(options.chunks === undefined
          ? {}
          : { chunks: [chunkRows, Math.min(chunkColumns, columns)] }),
        ...(options.gzip === true ? { compression: "gzip" as const } : {}),
      });
    }
    writeStrings(
      file,
      "labels",
      Array.from(emotions, (id) => EMOTIONS[id] ?? ""),
    );
    writeStrings(
      file,
      "paths",
      Array.from(emotions, (_, row) => `${row}.wav`),
    );
    writeStrings(
      file,
      "groups",
      Array.from(emotions, (_, row) => `speaker${row % 7}`),
    );
    writeArray(file, "image_present", imagePresent, [rows], "<B");
  });
  writer.close();
  return { path, rows, image, audio, imagePresent, emotions };
}
