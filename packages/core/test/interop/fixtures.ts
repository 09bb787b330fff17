import { readFileSync } from "node:fs";
import { join } from "node:path";
import { UserError } from "@emotion-service/core/errors";
import { expect } from "vitest";

/** What scripts/reference/torch_weights.py wrote. */
export const FIXTURES = join(import.meta.dirname, "../fixtures/torch");

export const fixture = (name: string): Buffer => readFileSync(join(FIXTURES, name));

interface Oracle {
  readonly marker: string;
  /** Values as float32; those that JSON has not, as text. */
  readonly weights: Readonly<
    Record<string, { readonly shape: number[]; readonly data: readonly (number | string)[] }>
  >;
  readonly few: readonly string[];
  readonly safetensors: readonly string[];
}
export const oracle = JSON.parse(fixture("oracle.json").toString()) as Oracle;

/** The oracle's weights of these names, as readers give them. */
export function expected(names: readonly string[]): unknown {
  const entries = new Map(Object.entries(oracle.weights));
  return new Map(
    names.map((name) => {
      const weight = entries.get(name)!;
      return [name, { shape: weight.shape, data: Float32Array.from(weight.data, numberOf) }];
    }),
  );
}

function numberOf(value: number | string): number {
  return Number(typeof value === "string" ? value.replace("inf", "Infinity") : value);
}

/** What `work` fails with, which must be a UserError; undefined when it does not fail. */
export async function userErrorOf(work: () => unknown): Promise<UserError | undefined> {
  try {
    await work();
    return undefined;
  } catch (error) {
    if (!(error instanceof UserError)) throw error;
    return error;
  }
}

/** Expects a UserError of the code whose message and hint match. */
export async function expectUserError(
  work: () => unknown,
  code: string,
  text: RegExp,
): Promise<void> {
  const error = await userErrorOf(work);
  expect(error?.code).toBe(code);
  expect(`${error?.message} ${error?.hint}`).toMatch(text);
}
