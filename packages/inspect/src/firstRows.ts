import type { Dataset } from "@emotion-service/core/hdf5/file";
import { type Plain, isIterable, plain } from "./values.ts";
import { canBeSliced } from "./dtype.ts";

/** Values of one row that are shown. */
const ROW_VALUES = 4;
/** Values of a type that is read whole are read up to this size, in bytes. */
const WHOLE_BYTES = 1 << 24;

/** The first `count` rows of a dataset, of each its first few values; undefined where it is too large to read whole. */
export function firstRows(dataset: Dataset, count: number): Plain[] | undefined {
  const { metadata } = dataset;
  const { shape } = metadata;
  if (shape === null) return [];
  if (shape.includes(0)) return [];
  if (shape.length === 0) return [plain(dataset.value)];
  if (!canBeSliced(metadata))
    return metadata.size * metadata.total_size > WHOLE_BYTES
      ? undefined
      : listOf(dataset.value).slice(0, count).map(plain);
  const [rows = 0, columns = 1] = shape;
  const [shownRows, shownColumns] = [Math.min(count, rows), Math.min(ROW_VALUES, columns)];
  const values = listOf(
    dataset.slice(shape.map((_, axis) => [0, [shownRows, shownColumns][axis] ?? 1])),
  );
  if (shape.length === 1) return values.map(plain);
  const rowValues = shape.slice(1).reduce((product, axis) => product * axis, 1);
  return Array.from({ length: shownRows }, (_, row) => {
    const shown = values.slice(row * shownColumns, (row + 1) * shownColumns).map(plain);
    return rowValues > shownColumns ? [...shown, `… ${rowValues - shownColumns} more`] : shown;
  });
}

function listOf(value: unknown): unknown[] {
  return isIterable(value) ? Array.from(value) : [value];
}
