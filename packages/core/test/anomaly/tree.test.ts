import {
  averagePathLength,
  createGrower,
  TREE_LEAF,
  type Tree,
} from "@emotion-service/core/anomaly/tree";
import type { Matrix } from "@emotion-service/core/hdf5/file";
import { createRandom, firstIntegers, normal } from "@emotion-service/core/random";
import { describe, expect, it } from "vitest";
import { matrixOf } from "./reference.ts";

/** A tree on every row of a matrix. */
function grow(matrix: Matrix, maxDepth: number, seed: number): Tree {
  const grower = createGrower(matrix.rows, matrix.columns);
  try {
    return grower.growTree(
      matrix,
      firstIntegers(matrix.rows),
      maxDepth,
      createRandom(seed).state(),
    );
  } finally {
    grower.dispose();
  }
}

function depthOf(tree: Tree, node = 0): number {
  if (tree.left[node] === TREE_LEAF) return 0;
  return 1 + Math.max(depthOf(tree, tree.left[node]), depthOf(tree, tree.right[node]));
}

const rowOf = ({ data, columns }: Matrix, row: number): Float32Array =>
  data.subarray(row * columns, (row + 1) * columns);

describe("averagePathLength", () => {
  // scikit-learn's own test: test_iforest_average_path_length.
  it.each([
    [0, 0],
    [1, 0],
    [2, 1],
    [5, 2 * (Math.log(4) + 0.5772156649015329) - (2 * 4) / 5],
    [256, 10.244770920119917],
    [999, 2 * (Math.log(998) + 0.5772156649015329) - (2 * 998) / 999],
  ])("of %i rows", (n, expected) => {
    expect(averagePathLength(n)).toBeCloseTo(expected, 12);
  });

  it("is the mean depth of a leaf in a random search tree of n keys", () => {
    // The exact mean by its recurrence, C(n) = n + 1 + 2/n sum C(k) over total external path; c uses ln for the harmonic number.
    const external = [0, 2];
    for (let n = 2; n < 256; n += 1)
      external.push(n + 1 + (2 / n) * external.slice(0, n).reduce((sum, value) => sum + value, 0));
    expect(averagePathLength(256) / (external[255]! / 256)).toBeCloseTo(1, 3);
  });
});

describe("a grower", () => {
  const random = createRandom(4);
  const rows = matrixOf(Array.from({ length: 100 }, () => [normal(random), 7, normal(random)]));

  it("keeps the depth limit, splits every row off below it, and never tests a constant column", () => {
    const tree = grow(rows, 4, 1);
    expect(depthOf(tree)).toBe(4);
    expect(Array.from(tree.feature)).not.toContain(1);
    const deep = grow(rows, 99, 1);
    const leaves = Array.from(deep.nNodeSamples).filter((_, node) => deep.left[node] === TREE_LEAF);
    expect(leaves).toEqual(Array.from({ length: 100 }, () => 1));
  });

  it("counts rows that sum up from the leaves to the root, and parts them by its own thresholds", () => {
    const tree = grow(rows, 6, 2);
    const reached = new Int32Array(tree.left.length);
    for (let row = 0; row < 100; row += 1) {
      let node = 0;
      reached[0]! += 1;
      while (tree.left[node] !== TREE_LEAF) {
        const isLeft = rows.data[row * 3 + tree.feature[node]!]! <= tree.threshold[node]!;
        node = isLeft ? tree.left[node]! : tree.right[node]!;
        reached[node]! += 1;
      }
    }
    expect(reached).toEqual(tree.nNodeSamples);
  });

  it("grows the same tree of some rows, whatever it grew before and lies between them", () => {
    const half = matrixOf(Array.from({ length: 50 }, (_, i) => [...rowOf(rows, 2 * i)]));
    const alone = grow(half, 8, 3);
    const grower = createGrower(50, 3);
    const even = Int32Array.from({ length: 50 }, (_, i) => 2 * i);
    const state = createRandom(3).state();
    grower.growTree(rows, firstIntegers(50), 8, createRandom(1).state());
    expect(grower.growTree(rows, even, 8, state)).toEqual(alone);
    grower.dispose();
    expect(even[1]).toBe(2); // as it was
  });

  it("is one leaf where all rows are alike, and splits two that differ", () => {
    const alike = matrixOf([
      [1, 2],
      [1, 2],
      [1, 2],
    ]);
    expect(grow(alike, 9, 1).nNodeSamples).toEqual(Int32Array.of(3));
    const two = matrixOf([
      [1, 2],
      [1, 3],
    ]);
    const tree = grow(two, 9, 1);
    expect(tree.feature[0]).toBe(1);
    expect(tree.threshold[0]).toBeGreaterThanOrEqual(2);
    expect(tree.threshold[0]).toBeLessThan(3);
  });

  it("draws features evenly and thresholds uniformly", () => {
    const grid = matrixOf(Array.from({ length: 11 }, (_, i) => [i, 10 - i, i * i]));
    const roots = Array.from({ length: 3000 }, (_, seed) => grow(grid, 1, seed));
    const ofFirst = roots.filter((tree) => tree.feature[0] === 0);
    expect(ofFirst.length / 3000).toBeCloseTo(1 / 3, 1);
    const mean = ofFirst.reduce((sum, tree) => sum + tree.threshold[0]!, 0) / ofFirst.length;
    expect(Math.abs(mean - 5)).toBeLessThan(4 * (10 / Math.sqrt(12 * ofFirst.length)));
  });
});
