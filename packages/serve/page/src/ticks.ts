/** Steps of an axis in seconds that people count in. */
const STEPS = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 1200, 1800, 3600];

/** Places for labels on an axis of `seconds`, at most `most` of them. */
export function timeTicks(seconds: number, most: number): number[] {
  const step = STEPS.find((each) => seconds / each <= most - 1) ?? Math.ceil(seconds / most);
  const count = Math.floor(seconds / step + 1e-9) + 1;
  return Array.from({ length: count }, (_, i) => Math.round(i * step * 1e6) / 1e6);
}
