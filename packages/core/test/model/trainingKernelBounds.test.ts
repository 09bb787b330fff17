import {
  NONE,
  type Address,
  createMemory,
  loadTrainingKernel,
} from "@emotion-service/core/model/trainingKernel";
import { createRandom, normal } from "@emotion-service/core/random";
import fc from "fast-check";
import { describe, expect, it } from "vitest";

const memory = createMemory();
const kernel = loadTrainingKernel(memory);

/** Bytes between two arrays. All that no array may touch, and all that is to be written, is NaN of this pattern. */
const GUARD = 64;
const PATTERN = 0x7fc0_bead;

/**
 * Arrays side by side at odd multiples of 4 bytes, a guard before and after each. What a kernel reads beyond an array, or
 * in one that it has not written yet, makes NaN of its results; what it writes beyond one is seen in the guard.
 */
function createArena() {
  const words = new Uint32Array(memory.buffer, 0, 2 ** 20).fill(PATTERN);
  const floats = new Float32Array(memory.buffer, 0, words.length);
  const random = createRandom(7);
  const taken: { readonly from: number; readonly to: number }[] = []; // words
  const outputs: Float32Array[] = [];
  let next = GUARD / 4 + 1;
  const take = (bytes: number): Address => {
    const from = next;
    taken.push({ from, to: from + Math.ceil(bytes / 4) });
    next = from + Math.ceil(bytes / 4) + GUARD / 4;
    if (next > words.length) throw new Error("the arena is too small");
    return 4 * from;
  };
  return {
    /** Room that is written before it is read. */
    room: take,
    output: (size: number): Address => {
      const address = take(4 * size);
      outputs.push(floats.subarray(address / 4, address / 4 + size));
      return address;
    },
    input: (size: number, draw: (i: number) => number = () => normal(random)): Address => {
      const address = take(4 * size);
      for (let i = 0; i < size; i += 1) floats[address / 4 + i] = draw(i);
      return address;
    },
    integers: (values: readonly number[]): Address => {
      const address = take(4 * values.length);
      new Int32Array(memory.buffer, address, values.length).set(values);
      return address;
    },
    /** What the kernel left in its outputs that is no number. */
    notFinite: (): number[] =>
      outputs.flatMap((values) => [...values].filter((value) => !Number.isFinite(value))),
    /** The words that no array has and that are not as they were. */
    touched: (): number[] => {
      const bounds = [...taken, { from: words.length, to: words.length }];
      let end = 0;
      const wrong: number[] = [];
      for (const { from, to } of bounds) {
        for (let at = end; at < from; at += 1) if (words[at] !== PATTERN) wrong.push(at);
        end = to;
      }
      return wrong;
    },
  };
}
type Arena = ReturnType<typeof createArena>;

/** Runs kernels on arrays of an arena: their outputs must be numbers, and nothing else touched. */
function expectWithinBounds(run: (arena: Arena) => void): void {
  const arena = createArena();
  run(arena);
  expect(arena.notFinite()).toEqual([]);
  expect(arena.touched()).toEqual([]);
}

/** None, some, or more than are summed at a time. */
const rows = fc.oneof(fc.integer({ min: 0, max: 20 }), fc.integer({ min: 250, max: 520 }));
const columns = fc.integer({ min: 1, max: 21 });
const RUNS = { numRuns: 60, seed: 4 };
/** Sums of 64 bits and of 32, as fusedKernels.ts makes room. */
const sums = (arena: Arena, n: number, each = 1) => arena.room(8 * n * each + 4 * n);

describe("the training kernel reads and writes its arrays and nothing beside them", () => {
  it("multiply, transposed or not, with and without a bias", () => {
    const property = fc.property(
      rows,
      columns,
      fc.integer({ min: 0, max: 530 }),
      fc.boolean(),
      fc.boolean(),
      fc.boolean(),
      (m, n, k, across, down, biased) =>
        expectWithinBounds((arena) => {
          const [a, b] = [arena.input(m * k), arena.input(k * n)];
          const bias = biased ? arena.input(n) : 0;
          const c = arena.output(m * n);
          const room = arena.room(kernel.multiplyRoom(m, k));
          const [aSteps, bSteps] = [across ? [1, m] : [k, 1], down ? [1, k] : [n, 1]];
          kernel.multiply(
            m,
            n,
            k,
            a,
            aSteps[0]!,
            aSteps[1]!,
            b,
            bSteps[0]!,
            bSteps[1]!,
            c,
            0,
            bias,
            room,
          );
        }),
    );
    fc.assert(property, RUNS);
  });

  it("convolve, its gradients and the max pool's, any stride and padding", () => {
    const small = fc.integer({ min: 1, max: 4 });
    const property = fc.property(
      fc.integer({ min: 0, max: 2 }),
      fc.tuple(fc.integer({ min: 4, max: 15 }), fc.integer({ min: 4, max: 15 })),
      fc.tuple(small, small),
      fc.tuple(small, small),
      fc.tuple(fc.nat(2), fc.nat(2)),
      fc.integer({ min: 1, max: 9 }),
      fc.integer({ min: 1, max: 17 }),
      (pictures, size, window, strides, padding, channels, filters) =>
        expectWithinBounds((arena) => {
          const [height, width] = size;
          const out = size.map((pixels, i) => {
            const free = pixels + 2 * padding[i]! - window[i]!;
            return Math.floor(free / strides[i]!) + 1;
          });
          const [top, left] = padding;
          const forth = [height, width, channels, ...window, ...out, ...strides, 1, 1, top, left];
          const back = [
            ...out,
            filters,
            ...window,
            ...size,
            1,
            1,
            ...strides,
            window[0] - 1 - top,
            window[1] - 1 - left,
          ];
          const cells = window[0] * window[1];
          const pixels = pictures * height * width;
          const outputs = pictures * out[0]! * out[1]!;
          const x = arena.input(pixels * channels);
          const weights = arena.input(cells * channels * filters);
          const dy = arena.input(outputs * filters);
          const geometry = arena.integers(forth);
          const y = arena.output(outputs * filters);
          const room = kernel.convolveRoom(cells * channels, filters);
          kernel.convolve(x, pictures, geometry, weights, filters, y, arena.room(room));
          const dweights = arena.output(cells * channels * filters);
          kernel.kernelGradient(x, pictures, geometry, dy, filters, dweights, arena.room(room));
          const turned = arena.output(cells * channels * filters);
          kernel.turnKernel(weights, window[0], window[1], channels, filters, turned);
          const dx = arena.output(pixels * channels);
          const roomBack = arena.room(kernel.convolveRoom(cells * filters, channels));
          kernel.convolve(dy, pictures, arena.integers(back), turned, channels, dx, roomBack);
          // Each output of this pool is the largest of its window only by chance: nothing may be given elsewhere.
          const pooled = arena.input(outputs * channels);
          const dpooled = arena.input(outputs * channels);
          const dpool = arena.output(pixels * channels);
          kernel.maxPoolGradient(dpooled, x, pooled, pictures, geometry, dpool);
        }),
    );
    fc.assert(property, RUNS);
  });

  it("batch norm and layer norm, forth and back, rows present or not", () => {
    const property = fc.property(rows, columns, fc.boolean(), (m, n, masked) =>
      expectWithinBounds((arena) => {
        const [x, dy] = [arena.input(m * n), arena.input(m * n)];
        const [gamma, beta] = [arena.input(n), arena.input(n)];
        const present = masked ? arena.input(m, (i) => i % 2) : 0;
        const count = Math.max(1, masked ? Math.floor(m / 2) : m);
        const [y, mean, variance, scale] = [m * n, n, n, n].map(arena.output) as Four;
        const room = sums(arena, n);
        kernel.batchNorm(
          x,
          present,
          gamma,
          beta,
          m,
          n,
          count,
          1e-5,
          y,
          mean,
          variance,
          scale,
          room,
          room + 8 * n,
        );
        const [dx, dgamma, dbeta] = [m * n, n, n].map(arena.output) as Three;
        const roomBack = sums(arena, n);
        kernel.batchNormGradient(
          dy,
          x,
          present,
          gamma,
          mean,
          scale,
          m,
          n,
          count,
          dx,
          dgamma,
          dbeta,
          roomBack,
          roomBack + 8 * n,
        );
        const [normed, dxs, dgammas, dbetas] = [m * n, m * n, n, n].map(arena.output) as Four;
        kernel.layerNorm(x, gamma, beta, m, n, 1e-5, normed);
        const twice = sums(arena, n, 2);
        kernel.layerNormGradient(
          dy,
          x,
          gamma,
          m,
          n,
          1e-5,
          dxs,
          dgammas,
          dbetas,
          twice,
          twice + 16 * n,
        );
      }),
    );
    fc.assert(property, RUNS);
  });

  it("what goes row by row or value by value", () => {
    const property = fc.property(rows, columns, (m, n) =>
      expectWithinBounds((arena) => {
        const [x, dy, missing] = [arena.input(m * n), arena.input(m * n), arena.input(n)];
        const present = arena.input(m, (i) => i % 2);
        const [dropped, passed, filled, dx, summed, dmissing] = [
          m * n,
          m * n,
          m * n,
          m * n,
          n,
          n,
        ].map(arena.output) as [Address, Address, Address, Address, Address, Address];
        const room = sums(arena, n);
        const [standard, deviation] = [arena.output(m * n), arena.input(n, () => 2)];
        kernel.standardise(x, missing, deviation, m % 2 ? present : NONE, m, n, standard);
        kernel.dropout(x, m * n, 3, 2 ** 31, 2, dropped);
        kernel.reluGradient(dy, x, m * n, passed);
        kernel.fillMissing(x, present, missing, m, n, filled);
        kernel.fillMissingGradient(dy, present, m, n, dx, dmissing, room, room + 8 * n);
        kernel.columnSums(x, m, n, summed, room, room + 8 * n);
        const moments = [arena.input(m * n, () => 0), arena.input(m * n, () => 0)] as const;
        kernel.adamW(x, dy, ...moments, m * n, 1, 1, 0.1, 1);
        expect(kernel.sumOfSquares(x, m * n)).toBeGreaterThanOrEqual(0);
      }),
    );
    fc.assert(property, RUNS);
  });
});

type Three = [Address, Address, Address];
type Four = [Address, Address, Address, Address];
