import type { Matrix } from "../hdf5/file.ts";
import { createRandom, drawFrom, firstIntegers, normal } from "../random.ts";
import { symmetricEigen } from "./symmetricEigen.ts";

/** The most rows that the axes need to be found on. */
const MOST_ROWS = 4096;
/** Lanczos steps: 2 axes of any spectrum met in practice are exact to plotting and to four digits well before. */
const MAX_STEPS = 64;
const SEED = 1;

/** Two principal axes of standardised columns. */
export interface Pca {
  /** Mean and deviation of each column, [D]; the deviation of a constant column is taken as 1. */
  readonly mean: Float64Array;
  readonly deviation: Float64Array;
  /** Unit vectors, 2 × [D]; the entry of greatest magnitude of each is positive. */
  readonly components: readonly [Float64Array, Float64Array];
  /** Share of the total variance along each axis, in [0, 1], descending. */
  readonly explainedVarianceRatio: readonly [number, number];
  /** Rows the axes were found on. */
  readonly fittedRows: number;
}

/** The rows to find the axes on: all of `rows` rows, or a seeded sample of 4096, ascending. */
export function drawPcaRows(rows: number): Int32Array {
  return drawFrom(firstIntegers(rows), Math.min(MOST_ROWS, rows), createRandom(SEED)).sort();
}

/**
 * PCA to 2 components of rows [N, D], N >= 2, each column standardised first, so that no modality rules by its scale.
 * The covariance is never formed: Lanczos iterations with full reorthogonalisation, 2 N D operations a step
 * (Golub and Van Loan, Matrix Computations, 10.1). Same rows, same axes.
 */
export function fitPca(matrix: Matrix): Pca {
  const { mean, deviation, standardised, variance } = standardise(matrix);
  const { values, vectors } = leadingAxes(standardised);
  const ratio = (k: number): number => (variance > 0 ? Math.max(0, values[k] ?? 0) / variance : 0);
  const component = (k: number): Float64Array => vectors[k] ?? new Float64Array(matrix.columns);
  return {
    mean,
    deviation,
    components: [component(0), component(1)],
    explainedVarianceRatio: [ratio(0), ratio(1)],
    fittedRows: matrix.rows,
  };
}

/** Rows in the plane of the two axes, [N, 2] row-major, in units of a column's deviation. */
export function projectPca(pca: Pca, { data, rows, columns }: Matrix): Float64Array {
  const projected = new Float64Array(rows * 2);
  for (const [k, component] of pca.components.entries()) {
    const weights = component.map((weight, column) => weight / pca.deviation[column]!);
    const shift = dot(weights, pca.mean);
    for (let row = 0; row < rows; row += 1) {
      let sum = -shift;
      for (let column = 0; column < columns; column += 1)
        sum += weights[column]! * data[row * columns + column]!;
      projected[row * 2 + k] = sum;
    }
  }
  return projected;
}

/** Columns to mean 0 and deviation 1 (0 where constant); `variance`: their total. */
function standardise({ data, rows, columns }: Matrix) {
  const mean = new Float64Array(columns);
  const squares = new Float64Array(columns);
  for (let i = 0; i < data.length; i += 1) mean[i % columns]! += data[i]! / rows;
  for (let i = 0; i < data.length; i += 1)
    squares[i % columns]! += (data[i]! - mean[i % columns]!) ** 2;
  const isConstant = squares.map((sum, column) =>
    Number(Math.sqrt(sum / rows) <= 1e-7 * Math.max(1, Math.abs(mean[column]!))),
  );
  const deviation = squares.map((sum, column) =>
    isConstant[column] === 1 ? 1 : Math.sqrt(sum / rows),
  );
  const standardised = {
    data: data.map((value, i) =>
      isConstant[i % columns] === 1 ? 0 : (value - mean[i % columns]!) / deviation[i % columns]!,
    ),
    rows,
    columns,
  };
  return { mean, deviation, standardised, variance: isConstant.filter((is) => is === 0).length };
}

interface Axes {
  readonly values: number[];
  readonly vectors: Float64Array[];
}

/** The greatest two eigenvalues and -vectors of the covariance XᵀX / N of X, [N, D], whose columns have mean 0. */
function leadingAxes(x: Matrix): Axes {
  const steps = Math.min(x.columns, MAX_STEPS);
  const { basis, diagonal, offDiagonal } = lanczos(x, steps);
  const size = basis.length;
  const tridiagonal = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) {
    tridiagonal[i * size + i] = diagonal[i]!;
    if (i + 1 === size) break;
    tridiagonal[i * size + i + 1] = offDiagonal[i]!;
    tridiagonal[(i + 1) * size + i] = offDiagonal[i]!;
  }
  const { values, vectors } = symmetricEigen(tridiagonal, size);
  const toAxis = (vector: Float64Array): Float64Array => {
    const axis = new Float64Array(x.columns);
    for (const [i, base] of basis.entries()) addScaled(axis, base, vector[i]!);
    return withPositivePeak(axis);
  };
  return { values: values.slice(0, 2), vectors: vectors.slice(0, 2).map(toAxis) };
}

/** An orthonormal basis in which the covariance is tridiagonal; where the Krylov space ends, it goes on from a new direction. */
function lanczos(x: Matrix, steps: number) {
  const random = createRandom(SEED);
  const basis: Float64Array[] = [];
  const diagonal: number[] = [];
  const offDiagonal: number[] = [];
  const fresh = (): Float64Array => {
    const direction = Float64Array.from({ length: x.columns }, () => normal(random));
    orthogonalise(direction, basis);
    return scaled(direction, 1 / norm(direction));
  };
  let current = fresh();
  for (let step = 0; step < steps; step += 1) {
    basis.push(current);
    const next = covarianceTimes(x, current);
    diagonal.push(dot(next, current));
    orthogonalise(next, basis);
    const length = norm(next);
    const ended = length < 1e-10 * x.columns;
    offDiagonal.push(ended ? 0 : length);
    if (step + 1 < steps) current = ended ? fresh() : scaled(next, 1 / length);
  }
  return { basis, diagonal, offDiagonal };
}

/** XᵀX v / N, [D]. */
function covarianceTimes({ data, rows, columns }: Matrix, v: Float64Array): Float64Array {
  const result = new Float64Array(columns);
  for (let row = 0; row < rows; row += 1) {
    const first = row * columns;
    let along = 0;
    for (let column = 0; column < columns; column += 1) along += data[first + column]! * v[column]!;
    along /= rows;
    for (let column = 0; column < columns; column += 1)
      result[column]! += along * data[first + column]!;
  }
  return result;
}

/** Takes out of `vector` what lies along the basis; twice, against rounding. */
function orthogonalise(vector: Float64Array, basis: readonly Float64Array[]): void {
  for (let pass = 0; pass < 2; pass += 1)
    for (const base of basis) addScaled(vector, base, -dot(vector, base));
}

function withPositivePeak(vector: Float64Array): Float64Array {
  let peak = 0;
  for (const value of vector) if (Math.abs(value) > Math.abs(peak)) peak = value;
  return peak < 0 ? scaled(vector, -1) : vector;
}

function addScaled(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let i = 0; i < target.length; i += 1) target[i]! += factor * vector[i]!;
}

function scaled(vector: Float64Array, factor: number): Float64Array {
  return vector.map((value) => value * factor);
}

function dot(a: Float64Array, b: Float64Array): number {
  let sum = 0;
  for (let i = 0; i < a.length; i += 1) sum += a[i]! * b[i]!;
  return sum;
}

function norm(vector: Float64Array): number {
  return Math.sqrt(dot(vector, vector));
}
