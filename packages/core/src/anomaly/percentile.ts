import { kernel } from "../audio/kernel.ts";

/**
 * The q-th percentile of finite `values` (at least one), q in [0, 100], linear between neighbours: numpy.percentile's default, with
 * the same rounding.
 */
export function percentile(values: ArrayLike<number>, q: number): number {
  const count = values.length;
  const position = (count - 1) * (q / 100);
  const below = Math.floor(position);
  const above = Math.min(below + 1, count - 1);
  const t = position - below;
  const address = kernel.allocate(count * Float64Array.BYTES_PER_ELEMENT);
  const kept = new Float64Array(kernel.memory.buffer, address, count);
  kept.set(values);
  kernel.select(address, count, below);
  const behind = address + (below + 1) * Float64Array.BYTES_PER_ELEMENT;
  kernel.select(behind, count - below - 1, 0);
  const [a, b] = [kept[below]!, kept[above]!];
  kernel.release(address);
  return t < 0.5 ? a + (b - a) * t : b - (b - a) * (1 - t);
}
