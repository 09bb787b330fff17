import { continueRandom, createRandom } from "@emotion-service/core/random";
import { expect, it } from "vitest";

it("a stream goes on from where its state says that it stood", () => {
  const random = createRandom(42);
  for (let i = 0; i < 1000; i += 1) random();
  const state = random.state();
  const expected = Array.from({ length: 100 }, random);
  const again = continueRandom(JSON.parse(JSON.stringify(state)) as typeof state);
  expect(Array.from({ length: 100 }, again)).toEqual(expected);
});
