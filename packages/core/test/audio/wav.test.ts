import { bytesOfArray } from "@emotion-service/core/audio/bytes";
import { samplesOf } from "@emotion-service/core/audio/sound";
import { openWav } from "@emotion-service/core/audio/wav";
import { isWav } from "@emotion-service/core/audio/wavLayout";
import { UserError } from "@emotion-service/core/errors";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type WavShape, ascii, concatenate, wavBytes } from "./wavBytes.ts";

const open = (bytes: Uint8Array) => openWav(bytesOfArray(bytes), "clip.wav");
const decode = async (bytes: Uint8Array): Promise<number[]> => [...(await samplesOf(open(bytes)!))];
const mono = (values: readonly number[]): number[][] => values.map((value) => [value]);

describe("PCM, full scale being 1", () => {
  it.each([1, 5, 8, 12, 16, 20, 24, 27, 32, 45, 64])("of %i bits", async (bits) => {
    // A width that is no whole number of bytes lies in the upper bits of its container: the container's scale counts.
    const scale = 2 ** (8 * Math.ceil(bits / 8) - 1);
    const values = [-scale, -scale / 2, 0, scale / 4, scale / 2];
    expect(await decode(wavBytes(mono(values), { bits }))).toEqual([-1, -0.5, 0, 0.25, 0.5]);
  });

  it.each<[string, WavShape]>([
    ["big-endian", { magic: "RIFX" }],
    ["big-endian, 24 bits", { magic: "RIFX", bits: 24 }],
    ["big-endian, 32 bits", { magic: "RIFX", bits: 32 }],
    ["RF64, sizes in the ds64 chunk", { magic: "RF64" }],
    ["RF64, a chunk behind the data", { magic: "RF64", after: [["LIST", new Uint8Array(4)]] }],
    ["RF64 that was never closed", { magic: "RF64", claimedBytes: 0 }],
    ["BW64", { magic: "BW64" }],
    ["a block size that is wrong", { blockAlign: 4 }],
    ["no block size", { blockAlign: 0 }],
    ["extensible", { extensible: true }],
    ["extensible, 20 bits of 24", { extensible: true, bits: 20 }],
    [
      "behind other chunks, one of odd length",
      { before: [["LIST", new Uint8Array(7)] as const, ["bext", new Uint8Array(4)] as const] },
    ],
  ])("%s", async (_, shape) => {
    const scale = 2 ** (8 * Math.ceil((shape.bits ?? 16) / 8) - 1);
    const values = [-1, -0.25, 0.125, 0.5];
    expect(
      await decode(
        wavBytes(
          values.map((value) => [value * scale]),
          shape,
        ),
      ),
    ).toEqual(values);
  });

  it("comes back, any samples, any number of channels averaged", async () => {
    const clip = fc.integer({ min: 1, max: 5 }).chain((channels) =>
      fc.array(
        fc.array(fc.integer({ min: -32768, max: 32767 }), {
          minLength: channels,
          maxLength: channels,
        }),
        { minLength: 1, maxLength: 20 },
      ),
    );
    await fc.assert(
      fc.asyncProperty(clip, async (frames) => {
        const sound = open(wavBytes(frames, { sampleRateHz: 11_025 }));
        const means = frames.map(
          (frame) => frame.reduce((sum, value) => sum + value, 0) / frame.length / 32768,
        );
        expect(sound).toMatchObject({ sampleRateHz: 11_025, channels: frames[0]!.length });
        expect(await samplesOf(sound!)).toBeAllClose(means, { rtol: 1e-6, atol: 1e-9 });
      }),
    );
  });
});

describe("float", () => {
  const values = [-1.5, -0.1, 0, 0.3, 7];
  it.each<[string, WavShape]>([
    ["32 bits", { bits: 32 }],
    ["64 bits", { bits: 64 }],
    ["32 bits, big-endian", { bits: 32, magic: "RIFX" }],
    ["64 bits, extensible", { bits: 64, extensible: true }],
  ])("%s keeps what exceeds 1", async (_, shape) => {
    expect(await decode(wavBytes(mono(values), { ...shape, kind: "float" }))).toEqual(
      values.map(Math.fround),
    );
  });
});

describe("G.711, by the values of its tables", () => {
  it.each<[WavShape["kind"], number[], number[]]>([
    ["alaw", [0xd5, 0x55, 0xaa, 0x2a, 0xc5, 0x80], [8, -8, 32_256, -32_256, 264, 5504]],
    ["mulaw", [0xff, 0x7f, 0x80, 0x00, 0xf0, 0xef], [0, -0, 32_124, -32_124, 120, 132]],
  ])("%s", async (kind, codes, steps) => {
    const bytes = wavBytes(mono(codes.map((code) => code - 128)), { kind: kind!, bits: 8 });
    expect(Array.from(await decode(bytes), (value) => value * 32_768)).toEqual(steps);
    const bigEndian = wavBytes(mono([codes[2]! - 128]), { kind: kind!, bits: 8, magic: "RIFX" });
    expect(await decode(bigEndian)).toEqual([steps[2]! / 32_768]);
  });
});

it("averages eight channels", async () => {
  const sound = open(wavBytes([[8, 16, 24, 32, 40, 48, 56, 64]], { bits: 24 }));
  expect(sound?.channels).toBe(8);
  expect(await samplesOf(sound!)).toEqual(Float32Array.of(36 / 2 ** 23));
});

it("averages stereo", async () => {
  const sound = open(
    wavBytes([
      [16384, -16384],
      [16384, 0],
    ]),
  );
  expect(sound?.channels).toBe(2);
  expect([...(await samplesOf(sound!))]).toEqual([0, 0.25]);
});

describe("a data chunk that claims more than the file holds", () => {
  const whole = wavBytes([
    [1, 2],
    [3, 4],
    [5, 6],
  ]);
  it.each([
    ["by its size", wavBytes([[16384], [8192]], { claimedBytes: 4000 }), [0.5, 0.25]],
    ["of a stream", wavBytes([[16384], [8192]], { claimedBytes: 0xffffffff }), [0.5, 0.25]],
    ["cut within a frame", whole.subarray(0, -3), [1.5 / 32768, 3.5 / 32768]],
  ])("%s is read as far as it goes", async (_, bytes, expected) => {
    expect(await decode(bytes)).toEqual(expected);
  });
});

it.each<[string, WavShape]>([
  ["16 bits", { bits: 16 }],
  ["24 bits", { bits: 24 }],
])("a file of 300 MB is read in pieces of a megabyte at most (%s)", async (_, shape) => {
  const head = wavBytes([[0, 0]], { ...shape, claimedBytes: 300_000_000 }).subarray(0, 44);
  const size = head.length + 300_000_000;
  let mostBytes = 0;
  const readInto = (target: Uint8Array, position: number): number => {
    mostBytes = Math.max(mostBytes, target.length);
    target.fill(0);
    target.set(head.subarray(position, position + target.length));
    return Math.min(target.length, size - position);
  };
  let [samples, mostSamples] = [0, 0];
  await openWav({ size, readInto }, "long.wav")!.read((block) => {
    samples += block.length;
    mostSamples = Math.max(mostSamples, block.length);
    return true;
  });
  expect(samples).toBe(300_000_000 / (shape.bits! / 4));
  expect(mostBytes).toBeLessThanOrEqual(2 ** 20);
  expect(mostSamples).toBeLessThanOrEqual(2 ** 20 / (shape.bits! / 4));
});

describe("a data chunk of no bytes", () => {
  const unclosed: WavShape = { claimedBytes: 0 };
  it.each([
    ["of a stream that was never closed is read to the file's end", [[16384], [8192]], [0.5, 0.25]],
    ["is so too where one sample follows", [[16384]], [0.5]],
    ["is so too where silence follows", [[0], [0], [0], [0]], [0, 0, 0, 0]],
  ])("%s", async (_, frames, expected) => {
    expect(await decode(wavBytes(frames, unclosed))).toEqual(expected);
  });

  it("that another chunk follows is empty", () => {
    const bytes = wavBytes([], { after: [["LIST", ascii("INFO....")]] });
    expect(() => open(bytes)).toThrow("its data chunk has no whole sample");
  });
});

it("a file whose header comes from a stream of unknown length ends where the file does", async () => {
  const bytes = wavBytes([[16384], [8192]], { magic: "BW64", claimedBytes: 4_000_000_000_000 });
  expect(await decode(bytes)).toEqual([0.5, 0.25]);
});

it("a chunk that fills an odd number of bytes and one more is read", async () => {
  const after: WavShape["after"] = [["LIST", new Uint8Array(4)]];
  expect(await decode(wavBytes([[64], [-64], [32]], { bits: 8, after }))).toEqual([
    0.5, -0.5, 0.25,
  ]);
});

it("reads no further than the data chunk claims", async () => {
  const bytes = concatenate([wavBytes([[16384]]), ascii("LIST"), new Uint8Array(40)]);
  expect(await decode(bytes)).toEqual([0.5]);
});

it("reads bytes that lie within a larger buffer", async () => {
  const bytes = concatenate([new Uint8Array(13), wavBytes([[16384]])]).subarray(13);
  expect(await decode(bytes)).toEqual([0.5]);
});

it.each([4, 0])("leaves other codecs, of %i bits, to ffmpeg", (bits) => {
  const bytes = wavBytes([[100]], { kind: "adpcm", bits: 8 });
  expect(open(bytes.with(34, bits))).toBeUndefined();
});

it("refuses 24 bits in 4 bytes, which libsndfile and ffmpeg read as different samples", () => {
  const bytes = wavBytes([[100]], { bits: 24, blockAlign: 4 });
  expect(() => open(bytes)).toThrow(
    "clip.wav: holds samples of 24 bits in 4 bytes, which programs read differently",
  );
});

describe("a damaged header", () => {
  const good = wavBytes([[1], [2]]);
  /** The good file with some bytes replaced. */
  const patched = (at: number, ...bytes: number[]): Uint8Array => {
    const copy = good.slice();
    copy.set(bytes, at);
    return copy;
  };
  it.each([
    [
      "is not a WAV file: it must start with RIFF, RIFX or RF64 and WAVE",
      ascii("RIFF....AVI ........"),
    ],
    ["is not a WAV file: it must start with RIFF, RIFX or RF64 and WAVE", ascii("RIFF")],
    ["holds no sound: it has no 'data' chunk", good.subarray(0, 36)],
    ["holds no sound: it has no 'data' chunk", good.subarray(0, 12)],
    [
      "holds no sound: it has no 'data' chunk",
      patched(12, ...ascii("JUNK"), 0xff, 0xff, 0xff, 0xff),
    ],
    [
      "holds no sound: it has no 'data' chunk",
      concatenate([good.subarray(0, 36), new Uint8Array(64)]),
    ],
    ["lacks a 'fmt ' chunk before its 'data' chunk", patched(12, ...ascii("JUNK"))],
    ["has a damaged 'fmt ' chunk", patched(16, 8)],
    ["has a damaged 'fmt ' chunk", good.subarray(0, 30)],
    ["has a damaged 'fmt ' chunk: 0 channels, 16000 Hz, 16 bits", patched(22, 0, 0)],
    ["has a damaged 'fmt ' chunk: 1 channels, 0 Hz, 16 bits", patched(24, 0, 0, 0, 0)],
    ["has a damaged 'fmt ' chunk: 1 channels, 16000 Hz, 0 bits", patched(34, 0, 0)],
    ["holds no sound: its data chunk has no whole sample", good.subarray(0, 44)],
    ["holds no sound: its data chunk has no whole sample", good.subarray(0, 45)],
  ])("%s", (message, bytes) => {
    expect(() => open(bytes)).toThrow(
      expect.objectContaining({ code: "E_INPUT_BROKEN", message: `clip.wav: ${message}` }),
    );
  });

  it("of nothing but empty chunks is given up", () => {
    const empty = Array.from({ length: 10_001 }, () => ["JUNK", new Uint8Array(0)] as const);
    expect(() => open(wavBytes([[1]], { before: empty }))).toThrow(
      "clip.wav: must have at most 10000 chunks before its 'data' chunk",
    );
    expect(open(wavBytes([[1]], { before: empty.slice(0, 9000) }))).toBeDefined();
  });

  it("never fails in another way, nor runs on, whatever the bytes are", async () => {
    const outcomeOf = async (bytes: Uint8Array): Promise<string> => {
      try {
        const sound = open(bytes);
        if (sound === undefined) return "another codec";
        return (await samplesOf(sound)).length > 0 ? "sound" : "none";
      } catch (error) {
        return error instanceof UserError ? error.code : String(error);
      }
    };
    const place = fc.nat({ max: good.length - 1 });
    const change = fc.array(fc.tuple(place, fc.nat({ max: 255 })), { maxLength: 6 });
    await fc.assert(
      fc.asyncProperty(change, fc.nat({ max: good.length }), async (changes, length) => {
        const bytes = good.slice();
        for (const [at, byte] of changes) bytes[at] = byte;
        expect(["sound", "another codec", "E_INPUT_BROKEN"]).toContain(
          await outcomeOf(bytes.subarray(0, length)),
        );
      }),
      { numRuns: 2000 },
    );
  });
});

it.each([
  ["RIFF....WAVE", true],
  ["RIFX....WAVE", true],
  ["RF64....WAVE", true],
  ["BW64....WAVE", true],
  ["RIFF....AVI ", false],
  ["fLaC....WAVE", false],
  ["", false],
])("%s starts as WAV: %s", (text, expected) => {
  expect(isWav(ascii(text))).toBe(expected);
});
