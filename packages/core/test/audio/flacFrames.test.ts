import { splitFlacFrames } from "@emotion-service/core/audio/flacFrames";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type FlacShape, flacFrames } from "./flacBytes.ts";
import { concatenate } from "./wavBytes.ts";

/** n samples of some channels, 16 bits. */
const samplesOf = (n: number, channels = 1): number[][] =>
  Array.from({ length: n }, (_, i) =>
    Array.from(
      { length: channels },
      (__, channel) => ((i * 7919 + channel * 104_729) % 65_536) - 32_768,
    ),
  );

/** Splits bytes that come in pieces of so many. */
function splitInPieces(bytes: Uint8Array, pieceLength: number) {
  const frames: Uint8Array[] = [];
  let samples = 0;
  let held = new Uint8Array(0);
  for (let at = 0; at < bytes.length; at += pieceLength) {
    const piece = concatenate([held, bytes.subarray(at, at + pieceLength)]);
    const split = splitFlacFrames(piece, at + pieceLength >= bytes.length);
    frames.push(...split.frames);
    samples += split.samples;
    held = split.rest.slice();
    if (split.isDamaged) return { frames, samples, isDamaged: true };
  }
  return { frames, samples, isDamaged: false };
}

describe("whole frames", () => {
  it.each<[string, number, FlacShape]>([
    ["of one size, the last shorter", 100, { blocks: [16] }],
    ["of sizes that a code names", 17_000, { blocks: [192, 576, 4608, 256, 4096, 512] }],
    ["of sizes that are written out", 3000, { blocks: [1, 2, 255, 257, 300] }],
    ["numbered by samples", 3000, { blocks: [16, 300, 17], isVariable: true }],
    ["with numbers of two bytes", 100, { firstNumber: 127 }],
    ["with numbers of three bytes", 100, { firstNumber: 2046 }],
    ["with numbers of four bytes", 100, { firstNumber: 65_534 }],
    ["with numbers of five bytes", 100, { firstNumber: 2 ** 21 - 2 }],
    ["with numbers of six bytes", 100, { firstNumber: 2 ** 26 - 2 }],
    ["with numbers of seven bytes", 100, { firstNumber: 2 ** 31 - 20, isVariable: true }],
    ["whose rate is written in Hz", 100, { sampleRateHz: 22_050 }],
    ["whose rate is written in tens of Hz", 100, { sampleRateHz: 88_200 }],
    ["whose rate is not written", 100, { sampleRateHz: 192_001 }],
  ])("%s", (_, n, shape) => {
    const frames = flacFrames(samplesOf(n), shape);
    const split = splitFlacFrames(concatenate(frames), true);
    expect(split).toMatchObject({ samples: n, isDamaged: false });
    expect(split.frames).toEqual(frames);
    expect(split.rest).toHaveLength(0);
  });

  it("come out the same in whatever pieces the bytes come", () => {
    const bits = fc.constantFrom(8, 12, 16, 24);
    const blocks = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 4 });
    const shape = fc.record({ bits, blocks, isVariable: fc.constant(true) });
    const channels = fc.integer({ min: 1, max: 8 });
    fc.assert(
      fc.property(shape, channels, fc.integer({ min: 1, max: 300 }), (each, count, pieceLength) => {
        const frames = flacFrames(samplesOf(120, count), each);
        const split = splitInPieces(concatenate(frames), pieceLength);
        expect(split).toEqual({ frames, samples: 120, isDamaged: false });
      }),
      { numRuns: 60 },
    );
  });
});

describe("a frame that holds what starts a frame", () => {
  const [, next = new Uint8Array()] = flacFrames(samplesOf(32));
  const [, , other = new Uint8Array()] = flacFrames(samplesOf(48));
  /** Frames of 16 samples, the first of which holds these bytes. */
  const framesHolding = (bytes: Uint8Array): Uint8Array[] => {
    const pairs = Array.from({ length: bytes.length >> 1 }, (_, i) => [
      ((bytes[2 * i]! << 24) >> 16) | bytes[2 * i + 1]!,
    ]);
    return flacFrames([...pairs, ...samplesOf(48 - pairs.length)]);
  };

  it.each([
    ["a sync code", Uint8Array.of(0xff, 0xf8)],
    ["a header with a wrong checksum", next.slice(0, 6).with(5, 0)],
    ["the header of a later frame", other.slice(0, 8)],
  ])("%s is no reason to cut there", (_, bytes) => {
    const frames = framesHolding(bytes);
    expect(splitFlacFrames(concatenate(frames), true).frames).toEqual(frames);
  });

  it("the header of the next one: the checksum tells that the cut is wrong", () => {
    const split = splitFlacFrames(concatenate(framesHolding(next.slice(0, 8))), true);
    expect(split).toMatchObject({ frames: [], samples: 0, isDamaged: true });
  });
});

describe("what is no frame, or a damaged one", () => {
  const frames = flacFrames(samplesOf(64, 2));
  const whole = concatenate(frames);
  const third = frames[0]!.length + frames[1]!.length;

  it.each([
    ["in its samples", third + 20],
    ["in its checksum", third + frames[2]!.length - 1],
    ["in its header", third + 2],
  ])("damage %s ends the frames before it", (_, at) => {
    const split = splitFlacFrames(whole.with(at, whole[at]! ^ 1), true);
    // A header that is not known for one lets the frame before it run on.
    const good = at === third + 2 ? 1 : 2;
    expect(split).toMatchObject({ samples: 16 * good, isDamaged: true });
    expect(split.frames).toEqual(frames.slice(0, good));
    expect(split.rest).toEqual(
      whole.with(at, whole[at]! ^ 1).subarray(good === 1 ? frames[0]!.length : third),
    );
  });

  it("a cut: the frames before it are whole, and more may follow", () => {
    for (let length = third + 1; length < whole.length - frames[3]!.length; length += 1) {
      const bytes = whole.subarray(0, length);
      const open = splitFlacFrames(bytes, false);
      expect(open.isDamaged).toBe(false);
      expect(concatenate([...open.frames, open.rest])).toEqual(bytes);
      expect(splitFlacFrames(bytes, true).isDamaged).toBe(true);
    }
  });

  it.each([
    ["zeros", new Uint8Array(40)],
    ["a tag", new Uint8Array(128).fill(0x41)],
    ["sync codes", new Uint8Array(400).fill(0xff)],
  ])("%s in place of frames", (_, bytes) => {
    expect(splitFlacFrames(bytes, true)).toMatchObject({
      frames: [],
      rest: bytes,
      isDamaged: true,
    });
    expect(splitFlacFrames(bytes, false)).toMatchObject({ frames: [], isDamaged: true });
  });

  it("nothing at all is neither", () => {
    expect(splitFlacFrames(new Uint8Array(0), true)).toMatchObject({
      frames: [],
      isDamaged: false,
    });
  });

  it("zeros behind the last frame count to it: its checksum still holds", () => {
    const { frames: found } = splitFlacFrames(concatenate([whole, new Uint8Array(100)]), true);
    expect(found).toHaveLength(4);
    expect(found.at(-1)).toHaveLength(frames.at(-1)!.length + 100);
  });

  it("never fails nor runs on, and loses no byte, whatever the bytes are", () => {
    const change = fc.tuple(fc.nat({ max: whole.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(
        fc.array(change, { maxLength: 5 }),
        fc.nat({ max: whole.length }),
        fc.uint8Array({ maxLength: 30 }),
        fc.boolean(),
        (changes, length, tail, isLast) => {
          const bytes = concatenate([whole.subarray(0, length), tail]);
          for (const [at, byte] of changes) if (at < bytes.length) bytes[at] = byte;
          const split = splitFlacFrames(bytes, isLast);
          expect(concatenate([...split.frames, split.rest])).toEqual(bytes);
          expect(split.samples).toBeGreaterThanOrEqual(split.frames.length);
          expect(isLast && split.isDamaged !== split.rest.length > 0).toBe(false);
        },
      ),
      { numRuns: 1000 },
    );
  });
});
