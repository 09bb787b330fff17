import { UserError } from "../errors.ts";
import { allFinite } from "../finite.ts";
import { type ModalitiesIndex, type ModalityIndex, pathOfRow } from "./pairedIndex.ts";
import type { RowBlock } from "./rowBlocks.ts";

/**
 * Refuses a block of a paired file that has a value which is not finite, where its modality is there.
 * @param parts the modalities, in the order in which the block has them
 * @throws UserError E_INPUT_BROKEN naming the row
 */
export async function requireFinite(
  index: ModalitiesIndex,
  parts: readonly (readonly [name: string, ModalityIndex])[],
  { start, values }: RowBlock,
): Promise<void> {
  for (const [part, [modality, { columns, present }]] of parts.entries()) {
    const data = values[part] ?? new Float32Array();
    if (allFinite(data)) continue; // else it may be of a row that lacks the modality
    const bad = data.findIndex(
      (value, i) => !Number.isFinite(value) && present[start + Math.floor(i / columns)] === 1,
    );
    if (bad === -1) continue;
    const row = start + Math.floor(bad / columns);
    throw new UserError(
      "E_INPUT_BROKEN",
      `${index.flag} ${index.path}: '${modality}_embeddings' must hold finite numbers, has NaN or infinity in row ${row} (${await pathOfRow(index, row)})`,
      { hint: "make its embedding again, or leave that row out" },
    );
  }
}
