import { describe, expect, test } from "vitest";
import { chooseMatching } from "../src/choose.ts";
import { matchById, matchByName } from "../src/match.ts";
import { matchByManifest } from "../src/matchManifest.ts";
import type { Matching } from "../src/parts.ts";
import { utteranceIdOf } from "@emotion-service/core/labels";
import { cremadClips, facePaths, item, items, sampleText } from "./fixtures.ts";

const pairsOf = ({ samples }: Matching): string[] => samples.map(sampleText).toSorted();
const causesOf = ({ leftovers }: Matching): string[] =>
  leftovers
    .map(({ items: rows, cause }) => `${rows.map(({ path }) => path).join("+")}: ${cause}`)
    .toSorted();

describe("by name", () => {
  test.each([
    ["same path, other extension", ["a/x.jpg"], ["a/x.wav"], ["a/x.jpg|a/x.wav"]],
    [
      "same file name, other folders",
      ["faces/x.jpg"],
      ["clips/deep/x.wav"],
      ["faces/x.jpg|clips/deep/x.wav"],
    ],
    [
      "same path before same file name",
      ["a/x.jpg", "b/x.jpg"],
      ["a/x.wav", "b/x.wav"],
      ["a/x.jpg|a/x.wav", "b/x.jpg|b/x.wav"],
    ],
    ["dots in a name", ["a.b.jpg"], ["a.b.wav"], ["a.b.jpg|a.b.wav"]],
    ["no extension", ["x"], ["x.wav"], ["x|x.wav"]],
    [
      "a composed and a decomposed letter",
      ["caf\u00e9.jpg"],
      ["cafe\u0301.wav"],
      ["caf\u00e9.jpg|cafe\u0301.wav"],
    ],
    ["nothing in common", ["x.jpg"], ["y.wav"], []],
    ["upper and lower case differ", ["X.jpg"], ["x.wav"], []],
  ])("%s", (_, images, audio, pairs) => {
    expect(pairsOf(matchByName(items("image", images), items("audio", audio)))).toEqual(
      [...pairs].toSorted(),
    );
  });

  test("a name that two rows of one side bear pairs none of them, and says so", () => {
    const matching = matchByName(
      items("image", ["x.jpg", "x.png", "y.jpg"]),
      items("audio", ["x.wav", "y.wav"]),
    );
    expect(pairsOf(matching)).toEqual(["y.jpg|y.wav"]);
    const cause = "ambiguous: 2 images and 1 clip of one name";
    expect(causesOf(matching)).toEqual([`x.jpg: ${cause}`, `x.png: ${cause}`, `x.wav: ${cause}`]);
  });

  test("a file name left over after its path was paired is ambiguous, not a match", () => {
    const matching = matchByName(
      items("image", ["a/x.jpg", "b/x.jpg"]),
      items("audio", ["a/x.wav", "c/x.wav"]),
    );
    expect(pairsOf(matching)).toEqual(["a/x.jpg|a/x.wav"]);
    expect(causesOf(matching)).toHaveLength(2);
  });

  test("several images of one name are frames where that was said, several clips each get the image", () => {
    const images = items("image", ["f1/x.jpg", "f2/x.jpg", "y.jpg", "a/z.jpg", "b/z.jpg"]);
    const audio = items("audio", ["x.wav", "1/y.wav", "2/y.wav", "c/z.wav", "d/z.wav"]);
    const matching = matchByName(images, audio, true);
    expect(pairsOf(matching)).toEqual([
      "f1/x.jpg+f2/x.jpg|x.wav",
      "y.jpg|1/y.wav",
      "y.jpg|2/y.wav",
    ]);
    expect(causesOf(matching)).toEqual(
      ["a/z.jpg", "b/z.jpg", "c/z.wav", "d/z.wav"].map(
        (path) => `${path}: ambiguous: 2 images and 2 clips of one name`,
      ),
    );
    expect(pairsOf(matchByName(images, audio))).toEqual([]);
  });

  test("a hundred thousand images of one name take no time that grows with their square", () => {
    const images = items(
      "image",
      Array.from({ length: 100_000 }, (_, i) => `${i}/x.jpg`),
    );
    const started = performance.now();
    expect(matchByName(images, items("audio", ["a/x.wav", "b/x.wav"])).samples).toEqual([]);
    expect(performance.now() - started).toBeLessThan(10_000);
  });

  test("labels that contradict each other are no pair", () => {
    const matching = matchByName(items("image", ["happy/1.jpg"]), items("audio", ["sad/1.wav"]));
    expect(pairsOf(matching)).toEqual([]);
    expect(causesOf(matching)[0]).toContain("labels differ: image happy, audio sad");
  });

  test("a known label stands above an unknown one", () => {
    const { samples } = matchByName(items("image", ["happy/1.jpg"]), items("audio", ["1.wav"]));
    expect(samples[0]?.label).toBe("happy");
  });
});

describe("by id", () => {
  const frames = ["01-01-03-01-01-01-05_f05.png", "01-01-03-01-01-01-05_f10.png"];

  test("all frames of a RAVDESS clip go with its sound", () => {
    const matching = matchById(
      items("image", frames),
      items("audio", ["03-01-03-01-01-01-05.wav"]),
      utteranceIdOf,
    );
    expect(pairsOf(matching)).toEqual([`${frames.join("+")}|03-01-03-01-01-01-05.wav`]);
  });

  test("frames without a clip stay together, a clip without frames alone, a name without id too", () => {
    const matching = matchById(
      items("image", [...frames, "holiday.png"]),
      items("audio", ["03-01-03-01-01-01-06.wav"]),
      utteranceIdOf,
    );
    expect(causesOf(matching)).toEqual([
      `${frames.join("+")}: no clip of the same id`,
      "03-01-03-01-01-01-06.wav: no image of the same id",
      "holiday.png: its name holds no id",
    ]);
  });

  test("an id whose frames have several labels pairs nothing", () => {
    const idOf = (path: string): string => path.slice(0, 1);
    const images = [item("image", "1a.jpg", 0, "happy"), item("image", "1b.jpg", 1, "sad")];
    const matching = matchById(images, [item("audio", "1.wav", 0, "sad")], idOf);
    expect(pairsOf(matching)).toEqual([]);
    expect(matching.leftovers.flatMap(({ items: rows }) => rows)).toHaveLength(3);
  });

  test("a frame without a label goes with those that have one", () => {
    const images = [item("image", "1a.jpg", 0, "unknown"), item("image", "1b.jpg", 1, "sad")];
    const clip = item("audio", "1.wav", 0, "unknown");
    const { samples } = matchById(images, [clip], (path) => path.slice(0, 1));
    expect(samples.map(({ label, images: own }) => [label, own.length])).toEqual([["sad", 2]]);
  });

  test("two clips of one id share the frames", () => {
    const clips = ["03-01-03-01-01-01-05.wav", "02-01-03-01-01-01-05.wav"];
    const { samples } = matchById(items("image", frames), items("audio", clips), utteranceIdOf);
    expect(samples.map(({ images }) => images.length)).toEqual([2, 2]);
  });
});

describe("by manifest", () => {
  const images = items("image", ["happy/1.jpg", "happy/2.jpg"]);
  const audio = items("audio", ["a.wav", "b.wav"]);
  const line = (imagePath: string, audioPath: string, label?: string) => ({
    line: 2,
    imagePath,
    audioPath,
    label,
  });

  test.each([
    ["exact paths", [line("happy/1.jpg", "a.wav")], ["happy/1.jpg|a.wav"]],
    ["longer paths", [line("data/faces/happy/1.jpg", "/clips/a.wav")], ["happy/1.jpg|a.wav"]],
    ["other separators", [line("happy\\1.jpg", ".\\a.wav")], ["happy/1.jpg|a.wav"]],
    [
      "a line twice",
      [line("happy/1.jpg", "a.wav"), line("happy/1.jpg", "a.wav")],
      ["happy/1.jpg|a.wav"],
    ],
    [
      "an image twice",
      [line("happy/1.jpg", "a.wav"), line("happy/1.jpg", "b.wav")],
      ["happy/1.jpg|a.wav", "happy/1.jpg|b.wav"],
    ],
    ["an empty side", [line("", "a.wav")], []],
  ])("%s", (_, lines, pairs) => {
    expect(pairsOf(matchByManifest(images, audio, lines))).toEqual(pairs);
  });

  test("its label stands above the files' own, and what it misses is named", () => {
    const matching = matchByManifest(images, audio, [
      line("happy/1.jpg", "a.wav", "sad"),
      line("happy/9.jpg", "b.wav"),
    ]);
    expect(matching.samples.map(({ label }) => label)).toEqual(["sad"]);
    expect(matching.missing).toEqual(["no image 'happy/9.jpg'"]);
    expect(causesOf(matching)).toEqual([
      "b.wav: not paired by the manifest",
      "happy/2.jpg: not paired by the manifest",
    ]);
  });

  test("the images of one clip are its frames where that was said, by path, whatever the order of lines", () => {
    const lines = [line("happy/2.jpg", "a.wav"), line("happy/1.jpg", "a.wav", "sad")];
    for (const order of [lines, lines.toReversed()]) {
      const { samples } = matchByManifest(images, audio, order, true);
      expect(samples.map((sample) => [sampleText(sample), sample.label])).toEqual([
        ["happy/1.jpg+happy/2.jpg|a.wav", "sad"],
      ]);
    }
    expect(matchByManifest(images, audio, lines).samples).toHaveLength(2);
  });

  test("frames of one clip that lines label differently are no sample", () => {
    const matching = matchByManifest(
      images,
      audio,
      [line("happy/1.jpg", "a.wav", "sad"), line("happy/2.jpg", "a.wav", "happy")],
      true,
    );
    expect(matching.samples).toEqual([]);
    expect(causesOf(matching)).toContain(
      "happy/1.jpg: lines of the manifest give frames of one clip several labels",
    );
  });

  test("one pair with two labels is refused", () => {
    expect(() =>
      matchByManifest(images, audio, [
        { ...line("happy/1.jpg", "a.wav", "sad"), line: 2 },
        { ...line("data/happy/1.jpg", "a.wav", "happy"), line: 7 },
      ]),
    ).toThrow("lines 2 and 7 give one pair (happy/1.jpg, a.wav) two labels: sad, happy");
    expect(() =>
      matchByManifest(images, audio, [
        { ...line("happy/1.jpg", "a.wav"), line: 2 },
        { ...line("happy/1.jpg", "a.wav", "sad"), line: 5 },
        { ...line("happy/1.jpg", "a.wav", "happy"), line: 7 },
      ]),
    ).toThrow("lines 5 and 7 give one pair");
  });

  test("a path of several rows leads nowhere, and accents match composed or not", () => {
    const twice = items("image", ["x.jpg", "x.jpg", "cafe\u0301.jpg"]);
    const matching = matchByManifest(twice, audio, [
      line("x.jpg", "a.wav"),
      line("caf\u00e9.jpg", "b.wav"),
    ]);
    expect(pairsOf(matching)).toEqual(["cafe\u0301.jpg|b.wav"]);
    expect(matching.missing).toEqual(["several rows of image 'x.jpg'"]);
  });
});

describe("auto", () => {
  const chosen = (images: string[], audio: string[]) => {
    const { matchBy, reason } = chooseMatching(items("image", images), items("audio", audio), {
      matchBy: "auto",
    });
    return [matchBy, reason];
  };
  test.each([
    [["a.jpg", "b.jpg"], ["a.wav", "c.wav"], "name", "names match for 1 of 2 clips"],
    [
      ["a.jpg", "b.jpg", "c.jpg"],
      ["a.wav", "x.wav", "y.wav"],
      "label",
      "names match for 1 of 3 clips, ids for 0: less than half",
    ],
    [
      ["01-01-03-01-01-01-05_f05.png", "01-01-03-01-01-01-05_f10.png"],
      ["03-01-03-01-01-01-05.wav"],
      "id",
      "names match for 0 of 1 clips, ids for 1",
    ],
    [
      ["happy/001.jpg", "sad/002.jpg"],
      ["sad/001.wav", "happy/002.wav"],
      "label",
      "names match for 0 of 2 clips, ids for 0: less than half",
    ],
    [
      facePaths(3),
      cremadClips(2),
      "label",
      "names match for 0 of 12 clips, ids for 0: less than half",
    ],
    [["1001_IEO_ANG_XX.jpg"], cremadClips(2), "name", "names match for 1 of 1 images"],
  ])("%j with %j: %s", (images, audio, way, reason) => {
    expect(chosen([...images], [...audio])).toEqual([way, reason]);
  });
});
