import { expect, it } from "vitest";
import { mutated } from "../scripts/fuzz/mutate.ts";
import { oldFiles, readOld } from "../scripts/fuzz/oldFiles.ts";

/** `pnpm fuzz:old-files` runs a million. */
const INPUTS = 3000;

it("old files that were changed at random are read or refused, soon, and nothing else happens", async () => {
  const corpus = oldFiles();
  const outcomes = new Set<string>();
  for (let index = 0; index < INPUTS; index += 1) {
    const start = performance.now();
    outcomes.add(await readOld(mutated(corpus, 2, index)));
    expect(performance.now() - start, `input ${index}`).toBeLessThan(10_000);
  }
  expect([...outcomes].toSorted()).toEqual(["E_INPUT_BROKEN", "E_LAYOUT", "read"]);
});

it("the same seed and index give the same input, others another", () => {
  const corpus = oldFiles();
  expect(mutated(corpus, 1, 7).equals(mutated(corpus, 1, 7))).toBe(true);
  expect(mutated(corpus, 1, 7).equals(mutated(corpus, 1, 8))).toBe(false);
  expect(mutated(corpus, 1, 7).equals(mutated(corpus, 2, 7))).toBe(false);
});
