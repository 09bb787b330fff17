import { deflateSync, gzipSync } from "node:zlib";
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { decisionFunction } from "@emotion-service/core/anomaly/forest";
import { sklearnForestOfBytes } from "@emotion-service/core/anomaly/sklearnForest";
import { describe, expect, it } from "vitest";
import { expectUserError } from "../interop/fixtures.ts";

/** What scripts/reference/sklearn_forests.py wrote. */
const FOLDER = join(import.meta.dirname, "../fixtures/sklearn");
const fixture = (name: string): Buffer => readFileSync(join(FOLDER, name));

interface Oracle {
  readonly rows: readonly (readonly number[])[];
  readonly files: Readonly<Record<string, OracleFile>>;
}
interface OracleFile {
  readonly version: string;
  readonly offset: number;
  readonly max_samples: number;
  readonly trees: number;
  readonly decision_function: readonly number[];
}
const oracle = JSON.parse(fixture("oracle.json").toString()) as Oracle;
const rows = {
  data: Float32Array.from(oracle.rows.flat()),
  rows: oracle.rows.length,
  columns: oracle.rows[0]!.length,
};
const read = (bytes: Uint8Array): ReturnType<typeof sklearnForestOfBytes> =>
  sklearnForestOfBytes(bytes, "a.joblib");

describe("scikit-learn's decision function", () => {
  it.each(Object.entries(oracle.files))("%s", (name, expected) => {
    const { forest, importedFrom } = read(fixture(name));
    expect(importedFrom).toBe(`scikit-learn ${expected.version}`);
    expect(forest.offset).toBe(expected.offset);
    expect(forest.maxSamples).toBe(expected.max_samples);
    expect(forest.trees).toHaveLength(expected.trees);
    const worst = decisionFunction(forest, rows).map((score, row) =>
      Math.abs(score - expected.decision_function[row]!),
    );
    expect(Math.max(...worst)).toBeLessThan(1e-12); // the same sums in another order
  });

  it("of every version and every kind of file that there is a fixture for", () => {
    const others = [
      "face_audio_stats.joblib",
      "not_fitted.pkl",
      "pipeline.pkl",
      "scaler_alone.pkl",
      "two_forests.pkl.gz",
    ];
    const files = readdirSync(FOLDER).filter((name) => name !== "oracle.json");
    expect(Object.keys(oracle.files).toSorted()).toEqual(
      files.filter((name) => !others.includes(name)).toSorted(),
    );
  });

  it("is of the rows as the dict's scaler makes them", () => {
    expect(read(fixture("scaler.joblib")).scaled).toBe(true);
    expect(read(fixture("zlib.joblib")).scaled).toBe(false);
  });
});

it("says how it was fitted", () => {
  expect(read(fixture("protocol4.pkl"))).toMatchObject({
    seed: 3,
    trainingRows: 60,
    forest: { nFeatures: 6, contamination: 0.1 },
  });
  expect(read(fixture("dict.joblib"))).toMatchObject({
    seed: null, // a generator
    forest: { contamination: "auto", offset: -0.5, maxSamples: 60 },
  });
});

/** A pickle of protocol 2 that calls os.system, in a text as Python writes it. */
const HOSTILE = Buffer.from(
  "\u0080\u0002cos\nsystem\nX\u0002\u0000\u0000\u0000ls\u0085R.",
  "latin1",
);

describe("refused by name", () => {
  it.each<[string, Uint8Array, string, RegExp]>([
    ["a call", HOSTILE, "E_LAYOUT", /"os system".*nothing of it was run/],
    ["a call, compressed", deflateSync(HOSTILE), "E_LAYOUT", /"os system"/],
    ["a pipeline", fixture("pipeline.pkl"), "E_LAYOUT", /"sklearn\.pipeline Pipeline"/],
    ["a scaler alone", fixture("scaler_alone.pkl"), "E_LAYOUT", /holds 0 \(in it: sklearn\.pre/],
    ["two forests", fixture("two_forests.pkl.gz"), "E_LAYOUT", /must hold one .*holds 2/],
    ["a forest that was never fitted", fixture("not_fitted.pkl"), "E_LAYOUT", /without trees/],
    ["joblib's old format", Buffer.from("ZF0x10  "), "E_LAYOUT", /before 0\.10.*joblib\.dump/],
    ["bz2", Buffer.from("BZh91AY"), "E_LAYOUT", /bz2.*joblib\.dump/],
    ["xz", Buffer.from("\u00fd7zXZ\u0000", "latin1"), "E_LAYOUT", /xz/],
    ["lzma", Buffer.from("]\u0000\u0000\u0080", "latin1"), "E_LAYOUT", /lzma/],
    ["lz4", Buffer.from("\u0004\u0022M\u0018dp", "latin1"), "E_LAYOUT", /lz4/],
    ["another file", Buffer.from("{}"), "E_LAYOUT", /begins as neither/],
    ["nothing", Buffer.alloc(0), "E_INPUT_BROKEN", /empty/],
    ["the half of a file", fixture("zlib.joblib").subarray(0, 2000), "E_INPUT_BROKEN", /./],
    ["a bomb", gzipSync(Buffer.alloc(2 ** 26)), "E_LAYOUT", /64 times its compressed size/],
    ["a file of empty dicts", gzipSync(pickle("}".repeat(250_001))), "E_LAYOUT", /at most 250000/],
  ])("%s", async (_, bytes, code, text) => {
    await expectUserError(() => read(bytes), code, text);
  });
});

function pickle(program: string): Buffer {
  return Buffer.from(`\u0080\u0002${program}.`, "latin1");
}
