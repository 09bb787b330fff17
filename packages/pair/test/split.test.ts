import { createRandom } from "@emotion-service/core/random";
import { describe, expect, test } from "vitest";
import { checkSplit } from "../src/checkSplit.ts";
import { type Item, type Part, type Sample, type SplitPart, groupBy } from "../src/parts.ts";
import { type Unit, assignUnits, unitsOf } from "../src/split.ts";
import { cremadClips, item, items } from "./fixtures.ts";

const fractions = { train: 0.8, val: 0.1, test: 0.1 };

function unitsOfClips(speakers: number): Unit[] {
  return unitsOf(
    items("audio", cremadClips(speakers)).map((clip) => ({ items: [clip], stratum: clip.label })),
  );
}

function countsOf(assigned: ReadonlyMap<Unit, SplitPart>): Record<string, number> {
  const units = groupBy([...assigned], ([, part]) => part);
  return Object.fromEntries([...units].map(([part, members]) => [part, members.length]));
}

describe("unitsOf", () => {
  test("one unit a speaker", () => {
    expect(unitsOfClips(3).map(({ name, items: clips }) => [name, clips.length])).toEqual([
      ["cremad:1001", 6],
      ["cremad:1002", 6],
      ["cremad:1003", 6],
    ]);
  });

  test("an image that two speakers share joins them, through any number of pairs", () => {
    const [a, b, c, d] = ["a.jpg", "b.jpg", "c.jpg", "d.jpg"].map((path) => item("image", path));
    const clips = items("audio", [
      "1001_IEO_ANG_XX.wav",
      "1002_IEO_ANG_XX.wav",
      "1003_IEO_ANG_XX.wav",
    ]);
    const rows: (Item | undefined)[][] = [
      [a, clips[0]],
      [b, clips[1]],
      [b, clips[0]],
      [c, clips[2]],
      [d, clips[2]],
    ];
    const units = unitsOf(
      rows.map((row) => ({ items: row.filter((one) => one !== undefined), stratum: "angry" })),
    );
    expect(
      units.map(({ items: members }) => members.length).toSorted((one, other) => one - other),
    ).toEqual([3, 4]);
  });
});

describe("assignUnits", () => {
  test.each([
    [48, { train: 38, val: 5, test: 5 }],
    [91, { train: 73, val: 9, test: 9 }],
    [10, { train: 8, val: 1, test: 1 }],
    [4, { train: 2, val: 1, test: 1 }],
    [3, { train: 1, val: 1, test: 1 }],
  ])("%i equal speakers", (speakers, counts) => {
    const assigned = assignUnits(unitsOfClips(speakers), {
      fractions,
      random: createRandom(1),
      noun: "speakers",
    });
    expect(countsOf(assigned)).toEqual(counts);
  });

  test("every stratum comes near its share where units allow it", () => {
    const labels = ["angry", "sad", "sad", "sad", "happy", "happy"];
    const rows = Array.from({ length: 1200 }, (_, i) => item("image", `${labels[i % 6]}/${i}.jpg`));
    const units = unitsOf(rows.map((row) => ({ items: [row], stratum: row.label })));
    const assigned = assignUnits(units, { fractions, random: createRandom(1), noun: "groups" });
    for (const label of new Set(labels)) {
      const own = [...assigned].filter(
        ([
          {
            items: [row],
          },
        ]) => row?.label === label,
      );
      const train = own.filter(([, part]) => part === "train").length;
      expect(Math.abs(train - 0.8 * own.length)).toBeLessThanOrEqual(1.5);
    }
  });

  test("a part of 0 gets nothing", () => {
    const options = {
      fractions: { train: 0.5, val: 0.5, test: 0 },
      random: createRandom(1),
      noun: "speakers",
    };
    expect(countsOf(assignUnits(unitsOfClips(8), options))).toEqual({ train: 4, val: 4 });
  });

  test("the same seed gives the same parts, another seed others", () => {
    const partsBy = (seed: number): string[] =>
      [
        ...assignUnits(unitsOfClips(40), {
          fractions,
          random: createRandom(seed),
          noun: "speakers",
        }),
      ]
        .map(([{ name }, part]) => `${name} ${part}`)
        .toSorted();
    expect(partsBy(1)).toEqual(partsBy(1));
    expect(partsBy(2)).not.toEqual(partsBy(1));
  });

  test("too few speakers is an error that names them", () => {
    expect(() =>
      assignUnits(unitsOfClips(2), { fractions, random: createRandom(1), noun: "speakers" }),
    ).toThrow(
      "2 speakers (cremad:1001, cremad:1002) cannot be split into 3 parts (train, val, test) that share none",
    );
  });
});

describe("checkSplit", () => {
  const sample = (image: string, clip: string): Sample => ({
    images: [item("image", image)],
    audio: item("audio", clip),
    label: "angry",
  });
  const check = (train: Sample, val: Sample) =>
    checkSplit(
      new Map<Part, Sample[]>([
        ["train", [train]],
        ["val", [val]],
      ]),
    );

  test("counts what is apart", () => {
    const contents = check(
      sample("a.jpg", "1001_IEO_ANG_XX.wav"),
      sample("b.jpg", "1002_IEO_ANG_XX.wav"),
    );
    expect(contents.get("train")).toEqual({ groups: 2, images: 1, audio: 1 });
  });

  test.each([
    [
      "a speaker",
      "a.jpg",
      "1001_IEO_ANG_XX.wav",
      "b.jpg",
      "1001_IEO_HAP_XX.wav",
      "groups cremad:1001",
    ],
    ["an image", "a.jpg", "1001_IEO_ANG_XX.wav", "a.jpg", "1002_IEO_ANG_XX.wav", "a.jpg"],
    ["a clip", "a.jpg", "x.wav", "b.jpg", "x.wav", "x.wav"],
    [
      "an image's speaker",
      "01-01-03-01-01-01-05_f05.png",
      "x.wav",
      "b.jpg",
      "03-01-04-01-01-01-05.wav",
      "ravdess:05",
    ],
  ])("finds %s in two parts", (_, image, clip, otherImage, otherClip, named) => {
    expect(() => check(sample(image, clip), sample(otherImage, otherClip))).toThrow(named);
  });
});
