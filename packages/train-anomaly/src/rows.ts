import { UserError } from "@emotion-service/core/errors";
import { requireSameEncoder } from "@emotion-service/core/hdf5/encoder";
import {
  type ModalitiesIndex,
  type ModalityIndex,
  indexModalities,
} from "@emotion-service/core/hdf5/pairedIndex";
import type { Modality } from "@emotion-service/core/model/fusion";
import { partsOf } from "@emotion-service/core/model/mixing";

/** A paired file that was opened and checked, its values not read. */
export interface Source {
  readonly split: "train" | "test";
  readonly index: ModalitiesIndex;
  /** The modalities that a row is made of, image first. */
  readonly parts: readonly (readonly [Modality, ModalityIndex])[];
  /** Rows that have at least one of them: the others have nothing to be scored by. Ascending. */
  readonly scorable: Int32Array;
}

/**
 * Opens a paired file.
 * @throws UserError when it cannot be read, or has fewer than `leastRows` rows with one of the modalities
 */
export async function openSource(
  path: string,
  split: Source["split"],
  modalities: readonly Modality[],
  leastRows: number,
): Promise<Source> {
  const flag = `--${split}_h5`;
  const index = await indexModalities(path, flag);
  const parts = partsOf(index, modalities);
  const scorable = rowsWithAny(index.rows, parts);
  if (scorable.length >= leastRows) return { split, index, parts, scorable };
  const needed = `${leastRows} row${leastRows === 1 ? "" : "s"}`;
  const which = index.rows < leastRows ? "" : ` with ${modalities.join(" or ")}`;
  throw new UserError(
    "E_INPUT_EMPTY",
    `${flag} ${path}: must have at least ${needed}${which}, has ${scorable.length}`,
    { hint: "pair more files, or give pair another --split" },
  );
}

function rowsWithAny(rows: number, parts: Source["parts"]): Int32Array {
  const found = new Int32Array(rows);
  let count = 0;
  for (let row = 0; row < rows; row += 1)
    if (parts.some(([, { present }]) => present[row] === 1)) found[count++] = row;
  return found.slice(0, count);
}

/** Throws E_SETTINGS unless both files were made with the same encoders. */
export function requireSameEncoders(train: Source, test: Source): void {
  const nameOf = ({ index }: Source): string => `${index.flag} ${index.path}`;
  for (const [modality, { encoder }] of train.parts)
    requireSameEncoder(encoder, test.index[modality].encoder, {
      expected: nameOf(train),
      actual: `${nameOf(test)}: its ${modality} embeddings`,
    });
}
