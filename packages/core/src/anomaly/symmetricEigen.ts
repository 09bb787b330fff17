/**
 * Eigenvalues, descending, and their unit eigenvectors of a small symmetric matrix [size, size], row-major, by cyclic Jacobi
 * rotations (Golub and Van Loan, Matrix Computations, 8.5).
 */
export function symmetricEigen(
  matrix: Float64Array,
  size: number,
): { readonly values: number[]; readonly vectors: Float64Array[] } {
  const a = matrix.slice();
  const v = new Float64Array(size * size);
  for (let i = 0; i < size; i += 1) v[i * size + i] = 1;
  const total = a.reduce((sum, value) => sum + value * value, 0);
  for (let sweep = 0; sweep < 60 && offDiagonalSquares(a, size) > 1e-26 * total; sweep += 1)
    for (let p = 0; p < size; p += 1)
      for (let q = p + 1; q < size; q += 1) rotate(a, v, size, p, q);
  const order = Array.from({ length: size }, (_, i) => i).toSorted(
    (i, j) => a[j * size + j]! - a[i * size + i]!,
  );
  return {
    values: order.map((i) => a[i * size + i]!),
    vectors: order.map((i) => Float64Array.from({ length: size }, (_, row) => v[row * size + i]!)),
  };
}

function offDiagonalSquares(a: Float64Array, size: number): number {
  let sum = 0;
  for (let i = 0; i < size; i += 1)
    for (let j = 0; j < size; j += 1) if (i !== j) sum += a[i * size + j]! ** 2;
  return sum;
}

/** Turns the plane of p and q so that a[p, q] becomes 0; `v` gathers the turns. */
function rotate(a: Float64Array, v: Float64Array, size: number, p: number, q: number): void {
  const apq = a[p * size + q]!;
  if (apq === 0) return;
  const theta = (a[q * size + q]! - a[p * size + p]!) / (2 * apq);
  const t = (theta < 0 ? -1 : 1) / (Math.abs(theta) + Math.sqrt(theta * theta + 1));
  const cosine = 1 / Math.sqrt(t * t + 1);
  const sine = t * cosine;
  const turn = (array: Float64Array, i: number, j: number): void => {
    const [x, y] = [array[i]!, array[j]!];
    array[i] = cosine * x - sine * y;
    array[j] = sine * x + cosine * y;
  };
  for (let k = 0; k < size; k += 1) turn(a, k * size + p, k * size + q);
  for (let k = 0; k < size; k += 1) turn(a, p * size + k, q * size + k);
  for (let k = 0; k < size; k += 1) turn(v, k * size + p, k * size + q);
}
