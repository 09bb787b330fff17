import type { KernelFunc, TensorInfo } from "@tensorflow/tfjs";
import type { KernelHost } from "./kernelHost.ts";

/** BatchMatMul: [..., m, k] · [..., k, n], either transposed; batches of one broadcast. `original` has other types. */
export function batchMatMul(host: KernelHost, original: KernelFunc): KernelFunc {
  return (call) => {
    const { inputs, attrs } = call;
    const { a, b } = inputs as { a: TensorInfo; b: TensorInfo };
    if (a.dtype !== "float32" || b.dtype !== "float32") return original(call);
    const { transposeA, transposeB } = attrs as { transposeA: boolean; transposeB: boolean };
    const [rows = 0, columns = 0] = a.shape.slice(-2);
    const [m, k] = transposeA ? [columns, rows] : [rows, columns];
    const n = (transposeB ? b.shape.at(-2) : b.shape.at(-1)) ?? 0;
    const batches = broadcast(a.shape.slice(0, -2), b.shape.slice(0, -2));
    const room = host.kernel.multiplyRoom(m, k);
    const made = host.call([a, b], [[...batches.shape, m, n]], room, (kernel, places) => {
      const [left = 0, right = 0] = places.inputs;
      const [product = 0] = places.outputs;
      for (const [i, pair] of batches.pairs.entries())
        kernel.multiply(
          m,
          n,
          k,
          left + 4 * pair.left * m * k,
          transposeA ? 1 : k,
          transposeA ? m : 1,
          right + 4 * pair.right * k * n,
          transposeB ? 1 : n,
          transposeB ? k : 1,
          product + 4 * i * m * n,
          0,
          0,
          places.room,
        );
    });
    return made[0] as TensorInfo;
  };
}

/** The shape of the batches of a product, and which of each factor's go together. */
function broadcast(
  a: readonly number[],
  b: readonly number[],
): { shape: number[]; pairs: { left: number; right: number }[] } {
  const rank = Math.max(a.length, b.length);
  const padded = (shape: readonly number[]): number[] => [
    ...Array<number>(rank - shape.length).fill(1),
    ...shape,
  ];
  const [left, right] = [padded(a), padded(b)];
  const shape = left.map((size, axis) => (size === 1 ? (right[axis] ?? 1) : size));
  const indexIn = (sizes: readonly number[], index: number): number => {
    let [rest, flat, step] = [index, 0, 1];
    for (let axis = rank - 1; axis >= 0; axis -= 1) {
      const [size = 1, whole = 1] = [sizes[axis], shape[axis]];
      flat += size === 1 ? 0 : (rest % whole) * step;
      rest = Math.floor(rest / whole);
      step *= size;
    }
    return flat;
  };
  const pairs = Array.from({ length: shape.reduce((x, y) => x * y, 1) }, (_, i) => ({
    left: indexIn(left, i),
    right: indexIn(right, i),
  }));
  return { shape, pairs };
}
