import { existsSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import {
  readStateDict,
  stateDictOf,
  stateDictOfBytes,
} from "@emotion-service/core/interop/stateDict";
import { readTorchFile } from "@emotion-service/core/interop/torchFile";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { temporaryFolder } from "../../../../test/command.ts";
import { FIXTURES, expectUserError, expected, fixture, oracle, userErrorOf } from "./fixtures.ts";

const read = (name: string) => readStateDict(join(FIXTURES, name), "--weights");

describe("a state dict has the values that PyTorch gives", () => {
  it.each(["zip.pth", "legacy.pth", "no_check_sums.pth"])(
    "of every dtype and layout: %s",
    async (name) => {
      expect(await read(name)).toEqual(expected(Object.keys(oracle.weights)));
    },
  );

  it.each([
    "zip_protocol1.pth",
    "zip_protocol3.pth",
    "zip_protocol4.pth",
    "zip_protocol5.pth",
    "legacy_protocol1.pth",
    "legacy_protocol4.pth",
    "big_endian.pth",
  ])("however it was written: %s", async (name) => {
    expect(await read(name)).toEqual(expected(oracle.few));
  });

  it("in a checkpoint", async () => {
    expect(await read("checkpoint.pth")).toEqual(expected(oracle.few));
  });

  it("without the prefix of DataParallel", async () => {
    expect(await read("parallel.pth")).toEqual(expected(oracle.few));
  });

  it("of a dtype that has no storage class", async () => {
    expect((await read("uint16.pth")).get("w")?.data).toEqual(Float32Array.of(1, 65535));
  });

  it("in safetensors", async () => {
    expect(await read("weights.safetensors")).toEqual(expected(oracle.safetensors));
  });

  it("whatever the file is called", async () => {
    const path = join(temporaryFolder(), "weights.bin");
    for (const name of ["zip_protocol3.pth", "legacy_protocol4.pth"]) {
      writeFileSync(path, fixture(name));
      expect(await readStateDict(path, "--weights")).toEqual(expected(oracle.few));
    }
  });

  it("in arrays of its own, even where tensors share their storage", async () => {
    const weights = await read("zip.pth");
    const [all, part] = [weights.get("shared.all")!, weights.get("shared.part")!];
    part.data.fill(99);
    expect([...all.data]).not.toContain(99);
  });
});

describe("a whole checkpoint", () => {
  it("is read as plain values", async () => {
    const checkpoint = await readTorchFile(join(FIXTURES, "checkpoint.pth"), "--import");
    if (!(checkpoint instanceof Map)) throw new Error("no dict");
    expect(checkpoint.get("epoch")).toBe(7);
    expect(checkpoint.get("class_labels")).toEqual(["angry", "happy", "überrascht"]);
    expect(checkpoint.get("best")).toBeNull();
    expect(checkpoint.get("seed")).toBe(2n ** 70n);
    expect(checkpoint.get("size")).toEqual([2, 3]);
    expect(checkpoint.get("device")).toBe("cpu");
    expect(checkpoint.get("__proto__")).toEqual(new Map([["polluted", true]]));
    const groups = new Map<string, unknown>([
      ["lr", 1e-3],
      ["betas", [0.9, 0.999]],
    ]);
    expect(checkpoint.get("optimizer_state_dict")?.get("param_groups")).toEqual([groups]);
    expect(stateDictOf(checkpoint, "checkpoint.pth")).toEqual(expected(oracle.few));
  });
});

describe("refused with the name and the cure", () => {
  it.each([
    ["os_system.pth", /"posix system".*torch\.save\(model\.state_dict\(\)/],
    ["os_system_legacy.pth", /"posix system"/],
    ["eval.pth", /"__builtin__ eval"/],
    ["call.pth", /"pickle loads"/],
    ["module.pth", /"__main__ Net".*torch\.save\(model\.state_dict\(\)/],
    ["module_legacy.pth", /"__main__ Net"/],
    ["quantized.pth", /_rebuild_qtensor/],
    ["complex.pth", /ComplexFloatStorage/],
    ["cycle.pth", /contains itself/],
    ["repeated.pth", /1073741824 values, of which 4 bytes are stored/],
    ["list.pth", /holds no dict/],
    ["extra.pth", /no tensor under "note"/],
    ["compressed.pth", /archive\/byteorder is compressed/],
    ["torchscript.pt", /TorchScript/], // which is compressed as well
    ["plain.pickle", /none of torch\.save/],
  ])("%s", async (name, text) => {
    await expectUserError(() => read(name), "E_LAYOUT", text);
    expect(existsSync(oracle.marker), "a command of the file was run").toBe(false);
  });

  it("a tar file of the first PyTorch", async () => {
    const tar = Buffer.alloc(512);
    tar.write("ustar", 257);
    await expectUserError(() => stateDictOfBytes(tar, "old.pt"), "E_LAYOUT", /tar file.*0\.1\.10/);
  });

  it.each([
    ["an empty file", "", /empty/],
    ["another file", "a,b\n1,2\n", /begins as neither/],
    ["a zip archive that holds nothing", "PK\u0005\u0006".padEnd(22, "\0"), /begins as neither/],
  ])("%s", async (_, content, text) => {
    const bytes = Buffer.from(content, "latin1");
    await expectUserError(() => stateDictOfBytes(bytes, "a.pth"), "E_INPUT_BROKEN", text);
  });

  it("a file that is not there", async () => {
    await expectUserError(() => read("none.pth"), "E_INPUT_MISSING", /--weights .*none\.pth/);
  });
});

const DAMAGED = [
  "zip_protocol5.pth",
  "no_check_sums.pth",
  "legacy_protocol4.pth",
  "legacy.pth",
  "weights.safetensors",
];

describe("damaged files", () => {
  it.each(DAMAGED)("%s, cut at every byte", async (name) => {
    const whole = fixture(name);
    for (let length = 0; length < whole.length; length += 1) {
      const error = await userErrorOf(() => stateDictOfBytes(whole.subarray(0, length), name));
      expect([length, error?.code]).toEqual([length, "E_INPUT_BROKEN"]);
    }
  });

  it("a flipped bit of the data is seen by the check sum", async () => {
    const bytes = fixture("zip_protocol3.pth");
    const at = bytes.indexOf(Buffer.from(Float32Array.of(-1).buffer));
    bytes.writeUInt8(bytes.readUInt8(at) ^ 1, at);
    await expectUserError(() => stateDictOfBytes(bytes, "a.pth"), "E_INPUT_BROKEN", /check sum/);
  });

  it.each(DAMAGED)("%s with any bytes changed: weights or a UserError, soon", async (name) => {
    const whole = fixture(name);
    const change = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    await fc.assert(
      fc.asyncProperty(fc.array(change, { minLength: 1, maxLength: 4 }), async (changes) => {
        const bytes = Buffer.from(whole);
        for (const [at, value] of changes) bytes[at] = value;
        const error = await userErrorOf(() => stateDictOfBytes(bytes, name));
        expect([undefined, "E_INPUT_BROKEN", "E_LAYOUT"]).toContain(error?.code);
      }),
      { numRuns: 300, interruptAfterTimeLimit: 30_000, markInterruptAsFailure: true },
    );
  });
});
