import { readSafetensors } from "@emotion-service/core/interop/safetensors";
import { describe, expect, it } from "vitest";
import { expectUserError, fixture } from "./fixtures.ts";

interface Entry {
  readonly dtype: string;
  readonly shape: readonly number[];
  readonly data_offsets: readonly number[];
}

/** A safetensors file of this header (JSON, or a text as it is) and this many bytes of data, 0, 1, 2, … */
function file(header: Readonly<Record<string, unknown>> | string, dataBytes: number): Buffer {
  const json = Buffer.from(typeof header === "string" ? header : JSON.stringify(header));
  const length = Buffer.alloc(8);
  length.writeBigUInt64LE(BigInt(json.length));
  return Buffer.concat([length, json, Buffer.from(Array.from({ length: dataBytes }, (_, i) => i))]);
}

const bytes = (begin: number, end: number): Entry => ({
  dtype: "U8",
  shape: [end - begin],
  data_offsets: [begin, end],
});
const read = (buffer: Buffer) => readSafetensors(buffer, "a.safetensors");

describe("safetensors", () => {
  it("gives tensors in the header's order, wherever their data lie", () => {
    const { weights } = read(file({ b: bytes(2, 4), a: bytes(0, 2) }, 4));
    expect([...weights]).toEqual([
      ["b", { shape: [2], data: Float32Array.of(2, 3) }],
      ["a", { shape: [2], data: Float32Array.of(0, 1) }],
    ]);
  });

  it("gives the metadata, apart from the tensors", () => {
    const { weights, metadata } = read(fixture("weights.safetensors"));
    expect(metadata).toEqual(new Map([["format", "pt"]]));
    expect(weights.has("__metadata__")).toBe(false);
  });

  it("allows spaces behind the header, a tensor of one value and one of none", () => {
    const header = JSON.stringify({
      one: { dtype: "I16", shape: [], data_offsets: [0, 2] },
      none: { dtype: "F32", shape: [0, 4], data_offsets: [2, 2] },
    });
    const { weights } = read(file(`${header}    `, 2));
    expect(weights.get("one")).toEqual({ shape: [], data: Float32Array.of(256) });
    expect(weights.get("none")).toEqual({ shape: [0, 4], data: new Float32Array() });
  });

  it.each<[string, Buffer]>([
    ["tensors that overlap", file({ a: bytes(0, 3), b: bytes(2, 4) }, 4)],
    ["the same bytes twice", file({ a: bytes(0, 4), b: bytes(0, 4) }, 4)],
    ["a hole at the start", file({ a: bytes(1, 4) }, 4)],
    ["a hole between", file({ a: bytes(0, 1), b: bytes(2, 4) }, 4)],
    ["data that belong to none", file({ a: bytes(0, 3) }, 4)],
    ["data that are not there", file({ a: bytes(0, 5) }, 4)],
    ["offsets that run backwards", file({ a: { ...bytes(0, 4), data_offsets: [4, 0] } }, 4)],
    ["a shape of another size", file({ a: { ...bytes(0, 4), shape: [5] } }, 4)],
    ["a shape that is endless", file({ a: { ...bytes(0, 4), shape: [2 ** 50, 2 ** 50] } }, 4)],
    ["a negative size", file({ a: { ...bytes(0, 4), shape: [-2, -2] } }, 4)],
    ["half a size", file({ a: { ...bytes(0, 4), shape: [0.5, 8] } }, 4)],
    ["a tensor that is null", file({ a: null }, 0)],
    ["a header that is no JSON", file("{a}", 0)],
    ["a header that is longer than the file", file("{}", 0).subarray(0, -1)],
    ["metadata that are no texts", file({ __metadata__: { a: 1 } }, 0)],
  ])("refuses %s", async (_, buffer) => {
    await expectUserError(() => read(buffer), "E_INPUT_BROKEN", /a\.safetensors: damaged/);
  });

  it("refuses a dtype that is not read, by its name", async () => {
    const buffer = file({ a: { ...bytes(0, 4), dtype: "F8_E4M3" } }, 4);
    await expectUserError(() => read(buffer), "E_LAYOUT", /tensor a has the dtype F8_E4M3/);
  });
});
