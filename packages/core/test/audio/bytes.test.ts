import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { bytesOfArray, bytesOfFile, sliceOf, withoutTags } from "@emotion-service/core/audio/bytes";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { ID3V1, ID3V2, ascii, concatenate } from "./wavBytes.ts";

const content = ascii("0123456789");

function inFile(bytes: Uint8Array): string {
  const path = join(temporaryFolder(), "bytes");
  writeFileSync(path, bytes);
  return path;
}

describe.each([
  ["a file", () => bytesOfFile(inFile(content))],
  ["an array", () => bytesOfArray(content)],
])("bytes of %s", (_, open) => {
  it.each([
    [0, 10, "0123456789"],
    [3, 4, "3456"],
    [8, 10, "89"],
    [10, 1, ""],
    [99, 1, ""],
  ])("from %i on, at most %i", (position, length, expected) => {
    const bytes = open();
    expect(bytes.size).toBe(10);
    expect(sliceOf(bytes, position, length)).toEqual(ascii(expected));
    expect(bytes.readInto(new Uint8Array(length), position)).toBe(expected.length);
  });
});

it("a long file, read across the part that is kept and beyond it", () => {
  const all = Uint8Array.from({ length: 10_000 }, (_, i) => (i * i) % 251);
  const bytes = bytesOfFile(inFile(all));
  for (const position of [0, 4000, 4090, 4095, 4096, 9995])
    expect(sliceOf(bytes, position, 10)).toEqual(all.subarray(position, position + 10));
  expect(sliceOf(bytes, 0, 10_000)).toEqual(all);
});

it("a file that is not there, and a folder, are refused with their cause", () => {
  const missing = join(temporaryFolder(), "none");
  expect(() => bytesOfFile(missing)).toThrow(
    expect.objectContaining({
      code: "E_INPUT_BROKEN",
      message: expect.stringContaining(`${missing}: cannot be read (ENOENT`),
    }),
  );
  const folder = temporaryFolder();
  expect(() => bytesOfFile(folder)).toThrow(`${folder}: cannot be read (EISDIR`);
});

describe("without tags", () => {
  const stripped = (...parts: Uint8Array[]): Uint8Array => {
    const bytes = withoutTags(bytesOfArray(concatenate(parts)));
    const all = sliceOf(bytes, 0, 1000);
    expect(all).toHaveLength(bytes.size);
    return all;
  };

  it.each([
    ["none", [content]],
    ["one before", [ID3V2, content]],
    ["one before, with a footer", [ID3V2.with(5, 0x10), new Uint8Array(10), content]],
    ["one after", [content, ID3V1]],
    ["both", [ID3V2, content, ID3V1]],
  ])("%s", (_, parts) => {
    expect(stripped(...parts)).toEqual(content);
  });

  it.each([
    ["a tag alone", [ID3V2]],
    ["a tag that claims more than there is", [ID3V2.subarray(0, 50)]],
    ["both tags alone", [ID3V2, ID3V1]],
    ["no bytes", []],
  ])("%s leaves nothing", (_, parts) => {
    expect(stripped(...parts)).toHaveLength(0);
  });

  it("the start of a tag that is cut is content", () => {
    expect(stripped(ascii("ID3"))).toEqual(ascii("ID3"));
  });

  it("reads in the middle, and no further than the tag at the end", () => {
    const bytes = withoutTags(bytesOfArray(concatenate([ID3V2, content, ID3V1])));
    expect(sliceOf(bytes, 7, 100)).toEqual(ascii("789"));
    const target = new Uint8Array(6);
    expect(bytes.readInto(target, 7)).toBe(3);
    expect(target).toEqual(Uint8Array.of(0x37, 0x38, 0x39, 0, 0, 0));
  });
});
