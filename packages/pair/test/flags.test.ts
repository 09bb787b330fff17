import { describe, expect, test } from "vitest";
import { parseClasses, parsePattern, parseSplit } from "../src/flags.ts";

describe("--split", () => {
  test.each([
    ["0.8,0.1,0.1", { train: 0.8, val: 0.1, test: 0.1 }],
    ["0.8, 0.2, 0", { train: 0.8, val: 0.2, test: 0 }],
    ["1,0,0", { train: 1, val: 0, test: 0 }],
    ["0.70,0.15,0.15", { train: 0.7, val: 0.15, test: 0.15 }],
  ])("%s", (text, fractions) => {
    expect(Object.values(parseSplit(text))).toBeAllClose(Object.values(fractions), { atol: 1e-12 });
  });

  test("none", () => expect(parseSplit("none")).toBe("none"));

  test("thirds add up to 1", () => {
    expect(Object.values(parseSplit("0.33,0.33,0.33"))).toBeAllClose([1 / 3, 1 / 3, 1 / 3]);
  });

  test.each(["0.8,0.2", "0.8,0.1,0.2", "1.1,-0.1,0", "0.8,0.1,", "a,b,c", "", "0.5,0.25,0.2"])(
    "refuses '%s'",
    (text) => {
      expect(() => parseSplit(text)).toThrow("three fractions of at least 0 that add up to 1");
    },
  );
});

describe("--classes", () => {
  test.each([
    ["sad,angry", ["angry", "sad"]],
    ["ANG,happiness, fearful", ["angry", "fear", "happy"]],
    ["sad,sad", ["sad"]],
  ])("%s", (text, classes) => expect(parseClasses(text)).toEqual(classes));

  test.each(["sad,bored", "", "3"])("refuses '%s'", (text) => {
    expect(() => parseClasses(text)).toThrow("must be emotions");
  });
});

describe("patterns", () => {
  test.each([
    ["^(\\d{4})_", "1001_a", "1001"],
    ["^(?:x|y)-(.+)$", "y-7", "7"],
    ["^(?<id>\\d+)", "12ab", "12"],
    ["^(\\d+)", "ab", undefined],
  ])("%s on %s", (pattern, subject, found) => expect(parsePattern(pattern)(subject)).toBe(found));

  test.each([
    ["(", "must be a regular expression"],
    ["abc", "has 0"],
    ["(a)(b)", "has 2"],
  ])("refuses %s", (pattern, message) => expect(() => parsePattern(pattern)).toThrow(message));
});
