import fc from "fast-check";
import { expect, it } from "vitest";
import { melToHz } from "../../core/src/audio/mel.ts";
import { perceptualColours } from "../page/src/colourMap.ts";
import { parseBlocks, parseSpans } from "../page/src/markdown.ts";
import { addFiles, kindOf } from "../page/src/selection.ts";
import { createEventReader } from "../page/src/serverEvents.ts";
import { frequencyLabels, timeTicks } from "../page/src/ticks.ts";
import { clock, duration, faceWords, sentence, signed, voiceWords } from "../page/src/words.ts";

it("gives events whole, wherever the connection cuts them", () => {
  const stream =
    ': hello\n\nevent: queued\ndata: {"position":2}\n\n: still here\n\nevent: result\r\ndata: {"a":\r\ndata: 1}\r\n\r\n';
  const expected = [
    { name: "queued", data: '{"position":2}' },
    { name: "result", data: '{"a":\n1}' },
  ];
  fc.assert(
    fc.property(fc.array(fc.nat(stream.length)), (places) => {
      const cuts = [0, ...places.sort((a, b) => a - b), stream.length];
      const read = createEventReader();
      const events = cuts.slice(1).flatMap((end, i) => read(stream.slice(cuts[i], end)));
      expect(events).toEqual(expected);
    }),
  );
});

it("has colours whose lightness rises evenly", () => {
  const colours = perceptualColours();
  const lightness = Array.from({ length: 256 }, (_, i) =>
    lightnessOf(colours.subarray(3 * i, 3 * i + 3)),
  );
  const steps = lightness.slice(1).map((value, i) => value - lightness[i]!);
  // From 0.14 to 0.96 in 255 steps; a byte of sRGB is up to 0.004 of lightness where it is dark.
  for (const step of steps) expect(Math.abs(step - 0.82 / 255)).toBeLessThan(0.004);
  expect(lightness.at(-1)! - lightness[0]!).toBeCloseTo(0.82, 2);
});

/** OKLab's lightness of an sRGB colour, by the inverse of what makes them (Ottosson 2020). */
function lightnessOf([red = 0, green = 0, blue = 0]: ArrayLike<number> & Iterable<number>): number {
  const [r, g, b] = [red, green, blue].map((byte) => {
    const value = byte / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }) as [number, number, number];
  const l = Math.cbrt(0.4122214708 * r + 0.5363325363 * g + 0.0514459929 * b);
  const m = Math.cbrt(0.2119034982 * r + 0.6806995451 * g + 0.1073969566 * b);
  const s = Math.cbrt(0.0883024619 * r + 0.2817188376 * g + 0.6299787005 * b);
  return 0.2104542553 * l + 0.793617785 * m - 0.0040720468 * s;
}

it("puts frequencies at the bands whose centre they are", () => {
  // Centres of 64 bands to 8 kHz: evenly spaced in mel, 0 and 8 kHz left out.
  const top = 15 + 27 * (Math.log(8) / Math.log(6.4)); // Slaney's mel of 8 kHz
  const labels = frequencyLabels(64, 8000);
  expect(labels.map(({ text }) => text)).toEqual(["250", "500", "1000", "2000", "4000"]);
  for (const { text, at } of labels) {
    const band = (1 - at) * 64 - 0.5;
    expect(melToHz((top * (band + 1)) / 65)).toBeCloseTo(Number(text), 6);
  }
});

it.each([
  [3, 8, [0, 0.5, 1, 1.5, 2, 2.5, 3]],
  [6.4, 4, [0, 5]],
  [0.35, 5, [0, 0.1, 0.2, 0.3]],
  [1800, 7, [0, 300, 600, 900, 1200, 1500, 1800]],
])("labels an axis of %d s at %d places at most", (seconds, most, ticks) => {
  expect(timeTicks(seconds, most)).toEqual(ticks);
});

it.each([
  ["clip.WAV", "", "audio"],
  ["talk.mkv", "", "video"],
  ["recording.webm", "audio/webm", "audio"],
  ["face.jpg", "image/jpeg", "image"],
  ["notes.txt", "text/plain", undefined],
])("takes %s (%s) for %s", (name, type, kind) => {
  expect(kindOf({ name, type })).toBe(kind);
});

it("keeps a picture and a sound together, and a video alone", () => {
  const [picture, sound, video] = ["a.png", "b.wav", "c.mp4"].map((name) => new File(["x"], name));
  const both = addFiles({}, [picture!, sound!]).selection;
  expect(both).toEqual({ image: picture, audio: sound });
  expect(addFiles(both, [video!]).selection).toEqual({ video });
  expect(addFiles({ video: video! }, [sound!]).selection).toEqual({ audio: sound });
  expect(addFiles({}, [new File([], "a.png")])).toEqual({
    selection: {},
    refused: ["a.png: is empty"],
  });
});

it("reads what model cards are written with", () => {
  const card =
    "# Card\nFirst\nline\n\n## Data\n\n- one\n  more\n- two\n\n| a | b |\n| - | - |\n| 1 | **2** |\n\n    pnpm x\n";
  expect(parseBlocks(card)).toEqual([
    { kind: "heading", level: 1, text: "Card" },
    { kind: "paragraph", text: "First line" },
    { kind: "heading", level: 2, text: "Data" },
    { kind: "list", items: ["one more", "two"] },
    { kind: "table", header: ["a", "b"], rows: [["1", "**2**"]] },
    { kind: "code", text: "pnpm x" },
  ]);
  expect(parseSpans("see **bold `x`** and [a card](x.md).")).toEqual([
    { kind: "text", text: "see " },
    { kind: "strong", text: "bold `x`" },
    { kind: "text", text: " and " },
    { kind: "link", text: "a card", href: "x.md" },
    { kind: "text", text: "." },
  ]);
});

it("says times, scores and what was found in words", () => {
  expect([clock(2.5), clock(150), clock(30, 300), duration(3), duration(90.04)]).toEqual([
    "2.5",
    "2:30",
    "0:30",
    "3 s",
    "90 s",
  ]);
  expect([sentence("is empty"), sentence("Bearer …")]).toEqual(["Is empty.", "Bearer …"]);
  expect([signed(0.0312), signed(-0.5)]).toEqual(["+0.031", "−0.500"]);
  expect(faceWords({ present: true, frames: 12, faces: 10 })?.text).toBe(
    "A face was found in 10 of 12 frames.",
  );
  expect(faceWords({ present: false, cause: "not given" })).toBeUndefined();
  expect(voiceWords({ present: false, cause: "the sound is silent" })?.text).toBe(
    "No voice. The sound is silent.",
  );
  expect(voiceWords({ present: true, duration_seconds: 5.2, used_seconds: 3 })?.text).toBe(
    "Sound was found, the middle 3 s of 5.2 s used.",
  );
});
