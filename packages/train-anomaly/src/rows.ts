import { UserError } from "@emotion-service/core/errors";
import { requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import { type PairedFile, readPaired } from "@emotion-service/core/hdf5/paired";
import { factsOf } from "@emotion-service/core/labels";

/** A paired file that was read and checked, with the words that name it in messages. */
export interface Source {
  readonly split: "train" | "test";
  readonly path: string;
  readonly flag: "--train_h5" | "--test_h5";
  readonly file: PairedFile;
}

/**
 * Reads a paired file.
 * @throws UserError when it cannot be read, has fewer than `leastRows` rows, or holds a value that is not finite.
 */
export async function readSource(
  path: string,
  split: Source["split"],
  leastRows: number,
): Promise<Source> {
  const flag = `--${split}_h5` as const;
  const file = await readPaired(path, flag, (name) => factsOf(name).speaker);
  const { rows } = file;
  if (rows.paths.length < leastRows)
    throw new UserError(
      "E_INPUT_EMPTY",
      `${flag} ${path}: must have at least ${leastRows} row${leastRows === 1 ? "" : "s"}, has ${rows.paths.length}`,
      { hint: "pair more files, or give pair another --split" },
    );
  const check = (name: string, matrix: Matrix, present: Uint8Array): void => {
    const row = rowNotFinite(matrix, present);
    if (row === undefined) return;
    throw new UserError(
      "E_INPUT_BROKEN",
      `${flag} ${path}: '${name}' must hold finite numbers, has NaN or infinity in row ${row} (${rows.paths[row]})`,
      { hint: "make its embedding again, or leave that row out" },
    );
  };
  check("image_embeddings", rows.image, rows.imagePresent);
  check("audio_embeddings", rows.audio, rows.audioPresent);
  return { split, path, flag, file };
}

/** Throws E_SETTINGS unless both files were made with the same encoders. */
export function requireSameEncoders(train: Source, test: Source): void {
  const names = (modality: string) => ({
    expected: `${train.flag} ${train.path}`,
    actual: `${test.flag} ${test.path}: its ${modality} embeddings`,
  });
  requireSameEncoder(train.file.imageEncoder, test.file.imageEncoder, names("image"));
  requireSameEncoder(train.file.audioEncoder, test.file.audioEncoder, names("audio"));
}

function rowNotFinite({ data, rows, columns }: Matrix, present: Uint8Array): number | undefined {
  for (let row = 0; row < rows; row += 1) {
    if (present[row] === 0) continue;
    for (let i = row * columns; i < (row + 1) * columns; i += 1)
      if (!Number.isFinite(data[i])) return row;
  }
  return undefined;
}
