import { readPickle } from "@emotion-service/core/interop/pickle";
import { describe, expect, it } from "vitest";
import { expectUserError } from "./fixtures.ts";

/** A pickle of protocol 2 from texts (one byte a character) and bytes, STOP added. */
function pickle(...parts: (string | readonly number[])[]): Buffer {
  const bytes = parts.map((part) =>
    typeof part === "string" ? Buffer.from(part, "latin1") : Buffer.from(part),
  );
  return Buffer.concat([Buffer.from([0x80, 2]), ...bytes, Buffer.from(".")]);
}

const called: unknown[] = [];
const options = {
  name: "a.pkl",
  allowed: { contents: "plain values", hint: "use torch.save" },
  globals: new Map<string, unknown>([
    ["known function", (values: readonly unknown[]) => ["called", ...values]],
    ["known constant", "constant"],
    ["known spy", (values: readonly unknown[]) => called.push(values)],
  ]),
  persistentLoad: (id: unknown) => ({ id }),
};
const read = (bytes: Uint8Array): unknown => readPickle(bytes, 0, options).value;

describe("values", () => {
  it.each<[string, Buffer, unknown]>([
    ["None", pickle("N"), null],
    ["True", pickle([0x88]), true],
    ["a bool of protocol 1", pickle("I01\n"), true],
    ["an int of a byte", pickle("K", [200]), 200],
    ["an int of two bytes", pickle("M", [1, 2]), 513],
    ["a negative int", pickle("J", [0xfe, 0xff, 0xff, 0xff]), -2],
    ["an int of protocol 1", pickle("I-12\n"), -12],
    ["a long of protocol 1", pickle("L-12L\n"), -12],
    ["a long of no bytes", pickle([0x8a, 0]), 0],
    ["a negative long", pickle([0x8a, 2, 0, 0x80]), -32768],
    ["a long beyond 2^53", pickle([0x8a, 8, 0, 0, 0, 0, 0, 0, 0, 0x40]), 2n ** 62n],
    ["a float, big-endian", pickle("G", [0x3f, 0xf8, 0, 0, 0, 0, 0, 0]), 1.5],
    ["a text", pickle("X", [3, 0, 0, 0], "a\u00c3\u00a9"), "aé"],
    ["bytes", pickle("C", [2], "ab"), Uint8Array.of(97, 98)],
    ["a list", pickle("](K", [1], "K", [2], "e"), [1, 2]],
    ["a tuple", pickle("K", [1], "N", [0x86]), [1, null]],
    ["a dict", pickle("}(K", [1], "Nu"), new Map([[1, null]])],
    ["a set", pickle([0x8f], "(K", [1], "K", [1], [0x90]), new Set([1])],
    ["a known constant", pickle("cknown\nconstant\n"), "constant"],
    ["a known call", pickle("cknown\nfunction\nK", [7], [0x85], "R"), ["called", 7]],
    ["a persistent id", pickle("K", [7], "Q"), { id: 7 }],
  ])("%s", (_, bytes, value) => {
    expect(read(bytes)).toEqual(value);
  });

  it("that are referred to twice are one object", () => {
    const [first, second] = read(pickle("]q", [5], "h", [5], [0x86])) as unknown[];
    expect(second).toBe(first);
  });

  it("a key __proto__ is a key as any other", () => {
    const dict = read(pickle("}X", [9, 0, 0, 0], "__proto__}s"));
    expect(dict).toEqual(new Map([["__proto__", new Map()]]));
  });

  it("says where the pickle ends, so that the next can be read", () => {
    const two = Buffer.concat([pickle("K", [1]), pickle("K", [2])]);
    const { end } = readPickle(two, 0, options);
    expect(readPickle(two, end, options).value).toBe(2);
  });
});

describe("refused by name", () => {
  it.each<[string, Buffer, RegExp]>([
    ["a global", pickle("cos\nsystem\n"), /"os system".*torch\.save/],
    ["a global beside a known one", pickle("cknown\nfunctions\n"), /"known functions"/],
    ["a method of a known one", pickle("cknown\nfunction.call\n"), /"known function\.call"/],
    ["a global of a JavaScript prototype", pickle("c__proto__\nconstructor\n"), /"__proto__ /],
    [
      "a global from the stack",
      pickle([0x8c, 2], "os", [0x8c, 6], "system", [0x93]),
      /"os system"/,
    ],
    ["an instance with keywords", pickle("cknown\nfunction\n)}", [0x92]), /NEWOBJ_EX \(0x92\)/],
    ["a class by INST", pickle("(ios\nsystem\n"), /INST/],
    ["attributes", pickle("cknown\nconstant\n}b"), /BUILD/],
    ["an unknown protocol", Buffer.from([0x80, 9, 0x2e]), /protocol 9/],
    ["a list in itself", pickle("]q", [0], "h", [0], "a"), /contains itself/],
    ["a dict in itself, deep down", pickle("}q", [0], "N]h", [0], "as"), /contains itself/],
    ["a bottomless list", pickle("]".repeat(101), "a".repeat(100)), /nested more than 100/],
    [
      "a list that is bottomless through what it shares",
      // [short list, 59 lists in one another around it]: the short list is 60 deep by itself.
      pickle(
        "]".repeat(60),
        "a".repeat(59),
        "q",
        [0],
        "]".repeat(60),
        "h",
        [0],
        "a".repeat(60),
        [0x86],
      ),
      /nested more than 100/,
    ],
  ])("%s", async (_, bytes, text) => {
    await expectUserError(() => read(bytes), "E_LAYOUT", text);
  });

  it("runs nothing before it refuses, not even a known call's result", async () => {
    called.length = 0;
    await expectUserError(() => read(pickle("cos\nsystem\n", "cknown\nspy\n)R")), "E_LAYOUT", /os/);
    expect(called).toEqual([]);
  });
});

describe("broken", () => {
  const huge = [0xff, 0xff, 0xff, 0xff];
  it.each<[string, Buffer]>([
    ["nothing", Buffer.alloc(0)],
    ["no STOP", pickle("K", [1]).subarray(0, -1)],
    ["STOP at once", pickle()],
    ["an opcode that is none", pickle([0xff])],
    ["a text longer than the file", pickle("X", huge, "abc")],
    ["a text of 2^64 bytes", pickle([0x8d], huge, huge)],
    ["bytes longer than the file", pickle("B", huge)],
    ["an integer longer than the file", pickle([0x8b], huge)],
    ["an integer of many digits", pickle("L", "9".repeat(5000), "\n")],
    ["a frame longer than the file", pickle([0x95], huge, [0, 0, 0, 0], "N")],
    ["a text that is not UTF-8", pickle("X", [1, 0, 0, 0], [0xff])],
    ["a line without end", pickle("c", "x".repeat(5000))],
    ["no number", pickle("I1e5\n")],
    ["a memo that is not there", pickle("h", [1])],
    ["a MARK that is not there", pickle("Nt")],
    ["a value that is not there", pickle("(", [0x85])],
    ["APPEND to a number", pickle("K", [1], "Na")],
    ["half an item", pickle("}(Nu")],
    ["REDUCE of a text", pickle("X", [0, 0, 0, 0], ")R")],
    ["REDUCE with no tuple", pickle("cknown\nfunction\nNR")],
  ])("%s", async (_, bytes) => {
    await expectUserError(() => read(bytes), "E_INPUT_BROKEN", /a\.pkl: damaged/);
  });

  it("a memo index as large as can be wants no memory", () => {
    expect(read(pickle("Nr", huge, "j", huge, [0x86]))).toEqual([null, null]);
  });

  it("what is shared a hundred times over is looked through once", () => {
    // 60 lists, each holding the one before twice: 2^60 paths lead through them.
    let program: Parameters<typeof pickle> = ["Nq", [0]];
    for (let i = 0; i < 60; i += 1)
      program = [...program, "h", [i], "h", [i], [0x86], "q", [i + 1]];
    const bytes = pickle(...program);
    expect(Array.isArray(read(bytes))).toBe(true);
  });
});
