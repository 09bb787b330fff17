import type { Dataset, File, Group, H5Writer } from "./file.ts";

/** How a dataset [n, ...cell] of 32-bit floats lies in a file. */
export interface GrowingLayout {
  readonly group: string;
  readonly name: string;
  readonly cell: readonly number[];
  /** Rows of a chunk. */
  readonly chunk: number;
  readonly compression?: "none" | "gzip";
}

/** A dataset that grows along its first axis; it is there from the first call, be it of no row. */
export interface GrowingDataset {
  /** @param values of `count` rows, [count, ...cell] */
  append(values: Float32Array, count: number): void;
}

export function growingDataset(
  writer: H5Writer,
  { group, name, cell, chunk, compression }: GrowingLayout,
): GrowingDataset {
  let dataset: Dataset | undefined;
  let length = 0;
  return {
    append: (values, count) =>
      writer.edit((file) => {
        dataset ??= groupOf(file, group).create_dataset({
          name,
          data: new Float32Array(0),
          shape: [0, ...cell],
          maxshape: [null, ...cell],
          chunks: [chunk, ...cell],
          dtype: "<f",
          ...(compression === "gzip" ? { compression: 4 } : {}),
        });
        if (count === 0) return;
        dataset.resize([length + count, ...cell]);
        dataset.write_slice([[length, length + count], ...cell.map((): [] => [])], values);
        length += count;
      }),
  };
}

/** The group of that name, made where it is not there. */
export function groupOf(file: File, name: string): Group {
  const group = file.paths().includes(name) ? file.get(name) : undefined;
  if (group === undefined) return file.create_group(name);
  if (group === null || !("create_group" in group)) throw new Error(`${name} is no group`);
  return group;
}
