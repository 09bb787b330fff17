import fc from "fast-check";
import { expect, test } from "vitest";
import { slicesOf } from "../src/stats.ts";

test("slices cover every value once, in order, and none is larger than the limit", () => {
  const shape = fc.array(fc.integer({ min: 0, max: 6 }), { minLength: 1, maxLength: 4 });
  const limit = fc.integer({ min: 1, max: 40 });
  fc.assert(
    fc.property(shape, limit, fc.integer({ min: 1, max: 4 }), (axes, most, chunkRows) => {
      const covered: number[] = [];
      for (const ranges of slicesOf(axes, most, chunkRows)) {
        const full = ranges.map(([from = 0, to], axis) => [from, to ?? axes[axis] ?? 0] as const);
        const places = indices(full, axes);
        expect(places.length).toBeLessThanOrEqual(most);
        covered.push(...places);
      }
      const total = axes.reduce((product, axis) => product * axis, 1);
      expect(covered).toEqual(Array.from({ length: total }, (_, i) => i));
    }),
  );
});

/** Row-major places of the values in a box. */
function indices(box: readonly (readonly [number, number])[], axes: readonly number[]): number[] {
  let places = [0];
  for (const [axis, [from, to]] of box.entries())
    places = places.flatMap((place) =>
      Array.from({ length: to - from }, (_, i) => place * (axes[axis] ?? 1) + from + i),
    );
  return places;
}
