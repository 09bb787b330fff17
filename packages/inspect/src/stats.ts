import type { Dataset } from "@emotion-service/core/hdf5/file";

/** Facts about all values of a dataset; min to std are over the finite ones, null when there is none. */
export interface Stats {
  readonly count: number;
  readonly nan: number;
  readonly infinite: number;
  readonly min: number | null;
  readonly mean: number | null;
  readonly max: number | null;
  /** Standard deviation, divided by the count (numpy's default). */
  readonly std: number | null;
}

/** Values that are in memory at a time. */
const SLICE_VALUES = 1 << 20;

/** Runs over a numeric dataset [any shape] slice by slice. `onSlice` is called between slices: it may stop by throwing. */
export function statsOf(dataset: Dataset, onSlice: () => void): Stats {
  const shape = dataset.shape ?? [];
  const totals = { count: 0, nan: 0, infinite: 0, min: Infinity, max: -Infinity, mean: 0, m2: 0 };
  let finite = 0;
  for (const ranges of shape.length === 0
    ? [undefined]
    : slicesOf(shape, SLICE_VALUES, dataset.metadata.chunks?.[0])) {
    onSlice();
    const values = numbersOf(ranges === undefined ? dataset.value : dataset.slice(ranges));
    const part = summarise(values);
    totals.count += values.length;
    totals.nan += part.nan;
    totals.infinite += part.infinite;
    totals.min = Math.min(totals.min, part.min);
    totals.max = Math.max(totals.max, part.max);
    if (part.finite === 0) continue;
    // Means and sums of squares of two parts join by Chan, Golub and LeVeque's formula.
    const joined = finite + part.finite;
    const delta = part.mean - totals.mean;
    totals.mean += (delta * part.finite) / joined;
    totals.m2 += part.m2 + (delta * delta * finite * part.finite) / joined;
    finite = joined;
  }
  const { count, nan, infinite, min, max, mean, m2 } = totals;
  if (finite === 0) return { count, nan, infinite, min: null, mean: null, max: null, std: null };
  return { count, nan, infinite, min, mean, max, std: Math.sqrt(m2 / finite) };
}

function summarise(values: ArrayLike<number>) {
  let [nan, infinite, sum, min, max] = [0, 0, 0, Infinity, -Infinity];
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    if (Number.isNaN(value)) nan += 1;
    else if (!Number.isFinite(value)) infinite += 1;
    else {
      sum += value;
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  const finite = values.length - nan - infinite;
  const mean = finite === 0 ? 0 : sum / finite;
  let m2 = 0;
  for (let i = 0; i < values.length; i += 1) {
    const value = values[i] ?? NaN;
    if (Number.isFinite(value)) m2 += (value - mean) ** 2;
  }
  return { nan, infinite, finite, min, max, mean, m2 };
}

/** Numbers of any type that h5wasm hands out; throws of anything else. */
export function numbersOf(value: unknown): ArrayLike<number> {
  if (typeof value === "number" || typeof value === "bigint") return [Number(value)];
  if (value instanceof BigInt64Array || value instanceof BigUint64Array)
    return Float64Array.from(value, Number);
  if (isNumberArray(value)) return value;
  throw new Error("holds no numbers");
}

/** A typed array of other numbers than 64-bit integers. */
function isNumberArray(value: unknown): value is ArrayLike<number> {
  return ArrayBuffer.isView(value) && "length" in value;
}

/** Half-open ranges [from, to) an axis; an axis read whole has []. */
export type Ranges = ([] | [number, number])[];

/**
 * Cuts a shape into boxes that cover it once, in order.
 * @param chunkRows rows that are stored together: boxes end where they end, so that each is decompressed once
 * @yields boxes of at most `limit` values
 */
export function* slicesOf(
  shape: readonly number[],
  limit: number,
  chunkRows = 1,
): Generator<Ranges> {
  const [length = 1, ...rest] = shape;
  const rowValues = rest.reduce((product, axis) => product * axis, 1);
  if (length === 0 || rowValues === 0) return;
  const fitting = Math.floor(limit / rowValues);
  const step = fitting > chunkRows ? fitting - (fitting % chunkRows) : fitting;
  for (let row = 0; row < length; row += Math.max(1, step)) {
    if (step >= 1) yield [[row, Math.min(row + step, length)], ...rest.map((): [] => [])];
    else for (const inner of slicesOf(rest, limit)) yield [[row, row + 1], ...inner];
  }
}
