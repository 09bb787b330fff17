import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { countBy, createCsvWriter, readCsv, writeCsv } from "@emotion-service/core/files/manifest";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";

const csvPath = (): string => join(temporaryFolder(), "table.csv");

describe("CSV", () => {
  it("has a header line, the columns in order, quotes where they are needed, lines that end in \\n", () => {
    const path = csvPath();
    writeCsv(
      path,
      ["path", "count", "note"],
      [
        { path: "a, b.wav", count: 1, note: 'says "no"' },
        { path: "c.wav", count: 0, note: undefined },
      ],
    );
    expect(readFileSync(path, "utf8")).toBe(
      'path,count,note\n"a, b.wav",1,"says ""no"""\nc.wav,0,\n',
    );
  });

  it("comes back, whatever the text is", () => {
    const path = csvPath();
    const row = fc.record({ path: fc.string({ minLength: 1 }), label: fc.string() });
    fc.assert(
      fc.property(fc.array(row, { maxLength: 5 }), (rows) => {
        // A line of nothing but spaces is an empty line to a reader.
        fc.pre(rows.every(({ path: text }) => text.trim() !== ""));
        writeCsv(path, ["path", "label"], rows);
        expect(readCsv(path, "--labels", ["path", "label"])).toEqual(rows);
      }),
      { numRuns: 100 },
    );
  });

  it("written line by line is as written at once", () => {
    const [atOnce, byLine] = [csvPath(), csvPath()];
    const rows = Array.from({ length: 10_000 }, (_, i) => ({ path: `a, ${i}.wav`, score: i / 7 }));
    writeCsv(atOnce, ["path", "score"], rows);
    const writer = createCsvWriter(byLine, ["path", "score"]);
    for (const { path, score } of rows) writer.write([path, score]);
    writer.close();
    expect(readFileSync(byLine, "utf8")).toBe(readFileSync(atOnce, "utf8"));
  });

  it("is read with a byte-order mark, \\r\\n and empty lines, as spreadsheets write it", () => {
    const path = csvPath();
    writeFileSync(path, "\uFEFFpath,label,extra\r\na.wav,sad,1\r\n\r\nb.wav,happy,2\r\n");
    expect(readCsv(path, "--labels", ["path", "label"])).toEqual([
      { path: "a.wav", label: "sad", extra: "1" },
      { path: "b.wav", label: "happy", extra: "2" },
    ]);
  });

  it("that lacks a column is refused", () => {
    const path = csvPath();
    writeFileSync(path, "file,label\na.wav,sad\n");
    expect(() => readCsv(path, "--labels", ["path", "label"])).toThrow(
      expect.objectContaining({
        code: "E_LAYOUT",
        message: `--labels ${path}: lacks the column 'path' (it has: file, label)`,
      }),
    );
  });

  it("that is missing is refused", () => {
    const path = csvPath();
    expect(() => readCsv(path, "--labels", [])).toThrow(`--labels ${path}: no such file`);
  });
});

it("countBy counts, the most frequent first, ties by name", () => {
  expect(countBy(["b", "c", "a", "c"])).toEqual([
    ["c", 2],
    ["a", 1],
    ["b", 1],
  ]);
  expect(countBy([])).toEqual([]);
});
