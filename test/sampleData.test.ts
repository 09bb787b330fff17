import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import sharp from "sharp";
import { describe, expect, it } from "vitest";
import { factsOf } from "../packages/core/src/labels.ts";
import { SAMPLE_EMOTIONS, type SampleEmotion } from "../scripts/sample/emotions.ts";
import { drawFace } from "../scripts/sample/faces.ts";
import { SAMPLE_RATE_HZ, synthesizeSpeech } from "../scripts/sample/speech.ts";
import { writeFaceSample, writeSpeechSample } from "../scripts/sample/writeSample.ts";
import { namesIn, temporaryFolder } from "./command.ts";

describe("the speech sample", () => {
  it("has CREMA-D's names, from which core reads the emotion and the speaker", () => {
    const folder = temporaryFolder();
    const names = writeSpeechSample(folder, { speakers: 2 });
    expect(namesIn(folder)).toEqual(names.toSorted());
    expect(names).toHaveLength(2 * 2 * 6);
    expect(names[0]).toBe("1001_DFA_ANG_XX.wav");
    const facts = names.map((name) => factsOf(name, "cremad"));
    expect(facts.map(({ label }) => label)).toEqual([
      ...SAMPLE_EMOTIONS,
      ...SAMPLE_EMOTIONS,
      ...SAMPLE_EMOTIONS,
      ...SAMPLE_EMOTIONS,
    ]);
    expect(new Set(facts.map(({ speaker }) => speaker))).toEqual(
      new Set(["cremad:1001", "cremad:1002"]),
    );
  });

  it("is the same bytes from the same seed, with more speakers too, and others from another seed", () => {
    const [first, wider, other] = [temporaryFolder(), temporaryFolder(), temporaryFolder()];
    const names = writeSpeechSample(first, { speakers: 1, sentences: 1 });
    writeSpeechSample(wider, { speakers: 2, sentences: 2 });
    writeSpeechSample(other, { speakers: 1, sentences: 1, seed: 99 });
    for (const name of names) {
      const bytes = readFileSync(join(first, name));
      expect(readFileSync(join(wider, name)).equals(bytes)).toBe(true);
      expect(readFileSync(join(other, name)).equals(bytes)).toBe(false);
    }
  });

  it("is 16 kHz mono 16-bit PCM of 1.2 to 1.8 s, quiet at both ends, never clipped", () => {
    const folder = temporaryFolder();
    for (const name of writeSpeechSample(folder, { speakers: 3 })) {
      const bytes = readFileSync(join(folder, name));
      expect(bytes.toString("latin1", 0, 4) + bytes.toString("latin1", 8, 16)).toBe("RIFFWAVEfmt ");
      expect([
        bytes.readUInt16LE(20),
        bytes.readUInt16LE(22),
        bytes.readUInt32LE(24),
        bytes.readUInt16LE(34),
      ]).toEqual([1, 1, 16000, 16]);
      expect(bytes.readUInt32LE(40)).toBe(bytes.length - 44);
      const samples = Float32Array.from(
        { length: (bytes.length - 44) / 2 },
        (_, i) => bytes.readInt16LE(44 + 2 * i) / 32768,
      );
      expect(samples.length / SAMPLE_RATE_HZ).toBeGreaterThan(1.15);
      expect(samples.length / SAMPLE_RATE_HZ).toBeLessThan(1.85);
      const peak = Math.max(...samples.map(Math.abs));
      expect(peak).toBeLessThan(0.99);
      for (const edge of [samples.subarray(0, 1000), samples.subarray(-1000)])
        expect(rootMeanSquare(edge)).toBeLessThan(peak / 10); // 20 dB, so that trimming has something to do
    }
  });

  it("plants the emotion in pitch, loudness and pace", () => {
    const means = Object.fromEntries(
      SAMPLE_EMOTIONS.map((emotion) => [emotion, meanVoice(emotion)]),
    );
    const order = (measure: keyof Measured, ...emotions: SampleEmotion[]): void => {
      const values = emotions.map((emotion) => means[emotion]?.[measure] ?? NaN);
      expect(values, `${measure} of ${emotions.join(" > ")}`).toEqual(
        values.toSorted((a, b) => b - a),
      );
    };
    order("pitchSemitones", "fear", "angry", "neutral", "disgust");
    order("pitchSemitones", "happy", "neutral", "sad");
    order("loudnessDb", "angry", "happy", "neutral", "sad");
    order("seconds", "sad", "neutral", "fear");
  });
});

interface Measured {
  readonly pitchSemitones: number;
  readonly loudnessDb: number;
  readonly seconds: number;
}

/** Means over eight speakers and both sentences. */
function meanVoice(emotion: SampleEmotion): Measured {
  const clips = Array.from({ length: 8 }, (_, i) => 1001 + i).flatMap((speaker) =>
    (["DFA", "IEO"] as const).map((sentence) =>
      synthesizeSpeech({ speaker, sentence, emotion, seed: 7 }),
    ),
  );
  const mean = (measure: (clip: Float32Array) => number): number =>
    clips.reduce((sum, clip) => sum + measure(clip), 0) / clips.length;
  return {
    pitchSemitones: mean((clip) => 12 * Math.log2(pitchHz(clip))),
    loudnessDb: mean((clip) => 20 * Math.log10(rootMeanSquare(clip))),
    seconds: mean((clip) => clip.length / SAMPLE_RATE_HZ),
  };
}

/** Pitch of the loudest 64 ms, by the highest peak of the autocorrelation of what exceeds half its peak, 70 to 500 Hz. */
function pitchHz(clip: Float32Array): number {
  const length = 1024;
  let loudest = clip.subarray(0, length);
  for (let start = 0; start + length <= clip.length; start += length / 2) {
    const frame = clip.subarray(start, start + length);
    if (rootMeanSquare(frame) > rootMeanSquare(loudest)) loudest = frame;
  }
  const limit = 0.5 * Math.max(...loudest.map(Math.abs));
  const clipped = loudest.map((value) => Math.sign(value) * Math.max(0, Math.abs(value) - limit));
  let [bestLag, best] = [1, -Infinity];
  for (let lag = Math.floor(SAMPLE_RATE_HZ / 500); lag <= SAMPLE_RATE_HZ / 70; lag += 1) {
    let product = 0;
    for (let i = lag; i < length; i += 1) product += (clipped[i] ?? 0) * (clipped[i - lag] ?? 0);
    if (product > best) [bestLag, best] = [lag, product];
  }
  return SAMPLE_RATE_HZ / bestLag;
}

function rootMeanSquare(samples: Float32Array): number {
  return Math.sqrt(samples.reduce((sum, value) => sum + value * value, 0) / samples.length);
}

describe("the face sample", () => {
  it("is 96 x 96 JPEG in class folders, from which core reads the emotion", async () => {
    const folder = temporaryFolder();
    const names = await writeFaceSample(folder, { facesPerClass: 3 });
    expect(names).toHaveLength(3 * 6);
    expect(namesIn(folder)).toEqual(SAMPLE_EMOTIONS);
    for (const name of names) {
      expect(factsOf(name, "folder").label).toBe(name.split("/")[0]);
      const { format, width, height } = await sharp(join(folder, name)).metadata();
      expect({ format, width, height }).toEqual({ format: "jpeg", width: 96, height: 96 });
    }
    const channels = await Promise.all(
      names.map(async (name) => (await sharp(join(folder, name)).metadata()).channels),
    );
    expect(new Set(channels)).toEqual(new Set([1, 3]));
  });

  it("is the same picture from the same seed and another from another", async () => {
    const first = await drawFace({ emotion: "happy", face: 1, seed: 7 });
    const [again, reseeded, second] = await Promise.all([
      drawFace({ emotion: "happy", face: 1, seed: 7 }),
      drawFace({ emotion: "happy", face: 1, seed: 8 }),
      drawFace({ emotion: "happy", face: 2, seed: 7 }),
    ]);
    expect(again.equals(first)).toBe(true);
    expect(reseeded.equals(first)).toBe(false);
    expect(second.equals(first)).toBe(false);
  });

  it("plants the emotion in the corners of the mouth and the inner ends of the brows", async () => {
    const [angry, happy, neutral, sad] = await Promise.all([
      meanShape("angry"),
      meanShape("happy"),
      meanShape("neutral"),
      meanShape("sad"),
    ]);
    expect(happy.corners).toBeGreaterThan(neutral.corners + 1);
    expect(neutral.corners).toBeGreaterThan(sad.corners + 0.3);
    expect(sad.innerBrow).toBeGreaterThan(neutral.innerBrow + 0.3);
    expect(neutral.innerBrow).toBeGreaterThan(angry.innerBrow + 1);
  });
});

/** How far the outer part of the mouth lies above its middle, and the inner end of a brow above its outer end, pixels. */
interface Shape {
  readonly corners: number;
  readonly innerBrow: number;
}

/** Mean over twenty faces. */
async function meanShape(emotion: SampleEmotion): Promise<Shape> {
  const shapes = await Promise.all(
    Array.from({ length: 20 }, async (_, i) =>
      shapeOf(await drawFace({ emotion, face: i + 1, seed: 7 })),
    ),
  );
  const mean = (part: keyof Shape): number =>
    shapes.reduce((sum, shape) => sum + shape[part], 0) / shapes.length;
  return { corners: mean("corners"), innerBrow: mean("innerBrow") };
}

async function shapeOf(jpeg: Buffer): Promise<Shape> {
  const pixels = await sharp(jpeg).greyscale().toColourspace("b-w").raw().toBuffer();
  /** Mean row of what differs from the skin, in some columns and rows. */
  const row = (columns: readonly number[], top: number, bottom: number): number => {
    const rows = Array.from({ length: bottom - top }, (_, i) => top + i);
    const cells = columns.flatMap((x) => rows.map((y) => ({ y, value: pixels[y * 96 + x] ?? 0 })));
    const skin = cells.map(({ value }) => value).toSorted((a, b) => a - b)[cells.length >> 1] ?? 0;
    const weights = cells.map(({ value }) => Math.max(0, Math.abs(value - skin) - 15));
    const total = weights.reduce((sum, weight) => sum + weight, 1e-9);
    return cells.reduce((sum, { y }, i) => sum + y * (weights[i] ?? 0), 0) / total;
  };
  return {
    corners: row([46, 47, 48, 49, 50], 63, 79) - row([37, 38, 39, 57, 58, 59], 63, 79),
    innerBrow: row([25, 26, 27, 69, 70, 71], 20, 38) - row([39, 40, 41, 55, 56, 57], 20, 38),
  };
}

it("a folder that holds other files is refused, and left as it is", async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, "mine.wav"), "mine");
  expect(() => writeSpeechSample(folder, { speakers: 1 })).toThrow(
    /must be empty or hold this sample, holds .*mine\.wav/,
  );
  expect(namesIn(folder)).toEqual(["mine.wav"]);
  mkdirSync(join(folder, "faces/angry"), { recursive: true });
  writeFileSync(join(folder, "faces/angry/mine.jpg"), "mine");
  await expect(writeFaceSample(join(folder, "faces"), { facesPerClass: 1 })).rejects.toThrow(
    /mine\.jpg/,
  );
  expect(namesIn(join(folder, "faces"))).toEqual(["angry"]);
});
