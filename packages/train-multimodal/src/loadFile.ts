import type { OnProgress } from "@emotion-service/core/cli/progress";
import type { EncoderInfo } from "@emotion-service/core/hdf5/encoder";
import type { PairedIndex } from "@emotion-service/core/hdf5/pairedIndex";
import { requireFinite } from "@emotion-service/core/hdf5/requireFinite";
import {
  type ReadingOptions,
  type RowBlock,
  readBlocks,
} from "@emotion-service/core/hdf5/rowBlocks";
import {
  type RowValues,
  type Standardisation,
  fitStandardisation,
} from "@emotion-service/core/model/dataset";
import type { Modality } from "@emotion-service/core/model/fusion";
import { partsOf, rangesInOrder, requestOf } from "@emotion-service/core/model/mixing";
import { createRunningStatistics } from "@emotion-service/core/model/runningStatistics";
import type { Choice } from "./chooseRows.ts";

export interface LoadOptions extends ReadingOptions {
  readonly modalities: readonly Modality[];
  readonly onProgress?: OnProgress;
}

/** What a model must know of one of its inputs. */
interface InputFacts {
  readonly encoder: EncoderInfo;
  readonly standardisation: Standardisation;
}

/** A file whose values are known to be finite. */
export interface LoadedFile {
  /** Its values, all rows, where they are held in memory. */
  readonly values: RowValues | undefined;
  /** Over the rows chosen. */
  readonly inputs: Partial<Record<Modality, InputFacts>>;
}

/**
 * Reads all values of a file into memory.
 * @throws UserError E_INPUT_BROKEN when one is not finite where its modality is there, or cannot be read; E_ABORTED
 */
export async function readWhole(
  { index, rows }: Choice,
  options: LoadOptions,
): Promise<LoadedFile> {
  const parts = partsOf(index, options.modalities);
  const all = parts.map(([, { columns }]) => new Float32Array(index.rows * columns));
  await eachBlock(index, options, ({ start, values }) => {
    for (const [part, [, { columns }]] of parts.entries())
      all[part]?.set(values[part] ?? [], start * columns);
  });
  const values: { -readonly [M in keyof RowValues]: RowValues[M] } = { rows: index.rows };
  const inputs: LoadedFile["inputs"] = {};
  const isChosen = maskOf(index, rows);
  for (const [part, [modality, { encoder, columns, present }]] of parts.entries()) {
    const matrix = { data: all[part] ?? new Float32Array(), rows: index.rows, columns };
    values[modality] = { encoder, values: matrix, present };
    const counted = present.map((isThere, row) => isThere & (isChosen[row] ?? 0));
    const standardisation = fitStandardisation({ encoder, values: matrix, present: counted });
    inputs[modality] = { encoder, standardisation };
  }
  return { values, inputs };
}

/**
 * Goes once through all values of a file, and holds none.
 * @throws as {@link readWhole}
 */
export async function passThrough(
  { index, rows }: Choice,
  options: LoadOptions,
): Promise<LoadedFile> {
  const parts = partsOf(index, options.modalities);
  const isChosen = maskOf(index, rows);
  const statistics = parts.map(([, { columns }]) => createRunningStatistics(columns));
  await eachBlock(index, options, ({ start, stop, values }) => {
    for (const [part, [, { present }]] of parts.entries()) {
      const counted: number[] = [];
      for (let row = start; row < stop; row += 1)
        if (isChosen[row] === 1 && present[row] === 1) counted.push(row - start);
      statistics[part]?.add(values[part] ?? new Float32Array(), counted);
    }
  });
  const inputs: LoadedFile["inputs"] = {};
  for (const [part, [modality, { encoder }]] of parts.entries()) {
    const standardisation = statistics[part]?.finish();
    if (standardisation !== undefined) inputs[modality] = { encoder, standardisation };
  }
  return { values: undefined, inputs };
}

/** [N]: 1 for the rows named. */
function maskOf(index: PairedIndex, rows: Int32Array): Uint8Array {
  const mask = new Uint8Array(index.rows);
  for (const row of rows) mask[row] = 1;
  return mask;
}

/** Reads a file from its first row to its last; every value must be finite where its modality is there. */
async function eachBlock(
  index: PairedIndex,
  options: LoadOptions,
  visit: (block: RowBlock) => void,
): Promise<void> {
  const { modalities, onProgress } = options;
  const ranges = rangesInOrder(index, modalities);
  const parts = partsOf(index, modalities);
  for await (const block of readBlocks(requestOf(index, modalities), ranges, options)) {
    await requireFinite(index, parts, block);
    visit(block);
    onProgress?.(block.stop, index.rows, "rows");
  }
}
